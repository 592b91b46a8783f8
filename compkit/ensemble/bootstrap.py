"""How sure a gain is: the same rows drawn again and again, both predictions scored on them."""

import math
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compkit.ensemble.row_scores import row_scores
from compkit.metrics import Metric


@dataclass(frozen=True)
class Gain:
    """How much better one set of predictions is than another; above 0 it is better, whatever the metric.

    Attributes:
        value: on the rows themselves.
        low, high: between them lie 95 % of the resamples, from the 2.5th to the 97.5th percentile.
        resamples: how many were drawn.
        undefined: in how many of them the metric had no value; they are left out.
    """

    value: float
    low: float
    high: float
    resamples: int
    undefined: int

    def to_dict(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return asdict(self)


def bootstrap_gain(
    metric: Metric,
    targets: np.ndarray,
    values: np.ndarray,
    base: np.ndarray,
    groups: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Gain:
    """The interval of the gain of `values` over `base`, by drawing rows (or whole groups) with replacement.

    Both are scored on the same draws, so what makes a draw easy or hard for both cancels.

    Args:
        metric: any; a lower-is-better one counts with the opposite sign.
        targets: int64 [N], or float [N, C].
        values: predictions, float [N, C].
        base: predictions of what they are compared with, float [N, C].
        groups: rows of equal value are drawn together, [N]; None draws single rows.
        resamples: number of draws, >= 1.
        seed: of the draws.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval).

    >>> from compkit.metrics import Accuracy
    >>> targets, right = np.zeros(50, dtype=int), np.tile([0.9, 0.1], (50, 1))
    >>> bootstrap_gain(Accuracy(), targets, right, 1 - right, resamples=10).low
    1.0
    """
    sign = 1 if metric.greater_is_better else -1
    gain = sign * (metric(targets, values) - metric(targets, base))
    members = np.arange(len(targets)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    of_rows = row_scores(metric, targets, values)
    if of_rows is not None:
        other = row_scores(metric, targets, base)
        assert other is not None
        gains = _of_means(of_rows - other, members, resamples, rng)
    else:
        gains = _of_metric(metric, targets, values, base, members, resamples, rng)
    gains = sign * gains
    defined = gains[~np.isnan(gains)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (math.nan, math.nan)
    return Gain(float(gain), float(low), float(high), resamples, resamples - len(defined))


def _of_means(
    differences: np.ndarray, members: np.ndarray, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Of a metric that is a mean over rows: only how often each group is drawn matters, [resamples]."""
    sums, counts = np.bincount(members, differences), np.bincount(members)
    gains = np.empty(resamples)
    for number in range(resamples):
        drawn = np.bincount(rng.integers(len(sums), size=len(sums)), minlength=len(sums))
        gains[number] = (drawn @ sums) / (drawn @ counts)
    return gains


def _of_metric(
    metric: Metric,
    targets: np.ndarray,
    values: np.ndarray,
    base: np.ndarray,
    members: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Of any metric: both predictions scored on each draw, [resamples]; NaN where it has no value."""
    order = np.argsort(members, kind="stable")
    sizes = np.bincount(members)
    starts = np.cumsum(sizes) - sizes
    gains = np.empty(resamples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw without a rare class warns, a thousand times
        for number in range(resamples):
            drawn = rng.integers(len(sizes), size=len(sizes))
            # the rows of each drawn group lie one behind the other in `order`
            within = np.arange(sizes[drawn].sum()) - np.repeat(
                np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn]
            )
            rows = order[np.repeat(starts[drawn], sizes[drawn]) + within]
            gains[number] = metric(targets[rows], values[rows]) - metric(targets[rows], base[rows])
    return gains
