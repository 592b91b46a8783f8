"""Numbers from the configuration, converted and checked where a loss is made."""

import math
from collections.abc import Callable


def require(key: str, value: object, holds: Callable[[float], bool], expected: str) -> float:
    """`value` as a float for which `holds` is true.

    Args:
        key: the setting as the user types it, for the message.
        value: what was given; the command line may have made it an int or a string.
        holds: the condition.
        expected: the condition in words.

    Raises:
        ValueError: value is no finite number, or the condition does not hold.

    >>> require("loss.smoothing", 0, lambda smoothing: 0 <= smoothing < 1, "a number in [0, 1)")
    0.0
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{key}: {value!r} given, expected {expected}.")
    return number


def above_zero(key: str, value: object, usual: str) -> float:
    """`value` as a float > 0; `usual` tells a value that works."""
    return require(key, value, lambda number: number > 0, f"a number above 0, {usual}")


def not_negative(key: str, value: object, usual: str) -> float:
    """`value` as a float >= 0; `usual` tells a value that works."""
    return require(key, value, lambda number: number >= 0, f"a number >= 0, {usual}")


def check_smoothing(smoothing: object) -> float:
    """The label smoothing as a float in [0, 1)."""
    return require(
        "loss.smoothing", smoothing, lambda number: 0 <= number < 1, "a number in [0, 1), usually 0.1"
    )
