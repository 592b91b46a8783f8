"""How sure a number is: intervals of shares, of means, and of differences between runs. Arrays in, arrays out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations
MANY = 2000


class Paired(NamedTuple):
    """A difference over pairs, such as the folds of two runs."""

    mean: float
    error: float  # standard error; NaN of a single pair
    low: float  # 95 % interval by Student's t
    high: float
    pairs: int

    @property
    def is_beyond(self) -> bool:
        """Whether it is more than two standard errors away from 0, the mark that tells a change from chance."""
        return bool(abs(self.mean) > 2 * self.error)


def wilson(hits: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of shares; (0, 1) where nothing was counted.

    Args:
        hits: how many were right, [C].
        of: of so many, [C].

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> low, high = wilson(np.array([8]), np.array([10]))
    >>> low.round(3).item(), high.round(3).item()
    (0.49, 0.943)
    """
    counted = np.maximum(of, 1)
    share, spread = hits / counted, Z**2 / counted
    centre = (share + spread / 2) / (1 + spread)
    half = Z * np.sqrt(share * (1 - share) / counted + spread / (4 * counted)) / (1 + spread)
    none = of == 0
    # at a share of 0 or 1 the ends are exact, but for rounding
    low = np.where(none | (hits == 0), 0.0, centre - half)
    return low, np.where(none | (hits == of), 1.0, centre + half)


def mean_interval(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean, by drawing the values [N] again and again with replacement.

    Of more than `MANY` values the mean is as good as normal, and nothing is drawn.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval).

    >>> mean_interval(np.ones(5))
    (1.0, 1.0)
    """
    if len(values) > MANY:
        half = Z * float(values.std()) / np.sqrt(len(values))
        return float(values.mean() - half), float(values.mean() + half)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def paired(differences: Sequence[float]) -> Paired:
    """The mean of differences and how sure it is; pairs without a value are left out.

    >>> paired([0.1, 0.2, 0.3]).is_beyond, paired([0.1, -0.2, 0.3]).is_beyond, paired([0.1]).is_beyond
    (True, False, False)
    """
    known = np.asarray(differences, np.float64)
    known = known[np.isfinite(known)]
    count = len(known)
    mean = float(known.mean()) if count else float("nan")
    error = float(known.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    half = float(stats.t.ppf(0.975, count - 1)) * error if count > 1 else float("nan")
    return Paired(mean, error, mean - half, mean + half, count)
