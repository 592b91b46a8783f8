"""Rows that a few pictures are taken from: of as many classes as there are."""

import numpy as np

from compkit.types import Task


def spread_rows(
    labels: np.ndarray, rows: np.ndarray, task: Task, count: int, start: int = 0, each: int = 1
) -> np.ndarray:
    """Rows of as many classes as there are, in turn; of numbers from the smallest to the largest.

    Args:
        labels: of the table, int64 [N], or float32 [N, C].
        rows: to choose from, int64 [M].
        task: what the labels are.
        count: how many; all where there are no more.
        start: other choices for other starts.
        each: rows of a class before the next class has its turn.

    >>> labels = np.array([0, 0, 0, 1, 1, 2])
    >>> spread_rows(labels, np.arange(6), Task.MULTICLASS, 4).tolist()
    [0, 3, 5, 1]
    >>> spread_rows(labels, np.arange(6), Task.MULTICLASS, 4, each=2).tolist()
    [0, 1, 3, 4]
    """
    own = labels[rows]
    if task == Task.MULTICLASS:
        by_class = np.argsort(own, kind="stable")
        starts = np.searchsorted(own[by_class], own[by_class])
        order = by_class[np.argsort((np.arange(len(own)) - starts) // each, kind="stable")]
        return rows[np.roll(order, -start * count)][:count]
    order = np.argsort(own.sum(axis=1), kind="stable")
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64)
    return rows[order[(places + start) % len(order)]]
