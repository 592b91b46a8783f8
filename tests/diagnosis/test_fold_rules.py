import numpy as np
import pytest

from compkit.diagnosis import diagnose_folds
from compkit.diagnosis.fold_rules import label_noise, ranked_above

from .histories import facts, fired


def of_folds(scores, **changes):
    numbered = dict(enumerate(scores))
    return diagnose_folds(numbered, {fold: facts(fold=fold, **changes) for fold in numbered})


def test_a_fold_far_off_is_named():
    [found] = of_folds([0.91, 0.92, 0.60, 0.915, 0.905])
    assert found.check == "odd_fold" and found.evidence["fold"] == 2 and "fold 2 is 0.6" in found.message


def test_a_fold_far_above_is_odd_too():
    assert of_folds([0.61, 0.62, 0.97, 0.615, 0.605])[0].evidence["fold"] == 2


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.05])  # between folds, such as those of other hospitals
def test_folds_that_differ_by_chance_are_left_alone(count, spread):
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        scores = 0.8 + spread * rng.normal(size=count) + np.sqrt(0.16 / 1000) * rng.normal(size=count)
        alarms += bool(of_folds(scores))
    assert alarms <= 8


def test_small_folds_may_differ_much():
    assert not of_folds([0.9, 0.9, 0.6, 0.9, 0.9], val_rows=10)


def test_two_folds_or_an_unknown_metric_tell_nothing():
    assert not of_folds([0.9, 0.1]) and not of_folds([0.9, 0.9, 0.1, 0.9, 0.9], metric="mine")


def test_equal_folds_and_one_that_failed():
    assert of_folds([0.9, 0.9, 0.1, 0.9, 0.9])


def predictions(rng, rows, skill, wrong_labels=0.0, classes=5):
    """A calibrated model of pictures of very different difficulty, and labels of which some are wrong."""
    hard = rng.exponential(1.0, (rows, 1))
    truth = rng.integers(classes, size=rows)
    logits = skill * hard * np.eye(classes)[truth] + rng.normal(size=(rows, classes))
    probs = np.exp(logits)
    targets = np.where(rng.random(rows) < wrong_labels, rng.integers(classes, size=rows), truth)
    return targets, probs / probs.sum(axis=1, keepdims=True)


def test_random_labels_make_wrong_predictions_as_sure_as_right_ones():
    rng = np.random.default_rng(0)
    truth, probs = predictions(rng, 1000, skill=30.0)
    flipped = np.where(rng.random(1000) < 0.4, (truth + rng.integers(1, 5, 1000)) % 5, truth)
    found = label_noise(flipped, probs, [facts()])
    assert found is not None and fired([found]) == {"label_noise"} and 0.4 < found.value < 0.6


@pytest.mark.parametrize("skill", [1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("wrong", [0.0, 0.03])
def test_hard_pictures_are_not_taken_for_wrong_labels(skill, wrong):
    rng = np.random.default_rng(1)
    for classes in (2, 4, 10, 100):
        for rows in (100, 300, 1000, 10_000):
            assert not label_noise(*predictions(rng, rows, skill, wrong, classes), [facts()])


def test_too_few_mistakes_say_nothing():
    rng = np.random.default_rng(0)
    truth, probs = predictions(rng, 60, skill=30.0)
    assert label_noise((truth + (rng.random(60) < 0.4)) % 5, probs, [facts()]) is None


def test_ranks_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 30).astype(float), rng.integers(0, 4, 20).astype(float)
    pairs = np.sign(first[:, None] - second[None]) / 2 + 0.5
    assert ranked_above(first, second) == pytest.approx(pairs.mean())
