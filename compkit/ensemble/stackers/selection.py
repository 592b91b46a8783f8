"""Settings of a level-2 model, chosen inside its own training rows."""

from collections.abc import Callable, Sequence

import numpy as np

from compkit.metrics import log_loss
from compkit.types import Task

MAX_ROWS = 20_000  # a penalty is chosen on so many rows at most: the choice does not get finer with more


def held_out_losses(
    settings: Sequence[float],
    fit_predict: Callable[[float, np.ndarray, np.ndarray], np.ndarray],
    targets: np.ndarray,
    parts: np.ndarray,
    task: Task,
) -> np.ndarray:
    """The mean loss of each setting on rows that were not fitted on, [S].

    Args:
        settings: S values to try.
        fit_predict: (setting, positions to fit on, positions to predict) -> predictions [P, C].
        targets: int64 [N], or float [N, C].
        parts: int64 [N]; each is held out once.
        task: decides the loss, see `task_loss`.
    """
    losses = np.zeros(len(settings))
    for part in np.unique(parts):
        fitted, held_out = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
        for place, setting in enumerate(settings):
            predicted = fit_predict(setting, fitted, held_out)
            losses[place] += len(held_out) * task_loss(targets[held_out], predicted, task)
    return losses / len(parts)


def some_rows(count: int, seed: int) -> np.ndarray:
    """Positions of at most MAX_ROWS of `count` rows, in rising order.

    >>> some_rows(3, seed=0).tolist()
    [0, 1, 2]
    """
    return np.sort(np.random.default_rng(seed).permutation(count)[:MAX_ROWS])


def task_loss(targets: np.ndarray, predicted: np.ndarray, task: Task) -> float:
    """Log loss of classes and labels in nats, squared error of values.

    >>> task_loss(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), Task.REGRESSION)
    0.5
    """
    if task == Task.REGRESSION:
        return float(((targets - predicted) ** 2).mean())
    return log_loss(targets, predicted)
