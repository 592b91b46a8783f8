"""Metrics of the likeliest class from the counts of true and called classes: a search scores thousands of calls."""

from collections.abc import Callable

import numpy as np

from compkit.metrics import MCC, Accuracy, BalancedAccuracy, FBeta, Metric, QuadraticKappa


def scorer(metric: Metric, targets: np.ndarray, num_classes: int) -> Callable[[np.ndarray], float]:
    """A function from called classes, int64 [N], to the score, greater always better.

    Metrics of the library are had from counts, which is much faster; one of your own is asked.

    >>> scorer(Accuracy(), np.array([0, 1]), 2)(np.array([0, 0]))
    0.5
    """
    sign, of_counts = 1 if metric.greater_is_better else -1, COUNTED.get(type(metric))
    if of_counts is None:
        return lambda called: sign * metric(targets, np.eye(num_classes)[called])

    def counted(called: np.ndarray) -> float:
        pairs = np.bincount(targets * num_classes + called, minlength=num_classes**2)
        return float(of_counts(metric, pairs.reshape(num_classes, num_classes)))

    return counted


def _accuracy(metric: Metric, counts: np.ndarray) -> float:
    return np.trace(counts) / counts.sum()


def _balanced_accuracy(metric: Metric, counts: np.ndarray) -> float:
    of_class = counts.sum(axis=1)
    return (np.diag(counts)[of_class > 0] / of_class[of_class > 0]).mean()


def _fbeta(metric: FBeta, counts: np.ndarray) -> float:
    if metric.average in (
        "micro",
        "samples",
    ):  # with one true and one called class a row, each is the accuracy
        return _accuracy(metric, counts)
    of_class, called = counts.sum(axis=1), counts.sum(axis=0)
    total = metric.beta**2 * of_class + called
    scores = (1 + metric.beta**2) * np.diag(counts) / np.where(total == 0, 1, total)
    return scores.mean() if metric.average == "macro" else scores @ of_class / of_class.sum()


def _mcc(metric: Metric, counts: np.ndarray) -> float:
    rows, of_class, called = float(counts.sum()), counts.sum(axis=1), counts.sum(axis=0)
    spread = (rows**2 - of_class @ of_class) * (rows**2 - called @ called)
    return (rows * np.trace(counts) - of_class @ called) / np.sqrt(spread) if spread > 0 else 0.0


def _quadratic_kappa(metric: Metric, counts: np.ndarray) -> float:
    grades = np.arange(len(counts))
    costs = (grades[:, None] - grades) ** 2
    by_chance = (costs * np.outer(counts.sum(axis=1), counts.sum(axis=0))).sum() / counts.sum()
    return 1 - (costs * counts).sum() / by_chance if by_chance > 0 else np.nan


COUNTED: dict[type[Metric], Callable[..., float]] = {
    Accuracy: _accuracy,
    BalancedAccuracy: _balanced_accuracy,
    FBeta: _fbeta,
    MCC: _mcc,
    QuadraticKappa: _quadratic_kappa,
}
