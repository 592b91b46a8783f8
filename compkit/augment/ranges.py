"""Ranges of an augmentation's node, converted and checked."""

from collections.abc import Sequence
from typing import Any

from compkit.data.ranges import number


def interval(key: str, value: Sequence[Any], low: float, high: float) -> tuple[float, float]:
    """`value` as two floats in rising order, both in [low, high].

    Raises:
        ValueError: they are not two, not in order, or outside.

    >>> interval("augment.crop.scale", [0.5, 1], 0, 1)
    (0.5, 1.0)
    """
    expected = f"[smallest, largest], both from {low:g} to {high:g}"
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    first, last = (number(key, one, lambda given: low <= given <= high, expected) for one in value)
    if first > last:
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return first, last
