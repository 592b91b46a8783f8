"""What a post-processing is worth is measured on rows it was not learned from."""

import numpy as np
import pytest

from compkit.metrics import RMSE, BalancedAccuracy, FBeta, LogLoss, QuadraticKappa
from compkit.postprocess import (
    ClassWeights,
    Clip,
    CutPoints,
    Prevalence,
    Temperature,
    Threshold,
    Thresholds,
    TopK,
)
from compkit.results import OutOfFold
from compkit.run.tuned import read_groups, require_finite, tune, untaught
from compkit.types import Predictions, Task

PARTS = np.arange(300) % 5


def random_labels(method, rng):
    """Metric, targets and predictions that know nothing of them."""
    if isinstance(
        method, Thresholds
    ):  # every label is called from the start, the best one can do without looking
        return FBeta(), (rng.random((300, 20)) < 0.5).astype(float), rng.uniform(0.5001, 1, (300, 20))
    if isinstance(method, ClassWeights):
        return (
            BalancedAccuracy(),
            np.arange(300) % 4,
            rng.dirichlet(np.ones(4), 300),
        )  # stratified, as folds are
    return QuadraticKappa(), rng.integers(5, size=(300, 1)).astype(float), rng.normal(2, 1, (300, 1))


@pytest.mark.parametrize("method", [Thresholds(), ClassWeights(), CutPoints()])
def test_random_labels_bring_nothing_nested_and_something_in_sample(method):
    """A planted leak: whatever is gained was fitted to chance."""
    gains = []
    for seed in range(12):
        tuned = tune(method, *random_labels(method, np.random.default_rng(seed)), PARTS)
        gains.append([tuned.nested - tuned.plain, tuned.in_sample - tuned.plain])
    (nested, in_sample), error = np.mean(gains, axis=0), np.std(gains, axis=0) / np.sqrt(12)
    assert nested < 2 * error[0]
    assert in_sample > 5 * error[1]


def learnable(task, rng):
    if task == Task.MULTILABEL:
        targets = (rng.random((300, 6)) < 0.15).astype(float)
        return targets, np.clip(rng.normal(0.1 + 0.25 * targets, 0.1), 0, 1)
    targets = rng.choice(3, 300, p=[0.8, 0.1, 0.1])
    logits = rng.normal(np.log([0.8, 0.1, 0.1]) + 1.5 * np.eye(3)[targets], 1)
    return targets, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "method, metric, task",
    [
        (Threshold(), FBeta(average="samples"), Task.MULTILABEL),
        (Thresholds(), FBeta(), Task.MULTILABEL),
        (TopK(), FBeta(average="samples"), Task.MULTILABEL),
        (Prevalence(), FBeta(), Task.MULTILABEL),
        (ClassWeights(), FBeta(), Task.MULTICLASS),
        (Temperature(), LogLoss(), Task.MULTICLASS),
    ],
)
def test_what_can_be_learned_helps_also_nested(method, metric, task):
    targets, values = learnable(task, np.random.default_rng(0))
    values = values**2 / (values**2).sum(axis=1, keepdims=True) if isinstance(method, Temperature) else values
    tuned = tune(method, metric, targets, values, PARTS)
    sign = 1 if metric.greater_is_better else -1
    assert sign * (tuned.nested - tuned.plain) > 0.01
    assert tuned.scores()["plain"] == metric(targets, values)
    assert set(tuned.learned_of_parts) == set(range(5))


def test_nested_is_what_the_other_rows_teach():
    targets, values = learnable(Task.MULTILABEL, np.random.default_rng(1))
    tuned = tune(Thresholds(), FBeta(), targets, values, PARTS)
    called = np.zeros(targets.shape)
    for part in range(5):
        rows = part != PARTS
        limits = Thresholds().fit(targets[rows], values[rows], FBeta())["thresholds"]
        called[~rows] = values[~rows] > limits
    assert tuned.nested == pytest.approx(FBeta()(targets, called))


def test_rows_in_another_order_teach_the_same():
    targets, values = learnable(Task.MULTILABEL, np.random.default_rng(2))
    order = np.random.default_rng(3).permutation(300)
    for method in (Thresholds(), Threshold(), TopK(), Prevalence()):
        first = tune(method, FBeta(average="samples"), targets, values, PARTS)
        second = tune(method, FBeta(average="samples"), targets[order], values[order], PARTS[order])
        assert first.scores() == pytest.approx(second.scores())


def test_broken_predictions_are_refused():
    values = np.full((300, 2), 0.5)
    values[7, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"out-of-fold predictions are NaN or infinite in 1 of 300 rows.* row 7"
    ):
        tune(Clip(), RMSE(), np.zeros((300, 2)), values, PARTS)
    tuned = tune(Clip(), RMSE(), np.zeros((300, 2)), np.zeros((300, 2)), PARTS)
    with pytest.raises(ValueError, match="test predictions"):
        tuned.of_test(Predictions(np.array(["a"]), np.array([[np.inf, 0]])))
    require_finite("test predictions", np.zeros((1, 1)))


def out_of_fold(targets, classes):
    rows = np.arange(len(targets))
    return OutOfFold(Task.MULTILABEL, rows.astype(str), rows % 2, targets, targets * 0.5, classes)


def test_labels_without_positives_are_named():
    targets = np.zeros((6, 3))
    targets[0, 0] = targets[:2, 1] = 1
    oof = out_of_fold(targets, ("ear", "eye", "tail"))
    assert untaught(Threshold(), oof, oof.fold) == []
    (finding,) = untaught(Thresholds(), oof, oof.fold)
    assert "no out-of-fold row has 'tail'" in finding and "'ear'" not in finding
    (finding,) = untaught(Thresholds(), out_of_fold(targets[:, :2], ("ear", "eye")), oof.fold)
    assert "no row outside part 0 has 'ear'" in finding
    one_class = OutOfFold(
        Task.MULTICLASS, oof.ids, oof.fold, np.array([0, 1, 0, 1, 0, 0]), np.ones((6, 3)), oof.classes
    )
    (finding,) = untaught(ClassWeights(), one_class, np.arange(6) % 3)
    assert "'tail'" in finding


def test_groups_of_rows_by_id(tmp_path):
    (tmp_path / "folds.csv").write_text("id,fold,group\na,0,x\nb,1,y\nc,0,x\n")
    assert read_groups(tmp_path, np.array(["c", "b"], dtype=object)).tolist() == ["x", "y"]
    (tmp_path / "folds.csv").write_text("id,fold,group\na,0,\nb,1,\n")
    assert read_groups(tmp_path, np.array(["a"], dtype=object)) is None
