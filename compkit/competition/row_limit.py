"""Few rows for a quick trial, the same every time."""

import numpy as np
import pandas as pd


def limit_rows(targets: np.ndarray | None, count: int, limit: int, seed: int = 0) -> np.ndarray:
    """Choose rows for a quick trial: random, the same every time, every class still there.

    Args:
        targets: class indices int64 [N] keep their proportions and, if limit allows, one row each;
            anything else is drawn plainly.
        count: number of rows, N.
        limit: number of rows wanted, at least 1.
        seed: of the draw.

    Returns:
        Sorted positions, int64 [min(N, limit)].

    Raises:
        ValueError: limit is no whole number, or below 1.

    >>> limit_rows(np.array([0, 0, 0, 1]), count=4, limit=2).tolist()[-1]
    3
    """
    require_limit(limit)
    shuffled = np.random.default_rng(seed).permutation(count)
    if targets is None or targets.ndim > 1:
        return np.sort(shuffled[:limit])
    classes = pd.Series(targets[shuffled])
    rows_before = classes.groupby(classes).cumcount()  # of the same class: 0 for the first of each
    share = (rows_before / classes.groupby(classes).transform("size")).to_numpy()
    return np.sort(shuffled[np.argsort(share, kind="stable")[:limit]])


def require_limit(limit: int) -> None:
    """Refuse a number of rows that is none.

    Raises:
        ValueError: no whole number, or below 1.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(
            f"limit={limit}: expected a whole number of rows, at least 1. Set limit=null for all rows."
        )
