"""Thresholds against all subsets tried one by one, and scikit-learn's F-beta."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import fbeta_score

from compkit.metrics import AUC, FBeta, LogLoss, Metric
from compkit.postprocess import (
    Threshold,
    Thresholds,
    macro_thresholds,
    micro_thresholds,
    one_threshold,
    samples_thresholds,
)
from compkit.postprocess.thresholds import best_by_trying, each_by_trying
from compkit.types import Task

AVERAGES = ["macro", "micro", "weighted", "samples"]


def make(rows, columns, seed, decimals=None):
    """Labels of which the last is rare, and probabilities that know a little; few decimals make ties."""
    rng = np.random.default_rng(seed)
    actual = rng.random((rows, columns)) < np.linspace(0.6, 0.2, columns)
    values = np.clip(rng.normal(0.3 + 0.25 * actual, 0.25), 0, 1)
    return actual, values if decimals is None else values.round(decimals)


def sklearn_score(actual, called, beta, average):
    return fbeta_score(actual, called, beta=beta, average=average, zero_division=0)


def cuts(column):
    """A threshold below all, and above each distinct value."""
    distinct = np.unique(column)
    return [distinct[0] / 2, *distinct]


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed, decimals", [(0, None), (1, 1), (2, 2)])
def test_one_threshold_is_the_best_of_all(average, beta, seed, decimals):
    actual, values = make(25, 3, seed, decimals)
    found = one_threshold(actual, values, beta, average)
    best = max(sklearn_score(actual, values > cut, beta, average) for cut in cuts(values.ravel()))
    assert sklearn_score(actual, values > found, beta, average) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    "average, search",
    [("macro", macro_thresholds), ("weighted", macro_thresholds), ("micro", micro_thresholds)],
)
@pytest.mark.parametrize("seed, decimals, beta", [(0, None, 1.0), (1, 1, 2.0), (2, None, 0.5), (3, 1, 1.0)])
def test_thresholds_are_the_best_of_all_combinations(average, search, seed, decimals, beta):
    actual, values = make(10, 2, seed, decimals)
    actual[0] = True  # each label occurs
    found = sklearn_score(actual, values > search(actual, values, beta), beta, average)
    combinations = itertools.product(*(cuts(column) for column in values.T))
    best = max(sklearn_score(actual, values > np.array(one), beta, average) for one in combinations)
    assert found == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed, beta", [(0, 1.0), (1, 2.0), (2, 0.5)])
def test_no_single_change_betters_the_thresholds_for_samples(seed, beta):
    actual, values = make(40, 4, seed)
    thresholds = samples_thresholds(actual, values, beta)
    found = sklearn_score(actual, values > thresholds, beta, "samples")
    single = one_threshold(actual, values, beta, "samples")
    assert found >= sklearn_score(actual, values > single, beta, "samples") - 1e-12
    for column in range(4):
        for cut in cuts(values[:, column]):
            trial = thresholds.copy()
            trial[column] = cut
            assert sklearn_score(actual, values > trial, beta, "samples") <= found + 1e-12


def test_equally_good_thresholds_give_the_one_nearest_half():
    actual, values = np.array([[True], [False]]), np.array([[0.9], [0.1]])
    assert one_threshold(actual, values, 1.0, "macro") == 0.5


def test_equal_predictions_are_never_torn_apart():
    actual = np.array([[True], [False], [False], [False]])
    threshold = one_threshold(actual, np.full((4, 1), 0.25), 1.0, "macro")
    assert threshold < 0.25  # all of them: F = 2/5, none: 0


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_predictions_at_the_ends(constant):
    threshold = one_threshold(np.array([[False], [False], [True]]), np.full((3, 1), constant), 1.0, "macro")
    assert 0 <= threshold <= 1


@pytest.mark.parametrize("average", AVERAGES)
def test_a_label_without_positives_keeps_half(average):
    actual, values = make(30, 3, 5)
    actual[:, 1] = False
    learned = Thresholds().fit(actual.astype(float), values, FBeta(average=average))["thresholds"]
    assert learned[1] == 0.5
    assert all(0 <= one <= 1 for one in learned)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("method", [Threshold(), Thresholds()])
def test_the_metric_sees_the_tuned_decisions(method, average):
    actual, values = make(200, 5, 6)
    metric, targets = FBeta(beta=2, average=average), actual.astype(float)
    learned = method.fit(targets, values.astype(np.float32), metric)
    limits = learned.get("threshold", learned.get("thresholds"))
    want = sklearn_score(actual, values.astype(np.float32).astype(float) > np.array(limits), 2, average)
    assert metric(targets, method.apply(values.astype(np.float32), learned)) == pytest.approx(want, abs=1e-12)
    assert want >= metric(targets, values)


class OwnMetric(Metric):
    """Rows whose labels are all right."""

    name, kind, tasks = "exact_match", "labels", (Task.MULTILABEL,)

    def __call__(self, targets, values):
        return float(((values > 0.5) == (targets > 0.5)).all(axis=1).mean())


def test_a_metric_of_one_s_own_is_tuned_on_a_grid():
    actual, values = make(200, 3, 7)
    targets, metric = actual.astype(float), OwnMetric()
    single = best_by_trying(metric, targets, values)
    want = max(((values > one) == actual).all(axis=1).mean() for one in np.linspace(0.02, 0.98, 49))
    assert ((values > single) == actual).all(axis=1).mean() == pytest.approx(want)
    each = each_by_trying(metric, targets, values)
    assert ((values > each) == actual).all(axis=1).mean() >= want
    assert Threshold().fit(targets, values, metric) == {"threshold": single}
    assert Thresholds().fit(targets, values, metric) == {"thresholds": each.tolist()}


def test_a_given_threshold_is_taken():
    assert Threshold(0).fit(np.ones((1, 1)), np.ones((1, 1)), FBeta()) == {"threshold": 0.0}


@pytest.mark.parametrize("value", [-0.1, 1.1, "half", float("nan")])
def test_a_threshold_is_a_probability(value):
    with pytest.raises(ValueError, match=r"postprocess\.value"):
        Threshold(value)


@pytest.mark.parametrize("method", [Threshold(), Thresholds()])
def test_metrics_without_decisions_are_refused(method):
    for metric in (AUC(), LogLoss()):
        with pytest.raises(ValueError, match=f"postprocess={method.name}: .*{metric.name}.*none"):
            method.check(Task.MULTILABEL, metric)
    with pytest.raises(ValueError, match="class_weights"):
        method.check(Task.MULTICLASS, FBeta())
    with pytest.raises(ValueError, match=r"metric\.threshold=0\.3.*postprocess=threshold"):
        method.check(Task.MULTILABEL, FBeta(threshold=0.3))
    method.check(Task.MULTILABEL, FBeta(average="samples"))
