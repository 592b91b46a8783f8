import numpy as np
import pytest

from compkit.diagnosis.priors import labels_of
from compkit.diagnosis.scores import chance_score, judged_by, score_error
from compkit.metrics import MAE, R2, RMSE, Accuracy, BalancedAccuracy, FBeta, LogLoss, TopKAccuracy
from compkit.types import Task


def drawn(rows, rng):
    """Targets of four classes of very different size, and fair probabilities for them."""
    targets = rng.choice(4, rows, p=[0.5, 0.3, 0.12, 0.08])
    logits = rng.normal(size=(rows, 4)) + 1.5 * np.eye(4)[targets]
    probs = np.exp(logits)
    return targets, probs / probs.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "metric",
    [Accuracy(), BalancedAccuracy(), FBeta(), LogLoss(), TopKAccuracy(k=2)],
    ids=lambda one: one.name,
)
def test_errors_are_those_of_drawing_the_rows_anew(metric):
    rng = np.random.default_rng(0)
    scores = [metric(*drawn(400, rng)) for _ in range(300)]
    counts = 400 * np.array([0.5, 0.3, 0.12, 0.08])
    error = score_error(metric.name, float(np.mean(scores)), 400, counts)
    assert 0.8 * np.std(scores) < error < 3 * np.std(scores)


@pytest.mark.parametrize("metric", [RMSE(), MAE(), R2()], ids=lambda one: one.name)
def test_errors_of_numbers(metric):
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(300):
        targets = rng.normal(size=(400, 1))
        scores.append(metric(targets, targets + rng.normal(0, 0.6, (400, 1))))
    error = score_error(metric.name, float(np.mean(scores)), 400, None)
    assert 0.8 * np.std(scores) < error < 3 * np.std(scores)


def test_perfect_and_useless_scores_are_not_certain():
    assert score_error("accuracy", 1.0, 10, None) > 0.05 < score_error("accuracy", 0.0, 10, None)


def test_unknown_metrics_have_no_error():
    assert score_error("mine", 0.5, 100, None) is None and score_error("f1_macro", 0.5, 100, None) is None


def test_chance_is_the_score_of_a_constant_answer():
    rng = np.random.default_rng(0)
    targets, _ = drawn(500, rng)
    labels = labels_of(Task.MULTICLASS, targets, 4)
    constant = np.tile(labels.shares, (500, 1))
    for metric in (Accuracy(), BalancedAccuracy(), LogLoss(), TopKAccuracy(k=2)):
        assert chance_score(metric.name, labels) == pytest.approx(metric(targets, constant))
    numbers = rng.gamma(2.0, size=(501, 1))
    of_numbers = labels_of(Task.REGRESSION, numbers, 1)
    for metric, answer in ((RMSE(), numbers.mean()), (R2(), numbers.mean()), (MAE(), np.median(numbers))):
        assert chance_score(metric.name, of_numbers) == pytest.approx(
            metric(numbers, np.full_like(numbers, answer)), abs=1e-9
        )


def test_a_metric_without_known_chance_gives_way_to_one_with():
    sets = labels_of(Task.MULTILABEL, np.eye(3), 3)
    assert judged_by("f1_macro", ["f1_macro", "mean_columnwise_auc"], sets) == ("mean_columnwise_auc", 0.5)
    assert judged_by("f1_macro", ["f1_macro"], sets) is None
    assert chance_score("rmsle", labels_of(Task.REGRESSION, np.ones((3, 1)), 1)) is None
    assert chance_score("mcc", sets) == 0
