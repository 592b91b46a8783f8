"""What all metrics ask of their arrays, and the views of them that several need."""

from collections.abc import Callable

import numpy as np


def check_arrays(where: str, targets: np.ndarray, values: np.ndarray) -> None:
    """Refuse arrays that would give a number without meaning.

    Args:
        where: the metric's name, for the message.
        targets: class indices, int [N], or float [N, C].
        values: float [N, C].

    Raises:
        ValueError: no rows, shapes that do not belong together, NaN or infinity, or a class index
            outside 0..C-1.
    """
    if values.ndim != 2 or targets.shape not in (values.shape, values.shape[:1]) or values.size == 0:
        raise ValueError(
            f"{where}: targets {list(targets.shape)} and values {list(values.shape)} do not fit; expected "
            "targets [N] (class indices) or [N, C], and values [N, C], with at least one row and column."
        )
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{where}: predictions are NaN or infinite in {broken.sum()} of {len(values)} rows, the first is "
            f"row {broken.argmax()}. The model has diverged: lower lr, or set trainer.precision=fp32."
        )
    indices = range(values.shape[1])
    if targets.ndim == 1 and not (targets.dtype.kind in "iu" and np.isin(targets, indices).all()):
        raise ValueError(
            f"{where}: class indices are {targets.dtype} from {targets.min()} to {targets.max()}; expected "
            f"integers from 0 to {indices[-1]}. Leave rows without a label (-1) out."
        )
    if not np.isfinite(targets).all():
        raise ValueError(f"{where}: targets hold NaN or infinity. Leave rows without a label out.")


def label_matrix(targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Which labels each row has, bool [N, C], from class indices [N] or 0/1 columns [N, C].

    >>> label_matrix(np.array([1]), 3)
    array([[False,  True, False]])
    """
    if targets.ndim == 1:
        return targets[:, None] == np.arange(num_classes)
    return targets > 0.5


def per_column(
    score: Callable[[np.ndarray, np.ndarray], float], targets: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """The score of each column alone, [C]; targets and values are [N, C].

    >>> per_column(lambda targets, values: float(abs(targets - values).mean()), np.eye(2), np.ones((2, 2)))
    array([0.5, 0.5])
    """
    columns = range(values.shape[1])
    return np.array([score(targets[:, [column]], values[:, [column]]) for column in columns])
