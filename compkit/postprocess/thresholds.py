"""Several labels an image: one threshold for all of them, or one for each."""

import numpy as np

from compkit.metrics import FBeta, Metric
from compkit.metrics.arrays import label_matrix
from compkit.postprocess.fbeta_search import (
    macro_thresholds,
    micro_thresholds,
    one_threshold,
    samples_thresholds,
)
from compkit.postprocess.halfway import move_to_half, nearest_best
from compkit.postprocess.postprocess import Learned, Postprocess, better, check_labels
from compkit.ranges import zero_to_one
from compkit.types import Task

CANDIDATES = 49  # thresholds tried for a metric that is not F-beta: 0.02, 0.04 … 0.98
SWEEPS = 5


def best_by_trying(metric: Metric, targets: np.ndarray, values: np.ndarray) -> float:
    """The threshold for all labels among 0.02, 0.04 … 0.98 that is best by any metric of decided labels."""
    candidates = np.linspace(0, 1, CANDIDATES + 2)[1:-1]
    scores = np.array([metric(targets, move_to_half(values, one)) for one in candidates])
    scores = scores if metric.greater_is_better else -scores
    return float(candidates[nearest_best(np.where(np.isnan(scores), -np.inf, scores), candidates)])


def each_by_trying(metric: Metric, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Thresholds of the labels, [C], each in turn set to the best of 0.02, 0.04 … 0.98, the others fixed."""
    columns = np.flatnonzero((targets > 0.5).any(axis=0))
    thresholds = np.full(values.shape[1], 0.5)
    thresholds[columns] = best_by_trying(metric, targets, values)
    best = metric(targets, move_to_half(values, thresholds))
    for _ in range(SWEEPS):
        before = best
        for column in columns:
            for candidate in np.linspace(0, 1, CANDIDATES + 2)[1:-1]:
                trial = thresholds.copy()
                trial[column] = candidate
                score = metric(targets, move_to_half(values, trial))
                if better(score, best, metric):
                    thresholds, best = trial, score
        if best == before:
            break
    return thresholds


class Threshold(Postprocess):
    """One threshold for all labels, tuned, or given.

    Args:
        value: the threshold, in [0, 1]; None tunes it.

    Raises:
        ValueError: value outside [0, 1].

    >>> Threshold(0.2).apply(np.array([[0.1, 0.6]]), {"threshold": 0.2}).round(3).tolist()
    [[0.25, 0.75]]
    """

    name = "threshold"

    def __init__(self, value: float | None = None) -> None:
        self.value = None if value is None else zero_to_one("postprocess.value", value, usual="0.3")

    def check(self, task: Task, metric: Metric) -> None:
        check_labels(self.name, task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        if self.value is not None:
            return {"threshold": self.value}
        if not isinstance(metric, FBeta):
            return {"threshold": best_by_trying(metric, targets, values)}
        actual, values = label_matrix(targets, values.shape[1]), values.astype(np.float64).clip(0, 1)
        return {"threshold": one_threshold(actual, values, metric.beta, metric.average)}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return move_to_half(values, learned["threshold"])

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        return {"threshold of all labels": learned["threshold"]}


class Thresholds(Postprocess):
    """A threshold for each label; a label that is nowhere true keeps 0.5.

    >>> from compkit.metrics import FBeta
    >>> Thresholds().fit(np.array([[1.0], [0.0]]), np.array([[0.4], [0.2]]), FBeta())["thresholds"]
    [0.30000000000000004]
    """

    name = "thresholds"

    def check(self, task: Task, metric: Metric) -> None:
        check_labels(self.name, task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        if not isinstance(metric, FBeta):
            return {"thresholds": each_by_trying(metric, targets, values).tolist()}
        actual, values = label_matrix(targets, values.shape[1]), values.astype(np.float64).clip(0, 1)
        search = {"micro": micro_thresholds, "samples": samples_thresholds}.get(
            metric.average, macro_thresholds
        )
        return {"thresholds": search(actual, values, metric.beta).tolist()}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return move_to_half(values, np.array(learned["thresholds"]))

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        return dict(zip(classes, learned["thresholds"], strict=True))

    def needs_positives(self, task: Task) -> bool:
        return True
