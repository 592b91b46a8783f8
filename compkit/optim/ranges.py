"""Numbers from the configuration, converted and checked where they are used."""

import math
from collections.abc import Callable


def require(key: str, value: object, holds: Callable[[float], bool], expected: str) -> float:
    """`value` as a float for which `holds` is true.

    Args:
        key: the setting as the user types it, for the message.
        value: what was given; the command line may have made it an int or a string.
        holds: the condition.
        expected: the condition in words, with a usual value.

    Raises:
        ValueError: value is no finite number, or the condition does not hold.

    >>> require("schedule.gamma", 1, lambda gamma: 0 <= gamma <= 1, "a factor from 0 to 1")
    1.0
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return number


def not_negative(key: str, value: object, usual: str) -> float:
    """`value` as a float >= 0; `usual` names a value that works."""
    return require(key, value, lambda number: number >= 0, f"a number >= 0, e.g. {key}={usual}")


def zero_to_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1]; `usual` names a value that works."""
    return require(key, value, lambda number: 0 <= number <= 1, f"a number from 0 to 1, e.g. {key}={usual}")


def below_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1): the share of the past that is kept; `usual` names one that works."""
    return require(key, value, lambda number: 0 <= number < 1, f"a number >= 0 and < 1, e.g. {key}={usual}")


def positive(key: str, value: object, usual: str) -> float:
    """`value` as a float > 0; `usual` names a value that works."""
    return require(key, value, lambda number: number > 0, f"a number > 0, e.g. {key}={usual}")


def share_of_past(key: str, value: object, usual: str) -> float:
    """`value` as a float in (0, 1): a momentum that is switched on; `usual` names one that works."""
    return require(key, value, lambda number: 0 < number < 1, f"a number > 0 and < 1, e.g. {key}={usual}")


def whole(key: str, value: object, least: int, usual: str) -> int:
    """`value` as an int >= `least`, which a fraction is not; `usual` names one that works."""

    def holds(number: float) -> bool:
        return number >= least and number == int(number)

    return int(require(key, value, holds, f"a whole number >= {least}, e.g. {key}={usual}"))
