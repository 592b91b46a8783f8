import numpy as np
import pytest
from scipy import stats

from compkit.report.intervals import MANY, mean_interval, paired, wilson


@pytest.mark.parametrize("hits, of", [(0, 7), (7, 7), (3, 7), (1, 1), (480, 1000)])
def test_wilson_is_scipy_s(hits, of):
    want = stats.binomtest(hits, of).proportion_ci(method="wilson")
    low, high = wilson(np.array([hits]), np.array([of]))
    assert (low[0], high[0]) == pytest.approx((want.low, want.high), abs=1e-6)


def test_of_nothing_nothing_is_known():
    low, high = wilson(np.array([0]), np.array([0]))
    assert (low[0], high[0]) == (0, 1)


@pytest.mark.parametrize("count", [30, MANY + 1])
def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says(count):
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        low, high = mean_interval(rng.exponential(size=count), resamples=300, seed=seed)
        hits += low <= 1 <= high
    assert 0.86 <= hits / 200 <= 0.99


def test_paired_is_the_t_test_of_one_sample():
    values = np.random.default_rng(1).normal(0.3, 1, 12)
    want = stats.ttest_1samp(values, 0)
    found = paired(values.tolist())
    assert found.mean / found.error == pytest.approx(want.statistic)
    interval = want.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.is_beyond == (abs(want.statistic) > 2)


def test_differences_that_are_not_known_are_left_out():
    assert paired([0.5, np.nan]).pairs == 1 and not paired([0.5]).is_beyond
    assert np.isnan(paired([]).mean)
