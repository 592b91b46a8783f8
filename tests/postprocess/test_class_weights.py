"""Class weights against a fine grid, and rounding that must not change the winner."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from compkit.metrics import (
    AUC,
    MCC,
    Accuracy,
    BalancedAccuracy,
    FBeta,
    LogLoss,
    MAPAtK,
    Metric,
    QuadraticKappa,
)
from compkit.postprocess import ClassWeights, tune_weights, weigh
from compkit.postprocess.confusion import scorer
from compkit.types import Task


def make(rows, seed, shares=(0.7, 0.2, 0.1)):
    """Classes of differing frequency, and probabilities that are right by Bayes' rule, more or less."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(len(shares), rows, p=shares)
    logits = np.log(shares) + rng.normal(0, 1, (rows, len(shares)))
    logits[np.arange(rows), targets] += 1.5
    probs = np.exp(logits)
    return targets, probs / probs.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_nearly_as_good_as_the_best_of_a_fine_grid(seed):
    targets, values = make(400, seed)
    metric = FBeta()
    found = metric(targets, weigh(values, tune_weights(metric, targets, values)))
    grid = np.exp(np.linspace(-2, 4, 61))
    weighted = ((values * [1, a, b]).argmax(axis=1) for a in grid for b in grid)
    best = max(macro_f1(targets, called) for called in weighted)
    assert found >= best - 0.01
    assert found > macro_f1(targets, values.argmax(axis=1))


def macro_f1(targets, called):
    hits = np.bincount(targets[targets == called], minlength=3)
    return (2 * hits / (np.bincount(targets, minlength=3) + np.bincount(called, minlength=3))).mean()


def test_the_score_is_scikit_learns():
    targets, values = make(300, 4)
    method = ClassWeights()
    learned = method.fit(targets, values, BalancedAccuracy())
    called = (values * np.array(learned["weights"])).argmax(axis=1)
    score = balanced_accuracy_score(targets, called)
    assert BalancedAccuracy()(targets, method.apply(values, learned)) == pytest.approx(score)
    assert score > balanced_accuracy_score(targets, values.argmax(axis=1))
    assert macro_f1(targets, called) == pytest.approx(f1_score(targets, called, average="macro"))


@pytest.mark.parametrize("metric", [Accuracy(), MCC(), QuadraticKappa(), FBeta(average="weighted")])
def test_never_worse_in_sample(metric):
    targets, values = make(200, 5)
    assert metric(targets, weigh(values, tune_weights(metric, targets, values))) >= metric(targets, values)


def test_weights_have_a_geometric_mean_of_one_and_empty_classes_none():
    targets, values = make(200, 6)
    values = np.column_stack([values * 0.9, np.full(200, 0.1)])
    weights = tune_weights(FBeta(), targets, values)
    assert np.log(weights).mean() == pytest.approx(0)
    one_class = tune_weights(FBeta(), np.zeros(5, dtype=int), values[:5])
    assert one_class.tolist() == [1.0] * 4


def test_rounding_to_float32_never_changes_the_winner():
    rng = np.random.default_rng(7)
    weights = np.array([1.0, 1.0 + 1e-12, 1.0 - 1e-12])
    values = np.repeat(rng.random((500, 1)), 3, axis=1)
    weighed = weigh(values, weights)
    assert (weighed.argmax(axis=1) == 1).all()
    np.testing.assert_allclose(weighed.sum(axis=1), 1, atol=1e-6)
    assert weigh(np.zeros((1, 3)), weights).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("metric", [LogLoss(), AUC(), MAPAtK()])
def test_metrics_of_all_probabilities_are_refused(metric):
    with pytest.raises(ValueError, match=f"postprocess=class_weights: .*{metric.name}.*none"):
        ClassWeights().check(Task.MULTICLASS, metric)


def test_several_labels_are_refused():
    with pytest.raises(ValueError, match="thresholds"):
        ClassWeights().check(Task.MULTILABEL, FBeta())
    ClassWeights().check(Task.MULTICLASS, FBeta())


@pytest.mark.parametrize(
    "metric",
    [
        Accuracy(),
        BalancedAccuracy(),
        MCC(),
        QuadraticKappa(),
        *(FBeta(2, average) for average in ("macro", "micro", "weighted", "samples")),
    ],
)
def test_counting_scores_as_the_metric_does(metric):
    targets, values = make(100, 8)
    for one in (values, np.eye(4)[np.minimum(targets, 1)], np.tile([0.0, 1, 0, 0], (100, 1))):
        one = np.column_stack([one, np.zeros((100, 4 - one.shape[1]))])  # the last class has no rows
        assert scorer(metric, targets, 4)(one.argmax(axis=1)) == pytest.approx(
            metric(targets, one), nan_ok=True
        )


class Mistakes(Metric):
    """Rows called wrong; lower is better."""

    name, kind, tasks, greater_is_better = "mistakes", "labels", (Task.MULTICLASS,), False

    def __call__(self, targets, values):
        return float((values.argmax(axis=1) != targets).sum())


def test_a_metric_of_one_s_own_is_asked():
    targets, values = make(150, 9)
    assert scorer(Mistakes(), targets, 3)(targets) == 0
    weights = tune_weights(Mistakes(), targets, values)
    np.testing.assert_allclose(weights, tune_weights(Accuracy(), targets, values))


def test_no_step_of_one_class_betters_the_weights():
    targets, values = make(200, 10)
    weights = tune_weights(FBeta(), targets, values)
    found = macro_f1(targets, (values * weights).argmax(axis=1))
    for place in range(3):
        for step in (0.05, -0.05):
            trial = weights.copy()
            trial[place] *= np.exp(step)
            assert macro_f1(targets, (values * trial).argmax(axis=1)) <= found + 1e-12
