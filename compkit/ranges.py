"""Values from the configuration, converted and checked where they are used."""

import math
from collections.abc import Callable, Sequence


def require(key: str, value: object, holds: Callable[[float], bool], expected: str) -> float:
    """`value` as a finite float for which `holds` is true.

    Args:
        key: the setting as the user types it, for the message.
        value: what was given; the command line may have made it an int or a string.
        holds: the condition.
        expected: the condition in words, with a usual value.

    Raises:
        ValueError: value is no finite number, or the condition does not hold.

    >>> require("schedule.cycle_mult", 2, lambda mult: mult >= 1, "a number >= 1, e.g. schedule.cycle_mult=2")
    2.0
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return number


def not_negative(key: str, value: object, usual: str) -> float:
    """`value` as a float >= 0; `usual` names a value that works."""
    return require(key, value, lambda number: number >= 0, f"a number >= 0, e.g. {key}={usual}")


def positive(key: str, value: object, usual: str) -> float:
    """`value` as a float > 0; `usual` names a value that works."""
    return require(key, value, lambda number: number > 0, f"a number > 0, e.g. {key}={usual}")


def zero_to_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1]; `usual` names a value that works."""
    return require(key, value, lambda number: 0 <= number <= 1, f"a number >= 0 and <= 1, e.g. {key}={usual}")


def below_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1); `usual` names a value that works."""
    return require(key, value, lambda number: 0 <= number < 1, f"a number >= 0 and < 1, e.g. {key}={usual}")


def above_zero_to_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in (0, 1]; `usual` names a value that works."""
    return require(key, value, lambda number: 0 < number <= 1, f"a number > 0 and <= 1, e.g. {key}={usual}")


def inside_zero_to_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in (0, 1); `usual` names a value that works."""
    return require(key, value, lambda number: 0 < number < 1, f"a number > 0 and < 1, e.g. {key}={usual}")


def whole(key: str, value: object, least: int, usual: str) -> int:
    """`value` as an int >= `least`, which a fraction is not; `usual` names a value that works.

    >>> whole("mixing.off_epochs", 2.0, least=0, usual="5")
    2
    """
    expected = f"a whole number >= {least}, e.g. {key}={usual}"
    return int(require(key, value, lambda number: number >= least and number % 1 == 0, expected))


def one_of(key: str, value: str, choices: Sequence[str]) -> str:
    """`value`, which is one of `choices`.

    Raises:
        ValueError: it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{key}: got {value!r}; expected one of {', '.join(choices)}.")
    return value


def interval(key: str, value: object, low: float, high: float) -> tuple[float, float]:
    """`value` as two floats in rising order, both in [low, high].

    Raises:
        ValueError: they are not two, not in order, or outside.

    >>> interval("augment.crop.scale", [0.5, 1], 0, 1)
    (0.5, 1.0)
    """
    expected = f"[smallest, largest], both from {low:g} to {high:g}"
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    first, last = (require(key, one, lambda number: low <= number <= high, expected) for one in value)
    if first > last:
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return first, last
