"""Several labels an image: how many a row has, or how many rows a label has, decided by their order alone."""

import numpy as np

from compkit.metrics import Metric
from compkit.postprocess.halfway import between, move_to_half
from compkit.postprocess.postprocess import Learned, Postprocess, better, check_labels
from compkit.ranges import whole
from compkit.types import Task


def top_k_labels(values: np.ndarray, k: int) -> np.ndarray:
    """Probabilities [N, C] moved so that just the k likeliest labels of each row lie above 0.5.

    Of equally likely labels the first count first.

    >>> (top_k_labels(np.array([[0.3, 0.1, 0.3, 0.3]]), k=2) > 0.5).tolist()
    [[True, False, True, False]]
    """
    values = values.astype(np.float64).clip(0, 1)
    if k >= values.shape[1]:
        return move_to_half(values, 0.0, np.ones(values.shape, dtype=bool))
    order = np.argsort(-values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    chosen = np.empty(values.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(values.shape[1])[None] < k, axis=1)
    return move_to_half(values, between(ordered[:, [k]], ordered[:, [k - 1]]), chosen)


def thresholds_of_shares(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Thresholds [C] above which each column of values [N, C] has the share [C] of its rows.

    To the nearest row; where predictions are equal, they are called alike, and the nearest possible share is taken.

    >>> thresholds_of_shares(np.array([[0.1], [0.2], [0.4], [0.3]]), np.array([0.5]))
    array([0.25])
    """
    values = values.astype(np.float64).clip(0, 1)
    rows, columns = values.shape
    ordered = -np.sort(-values, axis=0)
    upper = np.concatenate([np.ones((1, columns)), ordered])
    lower = np.concatenate([ordered, np.zeros((1, columns))])
    counts = np.arange(rows + 1)[:, None]
    miss = np.abs(counts - shares * rows)
    miss[(upper <= lower) & (counts > 0)] = np.inf  # inside a tie, or a probability of 0
    best = miss.argmin(axis=0), np.arange(columns)
    return np.where(best[0] == 0, np.maximum(lower[best], 0.5), between(lower[best], upper[best]))


class TopK(Postprocess):
    """The k likeliest labels of each row, k given or tuned.

    Args:
        k: labels a row; None takes the best of 1 … max_k.
        max_k: the largest k tried.

    Raises:
        ValueError: k or max_k no whole number from 1 on.

    >>> TopK(k=1).apply(np.array([[0.3, 0.1]]), {"k": 1}).round(2)
    array([[0.56, 0.25]], dtype=float32)
    """

    name = "top_k"

    def __init__(self, k: int | None = None, max_k: int = 10) -> None:
        self.k = None if k is None else whole("postprocess.k", k, least=1, usual="3")
        self.max_k = whole("postprocess.max_k", max_k, least=1, usual="10")

    def check(self, task: Task, metric: Metric) -> None:
        check_labels(self.name, task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        if self.k is not None:
            return {"k": self.k}
        best, best_score = 1, metric(targets, top_k_labels(values, 1))
        for k in range(2, min(self.max_k, values.shape[1]) + 1):
            score = metric(targets, top_k_labels(values, k))
            if better(score, best_score, metric):
                best, best_score = k, score
        return {"k": best}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return top_k_labels(values, learned["k"])

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        return {"labels of each row": learned["k"]}


class Prevalence(Postprocess):
    """As many rows with each label as the training rows had: the likeliest ones of the set that is predicted.

    >>> Prevalence().apply(np.array([[0.1], [0.2], [0.4], [0.3]]), {"shares": [0.25]}).round(2).ravel()
    array([0.14, 0.29, 0.54, 0.43], dtype=float32)
    """

    name = "prevalence"

    def check(self, task: Task, metric: Metric) -> None:
        check_labels(self.name, task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        return {"shares": targets.mean(axis=0).tolist()}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return move_to_half(values, thresholds_of_shares(values, np.array(learned["shares"])))

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        return dict(zip(classes, learned["shares"], strict=True))
