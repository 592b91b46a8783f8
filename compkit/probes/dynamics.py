"""A few rows whose predictions are followed from epoch to epoch."""

import numpy as np

from compkit.types import Task

ROWS = 16


def followed_rows(rows: np.ndarray, count: int = ROWS) -> np.ndarray:
    """So many rows, evenly spread over those given; all where there are fewer.

    >>> followed_rows(np.arange(100, 200), 3).tolist(), followed_rows(np.arange(2)).tolist()
    ([100, 150, 199], [0, 1])
    """
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def merit(values: np.ndarray, targets: np.ndarray, task: Task) -> np.ndarray:
    """One number for each prediction: the probability of the true class, or of the true labels on average; for
    regression the first value itself.

    Args:
        values: predictions, [n, C].
        targets: int64 [n], or float32 [n, C].
        task: of the competition.

    Returns:
        float32 [n].

    >>> merit(np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]]), Task.MULTILABEL).round(2)
    array([0.85])
    """
    if task == Task.MULTICLASS:
        return values[np.arange(len(values)), targets]
    if task == Task.MULTILABEL:
        return np.where(targets > 0.5, values, 1 - values).mean(axis=1)
    return values[:, 0]


def change(before: np.ndarray, after: np.ndarray, task: Task) -> float:
    """How far predictions [n, C] moved: of probability the share that moved to other classes, else the mean step.

    >>> change(np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]]), Task.MULTICLASS)
    0.3
    """
    moved = np.abs(after - before)
    return round(float(moved.sum(axis=1).mean() / 2 if task == Task.MULTICLASS else moved.mean()), 7)
