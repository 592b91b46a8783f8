"""Numbers from the configuration, converted and checked where a part of the network is made."""

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

    >>> require("model.head.scale", 30, lambda scale: scale > 0, "a number > 0, e.g. model.head.scale=30")
    30.0
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return number


def positive(key: str, value: object, usual: str) -> float:
    """`value` as a float > 0; `usual` names a value that works."""
    return require(key, value, lambda number: number > 0, f"a number > 0, e.g. {key}={usual}")


def below_one(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1); `usual` names a value that works."""
    return require(key, value, lambda number: 0 <= number < 1, f"a number >= 0 and < 1, e.g. {key}={usual}")


def whole(key: str, value: object, smallest: int, usual: str) -> int:
    """`value` as an int >= `smallest`; `usual` names a value that works."""
    expected = f"a whole number >= {smallest}, e.g. {key}={usual}"
    return int(require(key, value, lambda number: number >= smallest and number == int(number), expected))


def one_of(key: str, value: str, choices: tuple[str, ...]) -> str:
    """`value`, which is one of `choices`.

    Raises:
        ValueError: it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{key}: got {value!r}; expected one of {', '.join(choices)}.")
    return value
