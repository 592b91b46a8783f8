"""The loss of the best answer that looks at no picture: what a network has to get below to have learnt anything."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from compkit.types import Task


class Labels(NamedTuple):
    """What is known of the labels of some rows.

    Attributes:
        task: what they are.
        shares: of each class, or of rows with each label, float64 [C]; None for regression.
        numbers: targets of regression, float64 [N, C]; None else.
        rows: how many rows there are.
    """

    task: Task
    shares: np.ndarray | None
    numbers: np.ndarray | None
    rows: int


def labels_of(task: Task, targets: np.ndarray, num_classes: int) -> Labels:
    """Labels from their targets: int64 [N] for multiclass, else float [N, C].

    >>> labels_of(Task.MULTICLASS, np.array([0, 0, 1, 2]), 3).shares
    array([0.5 , 0.25, 0.25])
    """
    if task == Task.REGRESSION:
        return Labels(task, None, targets, len(targets))
    if targets.ndim == 1:
        return Labels(task, np.bincount(targets, minlength=num_classes) / len(targets), None, len(targets))
    return Labels(task, targets.mean(axis=0), None, len(targets))


def cross_entropy_prior(shares: np.ndarray, weight: np.ndarray, smoothing: float) -> float:
    """Weighted cross-entropy of the best answer to all; without weights and smoothing the entropy of the shares.

    Args:
        shares: of each class, [C].
        weight: of each class, [C].
        smoothing: share of each label spread over all classes.

    >>> round(cross_entropy_prior(np.array([0.5, 0.5]), np.ones(2), smoothing=0.1), 4)
    0.6931
    """
    soft = weight * ((1 - smoothing) * shares + smoothing / len(shares))
    answer = soft / soft.sum()
    return float(-(soft * np.log(np.where(soft > 0, answer, 1))).sum() / (weight * shares).sum())


def binary_prior(
    shares: np.ndarray, weight: np.ndarray, positive: np.ndarray | float, smoothing: float
) -> float:
    """Mean over labels of the weighted binary cross-entropy of the best answer to all.

    Args:
        shares: of rows with each label, [C].
        weight: of each label in the mean, [C].
        positive: factor on present labels, [C] or one number.
        smoothing: labels are pulled towards 0.5 by half of it.

    >>> round(binary_prior(np.array([0.5]), np.ones(1), positive=1.0, smoothing=0.0), 4)
    0.6931
    """
    present = positive * (shares * (1 - smoothing) + smoothing / 2)
    absent = 1 - (shares * (1 - smoothing) + smoothing / 2)
    answer = present / (present + absent)
    inside = (answer > 0) & (answer < 1)
    logs = np.log(np.where(inside, answer, 1)), np.log(np.where(inside, 1 - answer, 1))
    values = -(present * logs[0] + absent * logs[1])
    return float((values * weight).sum() / weight.sum())


def error_prior(numbers: np.ndarray, weight: np.ndarray, name: str, delta: float = 1.0) -> float:
    """Mean over columns of the squared, absolute or Huber error of the best answer to all.

    >>> error_prior(np.array([[1.0], [3.0]]), np.ones(1), "MSE")
    1.0
    """
    if name == "MSE":
        values = numbers.var(axis=0)
    elif name == "MAE":
        values = np.abs(numbers - np.median(numbers, axis=0)).mean(axis=0)
    else:
        values = np.array([_best_huber(column, delta) for column in numbers.T])
    return float((values * weight).sum() / weight.sum())


def _best_huber(column: np.ndarray, delta: float) -> float:
    def mean(answer: float) -> float:
        size = np.abs(column - answer)
        return float(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2)).mean())

    if column.min() == column.max():
        return 0.0
    return float(minimize_scalar(mean, bounds=(column.min(), column.max()), method="bounded").fun)
