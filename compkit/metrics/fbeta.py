"""F-beta: precision and recall in one number, averaged as the competition says."""

import numpy as np

from compkit.metrics.arrays import check_arrays, label_matrix
from compkit.metrics.metric import Metric
from compkit.types import Task

AVERAGES = ("macro", "micro", "weighted", "samples")


def f_scores(actual: np.ndarray, predicted: np.ndarray, beta: float, axis: int | None) -> np.ndarray:
    """F-beta from counts along an axis: 0 gives one per class, 1 one per row, None one of everything.

    (1 + beta^2) TP / (beta^2 (TP + FN) + (TP + FP)), and 0 where nothing is true or predicted.

    Args:
        actual: labels that are true, bool [N, C].
        predicted: labels that were predicted, bool [N, C].
        beta: weight of recall against precision, > 0.
        axis: the axis counted along.

    >>> f_scores(np.array([[True, False]]), np.array([[True, True]]), beta=1.0, axis=0)
    array([1., 0.])
    """
    hits = (1 + beta**2) * (actual & predicted).sum(axis=axis)
    total = beta**2 * actual.sum(axis=axis) + predicted.sum(axis=axis)
    return hits / np.where(total == 0, 1, total)


def predicted_labels(targets: np.ndarray, values: np.ndarray, threshold: float) -> np.ndarray:
    """Labels called true, bool [N, C]: the most probable one for targets [N], else those above threshold.

    >>> predicted_labels(np.array([[1.0, 0.0]]), np.array([[0.7, 0.6]]), threshold=0.65)
    array([[ True, False]])
    """
    if targets.ndim == 1:
        return label_matrix(values.argmax(axis=1), values.shape[1])
    return values > threshold


def fbeta(
    targets: np.ndarray, values: np.ndarray, beta: float = 1.0, average: str = "macro", threshold: float = 0.5
) -> float:
    """Harmonic mean of precision and recall, recall counting beta times as much.

    Args:
        targets: class indices, int64 [N], or 0/1 labels, float [N, C].
        values: probabilities, float [N, C].
        beta: 1 is F1, 2 favours recall, 0.5 precision.
        average: macro (mean over classes), micro (all decisions counted together), weighted (classes by
            their rows) or samples (mean over rows).
        threshold: multilabel only: a label is predicted where its probability is above it.

    Returns:
        A score from 0 to 1. A class (or row) without any true or predicted label has 0 and counts, as
        with scikit-learn's zero_division=0.

    Raises:
        ValueError: see check_arrays.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7.

    >>> fbeta(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    1.0
    >>> round(fbeta(np.array([[1.0, 0.0]]), np.array([[0.9, 0.9]]), average="samples"), 4)
    0.6667
    """
    check_arrays("fbeta", targets, values)
    assert average in AVERAGES, average
    actual = label_matrix(targets, values.shape[1])
    predicted = predicted_labels(targets, values, threshold)
    if average == "weighted":
        rows = actual.sum(axis=0)
        return float(f_scores(actual, predicted, beta, axis=0) @ rows / max(rows.sum(), 1))
    axis = {"macro": 0, "samples": 1, "micro": None}[average]
    return float(f_scores(actual, predicted, beta, axis).mean())


class FBeta(Metric):
    """F-beta with its kind of average; see fbeta.

    >>> FBeta(beta=2, average="samples").name
    'f2_samples'
    """

    kind = "labels"
    tasks = (Task.MULTICLASS, Task.MULTILABEL)

    def __init__(self, beta: float = 1.0, average: str = "macro", threshold: float = 0.5) -> None:
        self.beta = float(beta)
        self.average = average
        self.threshold = float(threshold)
        if not self.beta > 0:
            raise ValueError(f"metric.beta: {beta} given, expected a number above 0; 1 is F1.")
        if average not in AVERAGES:
            raise ValueError(f"metric.average: {average!r} given, expected one of {', '.join(AVERAGES)}.")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"metric.threshold: {threshold} given, expected a probability, usually 0.5.")
        self.name = f"f{self.beta:g}_{average}"

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return fbeta(targets, values, self.beta, self.average, self.threshold)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        check_arrays(self.name, targets, values)
        actual = label_matrix(targets, values.shape[1])
        return f_scores(actual, predicted_labels(targets, values, self.threshold), self.beta, axis=0)
