"""Probabilities moved so that what is to be called true lies above 0.5."""

import numpy as np

ABOVE_HALF = float(np.nextafter(np.float32(0.5), np.float32(1)))  # the least float32 that counts as true


def move_to_half(
    values: np.ndarray, thresholds: np.ndarray | float, chosen: np.ndarray | None = None
) -> np.ndarray:
    """Stretch probabilities so that each threshold comes to lie at 0.5.

    [0, t] is stretched to [0, 0.5] and (t, 1] to (0.5, 1], so the order of a column stays, but for float32 that
    rounding makes equal, and never across 0.5.

    Args:
        values: probabilities, [N, C]; a rounding error outside [0, 1] is cut off.
        thresholds: t in [0, 1], of any shape that fits [N, C]; a value equal to t is not above it.
        chosen: bool [N, C], what is to lie above 0.5; None takes what is above t.

    Returns:
        float32 [N, C] in [0, 1].

    >>> move_to_half(np.array([[0.1, 0.2, 0.6]]), 0.2).round(3).tolist()
    [[0.25, 0.5, 0.75]]
    """
    values = values.astype(np.float64).clip(0, 1)
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), values.shape)
    is_above = values > limits
    chosen = is_above if chosen is None else chosen
    low = 0.5 * values / np.where(limits > 0, limits, 1)
    high = 0.5 + 0.5 * (values - limits) / np.where(limits < 1, 1 - limits, 1)
    moved = np.where(is_above, high, low)
    return np.where(chosen, moved.clip(min=ABOVE_HALF), moved.clip(max=0.5)).astype(np.float32)


def between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A number t of each pair with low <= t < high, the middle where floats have one.

    >>> between(np.array([0.25]), np.array([0.75])).tolist()
    [0.5]
    """
    middle = low + (high - low) / 2
    return np.where(middle < high, middle, low)


def nearest_best(scores: np.ndarray, thresholds: np.ndarray, default: float = 0.5) -> int:
    """Position of the best score; of equally good ones that whose threshold is nearest the default.

    >>> nearest_best(np.array([0.9, 0.9, 0.1]), np.array([0.1, 0.4, 0.5]))
    1
    """
    best = scores.max()
    tied = np.flatnonzero(
        scores >= best - 1e-12 * max(1, abs(best))
    )  # sums in another order differ in the last digits
    return int(tied[np.abs(thresholds[tied] - default).argmin()])
