import numpy as np
import pytest
from sklearn import metrics as sk
from torch import from_numpy
from torch.nn import functional as F

from compkit.report.analysis import (
    baseline,
    class_scores,
    confusion_matrix,
    most_confused,
    reliability,
    sample_losses,
)
from compkit.types import Task

RNG = np.random.default_rng(0)


def test_confusion_matrix_is_sklearns():
    targets, predicted = RNG.integers(6, size=200), RNG.integers(6, size=200)
    want = sk.confusion_matrix(targets, predicted, labels=range(7))
    np.testing.assert_array_equal(confusion_matrix(targets, predicted, 7), want)


def test_most_confused_are_the_largest_counts_off_the_diagonal():
    assert most_confused(np.array([0, 1]), np.array([0, 1]), top=5) == []
    targets, predicted = RNG.integers(6, size=300), RNG.integers(6, size=300)
    counts = sk.confusion_matrix(targets, predicted, labels=range(6))
    np.fill_diagonal(counts, 0)
    found = most_confused(targets, predicted, top=7)
    assert [count for *_, count in found] == np.sort(counts.ravel())[::-1][:7].tolist()
    assert all(counts[true, called] == count for true, called, count in found)


def test_class_scores_are_sklearns():
    truth, predicted = RNG.random((100, 5)) < 0.3, RNG.random((100, 5)) < 0.5
    truth[:, 0] = predicted[:, 1] = False
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, predicted, zero_division=0)
    scores = class_scores((truth & predicted).sum(0), truth.sum(0), predicted.sum(0))
    for got, want in zip(scores, (precision, recall, f1), strict=True):
        np.testing.assert_allclose(got, want)


def test_reliability_is_the_definition():
    confidence = RNG.random(500)
    happened = RNG.random(500) < confidence**2
    bins = reliability(confidence, happened, bins=10)
    error = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        error += abs(confidence[inside].mean() - happened[inside].mean()) * inside.mean()
    assert bins.error == pytest.approx(error)
    assert bins.predictions.sum() == 500


def test_reliability_of_perfect_and_extreme_probabilities():
    bins = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert bins.error == 0
    assert bins.confidence.tolist() == bins.frequency.tolist() == [0, 1]


def test_sample_losses_are_torchs():
    logits, classes = RNG.normal(size=(50, 4)), RNG.integers(4, size=50)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    want = F.cross_entropy(from_numpy(logits), from_numpy(classes), reduction="none")
    np.testing.assert_allclose(sample_losses(Task.MULTICLASS, classes, probs), want, rtol=1e-9)
    labels = (RNG.random((50, 4)) < 0.5).astype(float)
    want = F.binary_cross_entropy(from_numpy(probs), from_numpy(labels), reduction="none").mean(1)
    np.testing.assert_allclose(sample_losses(Task.MULTILABEL, labels, probs), want, rtol=1e-9)


def test_regression_losses_do_not_depend_on_units():
    targets, values = RNG.normal(size=(50, 2)), RNG.normal(size=(50, 2))
    scale = np.array([1000.0, 0.01])
    np.testing.assert_allclose(
        sample_losses(Task.REGRESSION, targets * scale, values * scale),
        sample_losses(Task.REGRESSION, targets, values),
    )
    assert np.isfinite(sample_losses(Task.REGRESSION, np.ones((3, 1)), np.zeros((3, 1)))).all()


def test_baseline_is_the_score_of_a_constant_answer():
    targets = RNG.choice(3, p=[0.6, 0.3, 0.1], size=300)
    prior = np.tile(np.bincount(targets) / 300, (300, 1))
    accuracy = baseline("accuracy", Task.MULTICLASS, targets)
    log_loss = baseline("log_loss", Task.MULTICLASS, targets)
    assert accuracy is not None and log_loss is not None
    assert accuracy[0] == pytest.approx(sk.accuracy_score(targets, prior.argmax(1)))
    assert log_loss[0] == pytest.approx(sk.log_loss(targets, prior))
    values = RNG.normal(size=(100, 1))
    rmse = baseline("rmse", Task.REGRESSION, values)
    assert rmse is not None
    assert rmse[0] == pytest.approx(sk.root_mean_squared_error(values, np.full_like(values, values.mean())))


@pytest.mark.parametrize(
    "metric, task, targets",
    [
        ("kappa", Task.MULTICLASS, np.array([0, 1])),
        ("accuracy", Task.MULTILABEL, np.ones((2, 2))),
        ("rmse", Task.REGRESSION, np.ones((2, 2))),
    ],
)
def test_baseline_of_other_metrics_is_not_known(metric, task, targets):
    assert baseline(metric, task, targets) is None
