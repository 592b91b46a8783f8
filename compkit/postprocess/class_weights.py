"""Exactly one class an image: probabilities weighted by class before the likeliest one is taken."""

from collections.abc import Callable

import numpy as np

from compkit.metrics import Metric
from compkit.postprocess.confusion import scorer
from compkit.postprocess.postprocess import Learned, Postprocess, refuse
from compkit.types import Task

STEPS = (1.0, 0.5, 0.2, 0.1, 0.05)  # of the logarithm of a weight
ROUNDS = 10  # over the classes with one step size, at most


def weigh(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities [N, C] times the weights of their classes [C], each row divided by its sum; float32 [N, C].

    The likeliest class is that of the products before they were rounded.

    >>> weigh(np.array([[0.8, 0.2]]), np.array([1.0, 6.0])).round(2)
    array([[0.4, 0.6]], dtype=float32)
    """
    products = values.astype(np.float64).clip(min=0) * weights
    total = products.sum(axis=1, keepdims=True)
    shares = (products / np.where(total > 0, total, 1)).astype(np.float32)
    rows, winners = np.arange(len(shares)), products.argmax(axis=1)
    tied = rows[shares.argmax(axis=1) != winners]  # rounding made them equal to a class further left
    shares[tied, winners[tied]] = np.nextafter(shares[tied].max(axis=1), np.float32(2))
    return shares


def climb(
    score: Callable[[np.ndarray], float], values: np.ndarray, weights: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Weights from which no step of one class up or down raises the score, with steps that get smaller.

    Args:
        score: of the called classes, int64 [N]; greater is better, NaN is never better.
        values: probabilities, float64 [N, C].
        weights: to start from, [C].
        free: classes whose weight may move.

    Returns:
        weights [C].

    >>> values, targets = np.array([[0.8, 0.2], [0.7, 0.3]]), np.array([0, 1])
    >>> weights = climb(lambda called: float((called == targets).mean()), values, np.ones(2), np.array([0, 1]))
    >>> (values * weights).argmax(axis=1)
    array([0, 1])
    """
    logs, weighted = np.log(weights), values * weights
    rows, best = np.arange(len(values)), score(weighted.argmax(axis=1))
    for step in STEPS:
        for _ in range(ROUNDS):
            before = best
            for place in free:
                weighted[:, place] = -1  # whom each row would be called without this class
                rival = weighted.argmax(axis=1)
                height = weighted[rows, rival]
                for log in (logs[place] + step, logs[place] - step):
                    own = values[:, place] * np.exp(log)
                    wins = (own > height) | ((own == height) & (place < rival))
                    if (found := score(np.where(wins, place, rival))) > best:
                        logs[place], best = log, found
                weighted[:, place] = values[:, place] * np.exp(logs[place])
            if best == before:
                break
    return np.exp(logs)


def tune_weights(metric: Metric, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weights of the classes [C], their geometric mean 1, that make the metric best.

    A search from the best of no weights, one over the root of each class's frequency, and one over the frequency
    (right for balanced accuracy where the probabilities are right): each weight up and down in steps that get smaller,
    but for those of classes without rows.

    Args:
        metric: of the likeliest class.
        targets: int64 [N].
        values: probabilities, [N, C].
    """
    counts = np.bincount(targets, minlength=values.shape[1])
    free = np.flatnonzero(counts)
    if len(free) < 2:
        return np.ones(values.shape[1])
    values = values.astype(np.float64).clip(min=0)
    score = scorer(metric, targets, values.shape[1])
    rarity = np.ones(values.shape[1])
    rarity[free] = counts[free].mean() / counts[free]
    starts = [rarity**share for share in (0.0, 0.5, 1.0)]
    start = starts[int(np.nanargmax([score((values * one).argmax(axis=1)) for one in starts]))]
    weights = climb(score, values, start, free)
    return weights / np.exp(np.log(weights).mean())


class ClassWeights(Postprocess):
    """A weight for each class's probability, tuned for a metric of the likeliest class.

    >>> ClassWeights().apply(np.array([[0.8, 0.2]]), {"weights": [1.0, 6.0]}).argmax()
    np.int64(1)
    """

    name = "class_weights"

    def check(self, task: Task, metric: Metric) -> None:
        if task != Task.MULTICLASS:
            refuse(self.name, "weighs classes that exclude each other", task, metric)
        if metric.kind != "labels":
            refuse(
                self.name,
                "changes which class is the likeliest, all that this metric does not ask",
                task,
                metric,
            )

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        return {"weights": tune_weights(metric, targets, values).tolist()}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return weigh(values, np.array(learned["weights"]))

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        return dict(zip(classes, learned["weights"], strict=True))

    def needs_positives(self, task: Task) -> bool:
        return True
