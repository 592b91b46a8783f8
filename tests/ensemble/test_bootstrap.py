"""The interval of a gain against what statistics says of it."""

import numpy as np
import pytest

from compkit.ensemble import bootstrap_gain
from compkit.ensemble.bootstrap import _of_metric
from compkit.ensemble.row_scores import row_scores
from compkit.metrics import AUC, MAE, RMSE, Accuracy, LogLoss

from .stackers import softmax

ROWS = 400


def multiclass(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    targets = rng.integers(3, size=rows)
    logits = rng.normal(size=(2, rows, 3))
    logits[:, np.arange(rows), targets] += np.array([[1.5], [1.0]])
    return targets, *softmax(logits)


def test_the_interval_is_the_normal_one_where_it_must_be():
    """For a mean over many rows: gain +- 1.96 standard errors of the paired differences."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(ROWS, 1))
    values, base = targets + 0.5 * rng.normal(size=(2, ROWS, 1))
    gain = bootstrap_gain(MAE(), targets, values, base, resamples=4000)
    differences = (np.abs(targets - base) - np.abs(targets - values)).ravel()
    error = differences.std() / np.sqrt(ROWS)
    np.testing.assert_allclose(gain.value, differences.mean())
    np.testing.assert_allclose(
        [gain.low, gain.high], differences.mean() + 1.96 * error * np.array([-1, 1]), atol=error / 8
    )


@pytest.mark.parametrize("metric", [Accuracy(), LogLoss()], ids=lambda metric: metric.name)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_fast_way_is_the_slow_way(metric, grouped):
    targets, values, base = multiclass()
    groups = np.arange(ROWS) // 7 if grouped else None
    gain = bootstrap_gain(metric, targets, values, base, groups, resamples=50)
    members = np.arange(ROWS) if groups is None else groups
    slow = _of_metric(metric, targets, values, base, members, 50, np.random.default_rng(0))
    slow = slow if metric.greater_is_better else -slow
    np.testing.assert_allclose([gain.low, gain.high], np.quantile(slow, [0.025, 0.975]))
    assert gain.value > 0


def test_rows_of_metrics_that_are_means():
    rng = np.random.default_rng(0)
    targets, values, _ = multiclass()
    labels, probs = (rng.random((9, 4)) < 0.5).astype(float), rng.random((9, 4))
    probs[0, 0], labels[0, 0] = 0, 1
    for metric, truth, made in [
        (Accuracy(), targets, values),
        (LogLoss(), targets, 3 * values / 4),
        (LogLoss(), labels, probs),
        (MAE(), probs, labels),
    ]:
        np.testing.assert_allclose(row_scores(metric, truth, made).mean(), metric(truth, made))
    assert row_scores(RMSE(), labels, probs) is None


def test_groups_are_drawn_together():
    """All rows of a group are alike, so drawing single rows would promise too narrow an interval."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 20)
    right = np.repeat(rng.random(20) < 0.5, 20)
    targets = np.zeros(400, dtype=int)
    values = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    base = 1 - values
    of_rows = bootstrap_gain(Accuracy(), targets, values, base)
    of_groups = bootstrap_gain(Accuracy(), targets, values, base, groups)
    ratio = (of_groups.high - of_groups.low) / (of_rows.high - of_rows.low)
    assert ratio == pytest.approx(np.sqrt(20), rel=0.15)


def test_resamples_without_a_value_are_left_out_and_counted():
    targets = np.zeros((12, 1))
    targets[0] = 1
    values = np.linspace(1, 0, 12)[:, None]
    gain = bootstrap_gain(AUC(), targets, values, 1 - values, resamples=300)
    assert gain.undefined / 300 == pytest.approx((11 / 12) ** 12, abs=0.08)  # the only positive is not drawn
    assert gain.value == gain.low == gain.high == 1
    assert np.isnan(bootstrap_gain(AUC(), targets * 0, values, values, resamples=5).low)


def test_a_seed_repeats_and_no_difference_is_no_gain():
    targets, values, base = multiclass()
    first, again = (bootstrap_gain(LogLoss(), targets, values, base, resamples=20, seed=3) for _ in range(2))
    assert first == again and first.low < first.value < first.high
    same = bootstrap_gain(LogLoss(), targets, base, base, resamples=20)
    assert same.low == same.value == same.high == 0
