"""Metrics of the k most probable classes: top-k accuracy and mean average precision at k."""

import numpy as np

from compkit.metrics.arrays import check_arrays, label_matrix
from compkit.metrics.metric import Metric
from compkit.types import Task


def top_hits(targets: np.ndarray, values: np.ndarray, k: int) -> np.ndarray:
    """Whether each of a row's k most probable classes is true, bool [N, min(k, C)], best first.

    Of equally probable classes the first comes first. Targets are class indices, int64 [N], or 0/1
    labels, float [N, C]; values probabilities, float [N, C].

    >>> top_hits(np.array([2]), np.array([[0.5, 0.2, 0.3]]), k=2)
    array([[False,  True]])
    """
    best = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(label_matrix(targets, values.shape[1]), best, axis=1)


def top_k_accuracy(targets: np.ndarray, values: np.ndarray, k: int = 5) -> float:
    """Share of rows whose true class is among the k most probable ones.

    Args:
        targets: class indices, int64 [N].
        values: probabilities, float [N, C].
        k: number of guesses, >= 1; with k >= C the answer is always 1.

    Raises:
        ValueError: see check_arrays.

    >>> top_k_accuracy(np.array([2, 1]), np.array([[0.5, 0.2, 0.3], [0.5, 0.2, 0.3]]), k=2)
    0.5
    """
    check_arrays("top_k_accuracy", targets, values)
    return float(top_hits(targets, values, k).any(axis=1).mean())


def map_at_k(targets: np.ndarray, values: np.ndarray, k: int = 5) -> float:
    """How high the true labels rank among the first k guesses, averaged over rows.

    AP@k = sum over ranks i <= k of precision@i where the guess at i is true, divided by min(n, k); n is
    the number of the row's true labels. A row without any counts 0. With one true label AP@k = 1 / rank.

    Args:
        targets: class indices, int64 [N], or 0/1 labels, float [N, C].
        values: probabilities, float [N, C].
        k: number of guesses, >= 1.

    Returns:
        A score from 0 to 1.

    Raises:
        ValueError: see check_arrays.

    >>> map_at_k(np.array([2, 1]), np.array([[0.5, 0.2, 0.3], [0.5, 0.2, 0.3]]), k=2)
    0.25
    """
    check_arrays("map_at_k", targets, values)
    hits = top_hits(targets, values, k)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    relevant = label_matrix(targets, values.shape[1]).sum(axis=1)
    return float(((precision * hits).sum(axis=1) / relevant.clip(1, k)).mean())


def check_k(k: int) -> int:
    """The number of guesses as a whole number.

    Raises:
        ValueError: below 1, or not whole.

    >>> check_k(5)
    5
    """
    if int(k) != k or k < 1:
        raise ValueError(f"metric.k: {k} given, expected a whole number of guesses, at least 1.")
    return int(k)


class TopKAccuracy(Metric):
    """Share of images with the true class among k guesses; see top_k_accuracy.

    >>> TopKAccuracy(k=3).name
    'top_3_accuracy'
    """

    kind = "ranking"
    tasks = (Task.MULTICLASS,)

    def __init__(self, k: int = 5) -> None:
        self.k = check_k(k)
        self.name = f"top_{self.k}_accuracy"

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return top_k_accuracy(targets, values, self.k)


class MAPAtK(Metric):
    """Mean average precision at k; see map_at_k.

    >>> MAPAtK(k=5).name
    'map_at_5'
    """

    kind = "ranking"
    tasks = (Task.MULTICLASS, Task.MULTILABEL)

    def __init__(self, k: int = 5) -> None:
        self.k = check_k(k)
        self.name = f"map_at_{self.k}"

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return map_at_k(targets, values, self.k)
