"""Weights are learned where they must not be seen, and blends that make no sense are refused."""

from dataclasses import replace

import numpy as np
import pytest

from compkit.ensemble import Blending, blend_runs
from compkit.ensemble.blend import to_ranks
from compkit.ensemble.blending import metric_of_column
from compkit.metrics import AUC, MAE, RMSE, Accuracy, FBeta, LogLoss, MAPAtK
from compkit.types import Task

from .stackers import aligned_runs, softmax, some_task

CHANCE = 0.5


def random_models(seed, models=25, rows=300):
    """Labels that nothing can know, and models that guess."""
    rng = np.random.default_rng(seed)
    return softmax(2 * rng.normal(size=(models, rows, 2))), rng.integers(2, size=rows)


@pytest.mark.parametrize(
    "settings, folds",
    [
        ({"method": "hill_climb"}, 5),
        ({"method": "hill_climb"}, 1),
        ({"method": "optimize"}, 5),
        ({"method": "hill_climb", "per_class": True, "max_rounds": 10}, 5),
        ({"method": "optimize", "per_class": True}, 5),
        ({"method": "mean", "top": 3}, 5),
        ({"method": "rank", "top": 3}, 5),
    ],
    ids=str,
)
def test_random_labels_leave_the_nested_score_at_chance(settings, folds):
    """Planted: 25 guessing models, so that some blend of them fits any labels in the sample."""
    nested, in_sample = [], []
    seeds = range(4)
    metric = LogLoss() if settings.get("per_class") or settings["method"] == "optimize" else Accuracy()
    for seed in seeds:
        values, targets = random_models(seed)
        fold = np.arange(300) % folds
        parts = fold if folds > 1 else np.arange(300) % 5
        blended = blend_runs(aligned_runs(values, targets, fold), Blending(**settings), metric, parts)
        nested.append((blended.nested.argmax(axis=1) == targets).mean())
        in_sample.append((blended.in_sample.argmax(axis=1) == targets).mean())
    error = 0.5 / np.sqrt(300 * len(seeds))
    assert abs(np.mean(nested) - CHANCE) < 3 * error
    assert np.mean(in_sample) - CHANCE > 4 * error


@pytest.mark.parametrize("method", ["hill_climb", "optimize"])
def test_a_row_never_enters_its_own_weights(method):
    """Changing the labels of one fold changes the weights of all other folds, and not its own."""
    values, targets = some_task(Task.MULTICLASS)
    fold = np.arange(len(targets)) % 3
    changed = np.where(fold == 1, (targets + 1) % 4, targets)
    before, after = (
        blend_runs(aligned_runs(values, truth, fold), Blending(method), LogLoss(), fold)
        for truth in (targets, changed)
    )
    np.testing.assert_array_equal(before.weights_of_parts[1], after.weights_of_parts[1])
    assert not np.array_equal(before.weights_of_parts[0], after.weights_of_parts[0])
    np.testing.assert_array_equal(before.nested[fold == 1], after.nested[fold == 1])


@pytest.mark.parametrize("method", ["mean", "rank", "geometric"])
def test_where_nothing_is_learned_nested_is_plain(method):
    values, targets = some_task(Task.MULTICLASS)
    rng = np.random.default_rng(0)
    tests = {fold: softmax(rng.normal(size=(3, 11, 4))) for fold in range(2)}
    aligned = aligned_runs(values, targets, np.arange(120) % 2, test_of_folds=tests)
    blending = Blending(method, weights=[2, 1, 1])
    blending.check(aligned, Accuracy())
    blended = blend_runs(aligned, blending, Accuracy(), aligned.fold)
    assert blended.in_sample is None and blended.weights_of_parts == {}
    np.testing.assert_allclose(blended.weights, [0.5, 0.25, 0.25])
    source = to_ranks(values) if method == "rank" else values
    if method == "geometric":
        want = np.exp(np.average(np.log(values), axis=0, weights=[2, 1, 1]))
        want /= want.sum(axis=1, keepdims=True)
    else:
        want = np.average(source, axis=0, weights=[2, 1, 1])
    np.testing.assert_allclose(blended.nested, want)
    assert blended.test.shape == (11, 4) and sorted(blended.test_of_folds) == [0, 1]
    if method == "rank":  # by the test set itself, not by the training rows
        np.testing.assert_allclose(
            blended.test, np.average(to_ranks(aligned.test), axis=0, weights=[2, 1, 1])
        )


def test_the_test_set_of_a_fold_gets_that_fold_s_weights():
    values, targets = some_task(Task.MULTICLASS)
    tests = {fold: softmax(np.random.default_rng(fold).normal(size=(3, 11, 4))) for fold in range(3)}
    aligned = aligned_runs(values, targets, np.arange(120) % 3, test_of_folds=tests)
    blended = blend_runs(aligned, Blending("optimize"), LogLoss(), aligned.fold)
    for fold in range(3):
        want = np.tensordot(blended.weights_of_parts[fold], tests[fold], axes=1)
        np.testing.assert_allclose(blended.test_of_folds[fold], want)
    one_fold = replace(aligned, fold=np.zeros(120, dtype=int), test_of_folds={0: tests[0]})
    blended = blend_runs(one_fold, Blending("optimize"), LogLoss(), np.arange(120) % 5)
    np.testing.assert_allclose(blended.test_of_folds[0], np.tensordot(blended.weights, tests[0], axes=1))


@pytest.mark.parametrize("method", ["hill_climb", "optimize"])
@pytest.mark.parametrize(
    "task, metric",
    [
        (Task.MULTILABEL, AUC()),
        (Task.MULTILABEL, FBeta()),
        (Task.MULTILABEL, MAPAtK(2)),
        (Task.REGRESSION, RMSE()),
        (Task.MULTICLASS, Accuracy()),
        (Task.MULTICLASS, AUC()),
    ],
)
def test_columns_of_their_own_are_fitted_alone(method, task, metric):
    values, targets = some_task(task)
    values = np.concatenate([values, values[:1]])
    if task != Task.MULTICLASS:
        values[3, :, 1] = targets[:, 1]  # one model knows one column
    weights = Blending(method, per_class=True).fit(values, targets, metric)
    assert weights.shape == (4, targets.shape[1] if task != Task.MULTICLASS else 4)
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    if task != Task.MULTICLASS:
        blend = np.tensordot(weights[:, 1], values[:, :, [1]], axes=1)
        alone = metric_of_column(metric, exclusive=False)
        assert alone(targets[:, [1]], blend) == pytest.approx(
            alone(targets[:, [1]], targets[:, [1]]), abs=1e-3
        )
        turned = Blending(method, per_class=True).fit(values[:, :, ::-1], targets[:, ::-1], metric)
        np.testing.assert_allclose(turned, weights[:, ::-1], atol=1e-6)


def test_columns_without_both_classes_get_equal_weights():
    values, targets = some_task(Task.MULTILABEL)
    targets = targets.copy()
    targets[:, 2] = 0
    weights = Blending("hill_climb", per_class=True).fit(values, targets, AUC())
    np.testing.assert_allclose(weights[:, 2], 1 / 3)


def test_exclusive_rows_of_columns_of_their_own_sum_to_one():
    values, targets = some_task(Task.MULTICLASS)
    aligned = aligned_runs(values, targets, np.arange(120) % 3)
    blended = blend_runs(aligned, Blending("optimize", per_class=True), LogLoss(), aligned.fold)
    np.testing.assert_allclose(blended.nested.sum(axis=1), 1)


def test_top_keeps_the_best_and_drops_the_rest():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(90, 1))
    values = targets + np.array([3.0, 0.1, 2.0, 0.2])[:, None, None] * rng.normal(size=(4, 90, 1))
    np.testing.assert_allclose(Blending("mean", top=2).fit(values, targets, MAE()), [0, 0.5, 0, 0.5])
    climbed = Blending("hill_climb", top=2).fit(values, targets, MAE())
    assert climbed[0] == climbed[2] == 0 and climbed.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"method": "median"}, "method: got 'median'; expected one of mean, rank"),
        ({"weights": [1, 0], "method": "mean"}, "weights: got 0; expected a number > 0"),
        ({"weights": [1, 2], "method": "optimize"}, r"weights=\[1.0, 2.0\] method=optimize"),
        ({"weights": [1, 2], "method": "mean", "top": 1}, "top=1: weights are given"),
        ({"per_class": True, "method": "mean"}, "per_class=true method=mean"),
        ({"top": 0}, "top: got 0"),
        ({"max_rounds": 0}, "max_rounds: got 0"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ValueError, match=words):
        Blending(**settings)


@pytest.mark.parametrize(
    "settings, task, metric, words",
    [
        (
            {"method": "mean", "weights": [1, 2]},
            Task.MULTICLASS,
            Accuracy(),
            r"2 for 3 runs \(run0, run1, run2\)",
        ),
        ({"top": 4}, Task.MULTICLASS, Accuracy(), "top=4: there are only 3 runs"),
        ({"method": "rank"}, Task.MULTICLASS, LogLoss(), "ranks are no probabilities, which log_loss"),
        ({"method": "rank"}, Task.REGRESSION, RMSE(), "ranks are no values in units, which rmse"),
        ({"method": "geometric"}, Task.REGRESSION, RMSE(), "needs probabilities"),
    ],
)
def test_blends_that_make_no_sense(settings, task, metric, words):
    values, targets = some_task(task)
    aligned = aligned_runs(values, targets, np.arange(120) % 3, task)
    with pytest.raises(ValueError, match=words):
        Blending(**settings).check(aligned, metric)


def test_geometric_of_logits_is_refused():
    values, targets = some_task(Task.MULTICLASS)
    aligned = aligned_runs(np.log(values), targets, np.arange(120) % 3)
    with pytest.raises(ValueError, match="needs probabilities, and the runs' predictions"):
        Blending("geometric").check(aligned, AUC())
