"""Which predictions become labels: against plain loops, and by what must not change anything."""

import math

import numpy as np
import pytest

from compkit.semi import Selection, quantiles_text
from compkit.semi.selection import choose_rows, confidence, expected_right, hardened, share_right, sharpened
from compkit.types import Task

MULTICLASS, MULTILABEL, REGRESSION = Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def probabilities(rng, rows, columns):
    return rng.dirichlet(np.full(columns, 0.3), rows).astype(np.float32)


def surest_by_hand(sure, classes, threshold, at_most, quotas):
    """The same choice as one picture after the other."""
    order = sorted((row for row in range(len(sure)) if sure[row] >= threshold), key=lambda row: -sure[row])
    room = min(at_most, len(order))
    limits = [math.ceil(round(share * room, 9)) for share in quotas]
    taken, chosen = [0] * len(quotas), []
    for row in order:
        if taken[classes[row]] < limits[classes[row]]:
            taken[classes[row]] += 1
            chosen.append(row)
    return chosen[: int(room)]


@pytest.mark.parametrize(
    "threshold, at_most", [(0.0, math.inf), (0.6, math.inf), (0.5, 17), (0.9, 3.5), (1.1, 5)]
)
def test_choice_is_that_of_a_plain_loop(rng, threshold, at_most):
    values = probabilities(rng, 200, 4)
    sure, classes = values.max(axis=1), values.argmax(axis=1)
    for quotas in ([1.0] * 4, [0.25, 0.25, 0.25, 0.25], [0.1, 0.0, 0.5, 0.7]):
        got = choose_rows(sure, classes, threshold, at_most, np.array(quotas), rng)
        assert got.tolist() == surest_by_hand(sure, classes, threshold, at_most, quotas)
    unlimited = choose_rows(sure, None, threshold, at_most, None, rng)
    assert unlimited.tolist() == surest_by_hand(sure, classes, threshold, at_most, [1.0] * 4)


def test_the_order_of_the_pictures_does_not_matter(rng):
    values = probabilities(rng, 100, 3)
    shuffled = rng.permutation(100)
    selection = Selection(max_share=0.5, balance=1.2)
    labels = np.arange(60) % 3
    one, two = (
        selection.choose(these, MULTICLASS, 0.5, labels, np.random.default_rng(1))
        for these in (values, values[shuffled])
    )
    assert sorted(shuffled[two].tolist()) == one.tolist()


def test_equally_sure_pictures_are_drawn_rather_than_taken_from_the_front(rng):
    chosen = choose_rows(np.ones(1000), None, 0.5, 500, None, rng)
    assert 200 < (chosen < 500).sum() < 300


def test_caps_count_in_labelled_rows_and_their_shares(rng):
    labels = np.repeat([0, 1], [30, 10])
    values = np.tile(np.array([[0.9, 0.1]]), (200, 1)) - rng.random((200, 1)) * [[0.1, -0.1]]
    values[:40] = values[:40, ::-1]
    assert len(Selection(max_share=2).choose(values, MULTICLASS, None, labels, rng)) == 80
    chosen = Selection(max_share=2, balance=1).choose(values, MULTICLASS, None, labels, rng)
    assert np.bincount(values[chosen].argmax(axis=1)).tolist() == [60, 20]
    loose = Selection(max_share=2, balance=1.5).choose(values, MULTICLASS, None, labels, rng)
    assert np.bincount(values[loose].argmax(axis=1), minlength=2)[1] <= 30 and len(loose) == 80


def test_confidence_of_each_task(rng):
    values = rng.random((50, 4)).astype(np.float32)
    sure = [[max(p, 1 - p) for p in row] for row in values.astype(np.float64)]
    np.testing.assert_allclose(confidence(values, MULTILABEL), [min(row) for row in sure])
    np.testing.assert_allclose(confidence(values, MULTILABEL, "mean"), [sum(row) / 4 for row in sure])
    np.testing.assert_allclose(expected_right(values, MULTILABEL), [sum(row) / 4 for row in sure])
    np.testing.assert_allclose(confidence(values, MULTICLASS), [max(row) for row in values])
    assert (confidence(values, REGRESSION) == 1).all()


def test_expected_accuracy_is_the_true_one_of_calibrated_probabilities(rng):
    values = rng.dirichlet(np.ones(5), 20_000)
    truth = np.array([rng.choice(5, p=row) for row in values])
    assert share_right(values, truth, MULTICLASS).mean() == pytest.approx(
        expected_right(values, MULTICLASS).mean(), abs=0.01
    )
    labels = rng.random((20_000, 5))
    present = rng.random(labels.shape) < labels
    assert share_right(labels, present, MULTILABEL).mean() == pytest.approx(
        expected_right(labels, MULTILABEL).mean(), abs=0.01
    )


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0])
def test_sharpening_is_the_formula_and_keeps_the_order(rng, temperature):
    values = probabilities(rng, 30, 5).astype(np.float64)
    powers = values ** (1 / temperature)
    want = powers / powers.sum(axis=1, keepdims=True)
    got = sharpened(values, MULTICLASS, temperature)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-12)
    assert (got.argmax(axis=1) == values.argmax(axis=1)).all()
    p = rng.random((30, 5))
    want = p ** (1 / temperature) / (p ** (1 / temperature) + (1 - p) ** (1 / temperature))
    np.testing.assert_allclose(sharpened(p, MULTILABEL, temperature), want, rtol=1e-5)


def test_sharpening_ends_in_hard_labels_and_never_in_nan(rng):
    values = np.array([[1e-30, 1.0, 0.0], [0.5, 0.3, 0.2]])
    np.testing.assert_array_equal(sharpened(values, MULTICLASS, 1e-3), hardened(values, MULTICLASS))
    labels = np.array([[0.0, 1.0, 0.7]])
    np.testing.assert_array_equal(sharpened(labels, MULTILABEL, 1e-3), hardened(labels, MULTILABEL))
    assert np.isfinite(sharpened(np.array([[1e-300, 1e-310]]), MULTICLASS, 0.1)).all()
    np.testing.assert_array_equal(Selection().labels(np.array([[3.5, -2.0]]), REGRESSION), [[3.5, -2.0]])


def test_quantiles_in_words():
    assert quantiles_text(np.linspace(0, 1, 101)) == (
        "10 % below 0.100, 50 % below 0.500, 90 % below 0.900, the surest 1.000"
    )


@pytest.mark.parametrize(
    "keys, words",
    [
        ({"confidence": "median"}, "confidence: got 'median'"),
        ({"kind": "firm"}, "kind: got 'firm'"),
        ({"kind": "soft", "sharpen": 0}, "sharpen: got 0"),
        ({"sharpen": 0.5}, r"sharpen=0\.5: hard labels.*kind=soft"),
        ({"max_share": -1}, "max_share: got -1"),
        ({"balance": 0}, "balance: got 0"),
    ],
)
def test_values_out_of_range(keys, words):
    with pytest.raises(ValueError, match=words):
        Selection(**keys)


def test_what_a_task_has_no_meaning_for():
    for task in (MULTILABEL, REGRESSION):
        with pytest.raises(ValueError, match=rf"balance=1\.5.*{task}.*balance=null"):
            Selection(balance=1.5).check_task(task)
    with pytest.raises(ValueError, match=r"kind=soft.*kind=hard"):
        Selection(kind="soft").check_task(REGRESSION)
    Selection(kind="soft", sharpen=0.5, balance=1, max_share=1).check_task(MULTICLASS)
