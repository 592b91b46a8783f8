"""Whatever is fitted on out-of-fold predictions is judged on rows that it was not fitted on."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from compkit.competition import make_folds
from compkit.types import Table, Task

INNER_PARTS = 5  # where the runs have a single validation part

Fitted = TypeVar("Fitted")


def crossfit_parts(
    fold: np.ndarray, targets: np.ndarray, groups: np.ndarray | None, seed: int = 0
) -> np.ndarray:
    """The part in which each row is held out from fitting: its fold, or one of 5 where there is one fold only.

    The 5 have equal shares of the classes (or of target ranges) as far as there are rows enough, and keep
    groups together.

    Args:
        fold: of each row, int64 [N].
        targets: int64 [N], or float [N, C].
        groups: rows of equal value stay together, [N], or None.
        seed: of the division where one is made.

    Returns:
        int64 [N].

    Raises:
        ValueError: one fold with fewer than two rows or groups.

    >>> crossfit_parts(np.array([0, 0, 2]), np.zeros(3, dtype=int), None).tolist()
    [0, 0, 2]
    >>> np.bincount(crossfit_parts(np.zeros(10, dtype=int), np.repeat([0, 1], 5), None)).tolist()
    [2, 2, 2, 2, 2]
    """
    if len(np.unique(fold)) > 1:
        return fold
    units = len(fold) if groups is None else len(np.unique(groups))
    if units < 2:
        raise ValueError(
            f"{len(fold)} out-of-fold row(s) in {units} group(s): too few to fit anything and to judge it on others. "
            "Set weights that need no fitting (method=mean), or train with more rows."
        )
    parts = min(INNER_PARTS, units)
    task = _task(targets)
    too_rare = task == Task.MULTICLASS and np.bincount(targets).max() < parts
    scheme = ("random" if groups is None else "group") if too_rare else "auto"
    table = Table(np.arange(len(fold)).astype(str), np.zeros((len(fold), 1), "S1"), targets)
    return make_folds(table, task, parts, scheme, seed, groups).fold


def cross_fit(
    fit: Callable[[np.ndarray], Fitted],
    apply: Callable[[Fitted, np.ndarray], np.ndarray],
    parts: np.ndarray,
) -> tuple[np.ndarray, dict[int, Fitted]]:
    """Fit on the rows outside each part and apply to those inside it.

    Args:
        fit: positions of rows -> what was learnt from them.
        apply: what was learnt, positions of n rows -> values [n, …].
        parts: of each row, int64 [N].

    Returns:
        the values of all rows, [N, …], and what was learnt without each part.

    >>> x = np.array([1.0, 3.0, 5.0, 7.0])
    >>> mean_of_others, fitted = cross_fit(lambda rows: x[rows].mean(), lambda mean, rows: np.full(len(rows), mean),
    ...                                    np.array([0, 0, 1, 1]))
    >>> mean_of_others.tolist()
    [6.0, 6.0, 2.0, 2.0]
    """
    fitted: dict[int, Fitted] = {}
    rows, values = [], []
    for part in np.unique(parts).tolist():
        inside = np.flatnonzero(parts == part)
        fitted[part] = fit(np.flatnonzero(parts != part))
        rows.append(inside)
        values.append(apply(fitted[part], inside))
    return np.concatenate(values)[np.argsort(np.concatenate(rows))], fitted


def _task(targets: np.ndarray) -> Task:
    if targets.ndim == 1:
        return Task.MULTICLASS
    return Task.MULTILABEL if np.isin(targets, (0, 1)).all() else Task.REGRESSION
