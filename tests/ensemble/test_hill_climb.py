"""Hill climbing picks what a loop over scikit-learn's metrics picks."""

import numpy as np
import pytest
import sklearn.metrics

from compkit.ensemble import hill_climb
from compkit.ensemble.hill_climb import AnySums
from compkit.ensemble.incremental import AccuracyMargins, LogLossSums
from compkit.metrics import AUC, MAE, RMSE, Accuracy, LogLoss

from .stackers import softmax


def naive(values, targets, score, max_rounds=100):
    """The picks, by averaging and scoring anew each time; `score` is greater for better."""
    total, picks, best = np.zeros_like(values[0]), [], -np.inf
    while len(picks) < max_rounds:
        scores = [score(targets, (total + one) / (len(picks) + 1)) for one in values]
        if not max(scores) > best:
            break
        pick = int(np.argmax(scores))
        picks, best, total = [*picks, pick], scores[pick], total + values[pick]
    return tuple(picks), best


SCORES = {
    "log_loss": lambda targets, blend: -sklearn.metrics.log_loss(targets, blend, labels=range(blend.shape[1])),
    "accuracy": lambda targets, blend: sklearn.metrics.accuracy_score(targets, blend.argmax(axis=1)),
}  # fmt: skip
METRICS = {"log_loss": LogLoss(), "accuracy": Accuracy()}


def models(seed, count=8, rows=700, classes=5, shared=0.5, skill=1.0, kind=np.float64):
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=rows)
    logits = shared * rng.normal(size=(rows, classes)) + rng.normal(size=(count, rows, classes))
    logits[:, np.arange(rows), targets] += skill * rng.random((count, 1))
    return softmax(logits).astype(kind).astype(np.float64), targets


@pytest.mark.parametrize("name", ["log_loss", "accuracy"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "changes",
    [{}, {"skill": 3.0}, {"skill": 0.0}, {"classes": 2}, {"count": 1}, {"rows": 5000}, {"rows": 3, "count": 3}],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1])
def test_picks_are_those_of_the_naive_loop(name, kind, changes, seed):
    values, targets = models(seed, kind=kind, **changes)
    if kind == np.float32:  # scikit-learn warns of rows that float32 left a little off 1
        values /= values.sum(axis=2, keepdims=True)
    picks, best = naive(values, targets, SCORES[name])
    climb = hill_climb(values, targets, METRICS[name])
    assert climb.picks == picks
    np.testing.assert_allclose(climb.score, abs(best), rtol=1e-12)
    np.testing.assert_allclose(climb.weights, np.bincount(picks, minlength=len(values)) / len(picks))
    np.testing.assert_allclose(
        climb.score, METRICS[name](targets, np.tensordot(climb.weights, values, axes=1)), rtol=1e-10
    )


@pytest.mark.parametrize("seed", range(6))
def test_ties_go_to_the_first_class(seed):
    """Predictions in quarters: nearly every sum meets another one exactly."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(4, np.ones(4) / 4, size=(6, 500))
    values, targets = counts / 4, rng.integers(4, size=500)
    picks, best = naive(values, targets, SCORES["accuracy"])
    climb = hill_climb(values, targets, Accuracy())
    assert climb.picks == picks and climb.score == best


@pytest.mark.parametrize("seed", range(4))
def test_every_round_s_scores_are_the_metric_s(seed):
    """Also after picks that no one would make."""
    rng = np.random.default_rng(seed)
    values, targets = models(seed, rows=900, kind=np.float32)
    fast = [AccuracyMargins(values, targets), LogLossSums.of(values, targets, 1e-15)]
    slow = [AnySums(values, targets, Accuracy()), AnySums(values, targets, LogLoss())]
    for pick in rng.integers(len(values), size=7).tolist():
        np.testing.assert_array_equal(fast[0].scores(), slow[0].scores())
        np.testing.assert_allclose(fast[1].scores(), slow[1].scores(), rtol=1e-12)
        for one in fast + slow:
            one.add(pick)


def test_rows_that_all_models_agree_on():
    targets = np.array([0, 1, 1])
    values = np.tile([[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]], (3, 1, 1))
    climb = hill_climb(values, targets, Accuracy())
    assert climb.picks == (0,) and climb.score == pytest.approx(2 / 3)


def test_true_classes_of_probability_nought_are_clipped_as_in_the_metric():
    values, targets = models(0, rows=300)
    values[:, ::3] = np.eye(5)[(targets[::3] + 1) % 5]
    values[0, 0] = np.eye(5)[targets[0]]
    sums, slow = LogLossSums.of(values, targets, 1e-15), AnySums(values, targets, LogLoss())
    for pick in (0, 3, 0):
        np.testing.assert_allclose(sums.scores(), slow.scores(), rtol=1e-12)
        sums.add(pick)
        slow.add(pick)


def test_rows_that_do_not_sum_to_one_are_scored_by_the_metric():
    values, targets = models(0)
    assert LogLossSums.of(2 * values, targets, 1e-15) is None
    halves = values * np.where(np.arange(700) % 2, 0.5, 0.25)[:, None]
    climb = hill_climb(halves, targets, LogLoss())
    blend = np.tensordot(climb.weights, halves, axes=1)
    np.testing.assert_allclose(climb.score, LogLoss()(targets, blend))


@pytest.mark.parametrize("metric", [AUC(), RMSE(), MAE()], ids=lambda metric: metric.name)
def test_any_metric(metric):
    rng = np.random.default_rng(0)
    targets = (rng.random((80, 2)) < 0.5).astype(float)
    values = (targets + rng.normal(size=(5, 80, 2)) + 3) / 7
    sign = 1 if metric.greater_is_better else -1
    picks, best = naive(values, targets, lambda truth, blend: sign * metric(truth, blend))
    climb = hill_climb(values, targets, metric)
    assert climb.picks == picks and climb.score == pytest.approx(sign * best)
    assert hill_climb(values, targets, metric, max_rounds=2).picks == picks[:2]


def test_copies_of_a_model_gain_nothing():
    """The mean of copies differs from one of them by rounding only, which is no gain."""
    values, targets = models(3, count=1)
    values = np.repeat(values, 4, axis=0)
    for metric in (LogLoss(), Accuracy(), AUC()):
        assert hill_climb(values, targets, metric).picks == (0,)


def test_a_metric_without_a_value_leaves_the_first_model():
    values = np.random.default_rng(0).random((3, 9, 1))
    with pytest.warns(UserWarning, match="one class only"):
        assert hill_climb(values, np.zeros((9, 1)), AUC()).picks == (0,)
