"""Metrics of the most probable class: accuracy, balanced accuracy, Matthews correlation."""

import numpy as np
from sklearn.metrics import accuracy_score, recall_score

from compkit.metrics.arrays import check_arrays
from compkit.metrics.metric import Metric
from compkit.types import Task


def accuracy(targets: np.ndarray, values: np.ndarray) -> float:
    """Share of rows whose most probable class is the true one.

    Args:
        targets: class indices, int64 [N].
        values: probabilities, float [N, C]; of equal ones the first class counts.

    Returns:
        A share from 0 to 1.

    Raises:
        ValueError: see check_arrays.

    >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    check_arrays("accuracy", targets, values)
    return float(accuracy_score(targets, values.argmax(axis=1)))


def recall_per_class(targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of each class's rows that were recognised, [C]; NaN for a class without rows.

    Targets are class indices, int64 [N]; values probabilities, float [N, C].

    >>> recall_per_class(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    array([0.5, nan])
    """
    check_arrays("recall", targets, values)
    classes = np.arange(values.shape[1])
    return recall_score(targets, values.argmax(axis=1), labels=classes, average=None, zero_division=np.nan)


def balanced_accuracy(targets: np.ndarray, values: np.ndarray) -> float:
    """Accuracy in which every class counts the same: the mean recall of the classes that occur.

    Targets are class indices, int64 [N]; values probabilities, float [N, C]. From 0 to 1.

    Raises:
        ValueError: see check_arrays.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1]] * 4))
    0.5
    """
    return float(np.nanmean(recall_per_class(targets, values)))


def mcc(targets: np.ndarray, values: np.ndarray) -> float:
    """Matthews correlation of predicted and true class: 1 perfect, 0 chance, 0 as well where it is 0/0.

    Targets are class indices, int64 [N]; values probabilities, float [N, C].

    Raises:
        ValueError: see check_arrays.

    Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, the K-category coefficient.

    >>> mcc(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    1.0
    """
    check_arrays("mcc", targets, values)
    rows, classes = values.shape
    predicted = values.argmax(axis=1)
    actual_counts = np.bincount(targets, minlength=classes)
    predicted_counts = np.bincount(predicted, minlength=classes)
    covariance = rows * np.count_nonzero(predicted == targets) - actual_counts @ predicted_counts
    variances = [float(rows**2 - counts @ counts) for counts in (actual_counts, predicted_counts)]
    return float(covariance / np.sqrt(np.prod(variances))) if all(variances) else 0.0


class Accuracy(Metric):
    """Share of images whose most probable class is the true one; see accuracy.

    >>> Accuracy()(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """

    name = "accuracy"
    kind = "labels"
    tasks = (Task.MULTICLASS,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return accuracy(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Accuracy within each class, which is its recall."""
        return recall_per_class(targets, values)


class BalancedAccuracy(Metric):
    """Mean recall of the classes; see balanced_accuracy.

    >>> BalancedAccuracy()(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1]] * 4))
    0.5
    """

    name = "balanced_accuracy"
    kind = "labels"
    tasks = (Task.MULTICLASS,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return balanced_accuracy(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return recall_per_class(targets, values)


class MCC(Metric):
    """Matthews correlation of predicted and true class; see mcc.

    >>> MCC().name
    'mcc'
    """

    name = "mcc"
    kind = "labels"
    tasks = (Task.MULTICLASS,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return mcc(targets, values)
