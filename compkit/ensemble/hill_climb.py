"""Ensemble selection: the model that helps most is added, again and again."""

from typing import NamedTuple, Protocol

import numpy as np

from compkit.ensemble.incremental import AccuracyMargins, LogLossSums
from compkit.metrics import Accuracy, LogLoss, Metric

MAX_ROUNDS = 100
WORST = -1e300  # of a metric that has no value
ROUNDING = 1e-12  # a smaller gain, in shares of the score, is one of floating point


class Climb(NamedTuple):
    """What hill climbing found."""

    picks: tuple[int, ...]  # models in the order in which they were added, the best single one first
    weights: np.ndarray  # float64 [M], the share of the picks that fell on each model
    score: float  # of the metric, on the rows it was found on


class Sums(Protocol):
    """The sum of the picks so far, and how each model would score once added to it."""

    def scores(self) -> np.ndarray:
        """The score of the mean of picks and model, for each model, [M]; greater is better."""

    def add(self, model: int) -> None:
        """Pick a model."""


def hill_climb(
    values: np.ndarray, targets: np.ndarray, metric: Metric, max_rounds: int = MAX_ROUNDS
) -> Climb:
    """Greedy weights: from the best single model, each round adds the one whose mean with the picks scores best.

    A model may be picked again. Stops at the first round without a strict gain. Of equally good models the first
    is picked.

    Args:
        values: predictions of M models, float64 [M, N, C].
        targets: int64 [N], or float [N, C].
        metric: any. Log loss and accuracy of exclusive classes are kept up to date from sums (see `incremental`),
            all others are computed anew for each model and round.
        max_rounds: picks at most, >= 1.

    Source: Caruana et al. 2004, "Ensemble Selection from Libraries of Models", doi:10.1145/1015330.1015432,
    section 2 with replacement.

    >>> from compkit.metrics import RMSE
    >>> climb = hill_climb(np.array([[[1.0]], [[4.0]]]), np.array([[2.0]]), RMSE())
    >>> climb.picks, climb.weights.round(3).tolist(), climb.score
    ((0, 1, 0), [0.667, 0.333], 0.0)
    """
    sums = _sums(values, targets, metric)
    picks: list[int] = []
    best = WORST
    while len(picks) < max_rounds:
        scores = np.nan_to_num(sums.scores(), nan=WORST)
        pick = int(scores.argmax())
        if picks and scores[pick] <= best + ROUNDING * max(1, abs(best)):
            break
        picks.append(pick)
        sums.add(pick)
        best = scores[pick]
    weights = np.bincount(picks, minlength=len(values)) / len(picks)
    return Climb(tuple(picks), weights, float(best if metric.greater_is_better else -best))


def _sums(values: np.ndarray, targets: np.ndarray, metric: Metric) -> Sums:
    if targets.ndim == 1 and isinstance(metric, LogLoss):
        found = LogLossSums.of(values, targets, metric.eps)
        if found is not None:
            return found
    if targets.ndim == 1 and isinstance(metric, Accuracy):
        return AccuracyMargins(values, targets)
    return AnySums(values, targets, metric)


class AnySums:
    """The sum of the picks' predictions, scored by the metric itself."""

    def __init__(self, values: np.ndarray, targets: np.ndarray, metric: Metric) -> None:
        self.values, self.targets, self.metric = values, targets, metric
        self.sum, self.picks = np.zeros_like(values[0]), 0
        self.sign = 1 if metric.greater_is_better else -1

    def scores(self) -> np.ndarray:
        """See Sums."""
        count = self.picks + 1
        return np.array(
            [self.sign * self.metric(self.targets, (self.sum + one) / count) for one in self.values]
        )

    def add(self, model: int) -> None:
        """See Sums."""
        self.sum += self.values[model]
        self.picks += 1
