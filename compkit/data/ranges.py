"""Numbers from the configuration, converted and checked where they are used."""

import math
from collections.abc import Callable


def number(key: str, value: object, holds: Callable[[float], bool], expected: str) -> float:
    """`value` as a finite float for which `holds` is true.

    Args:
        key: the setting as the user types it, for the message.
        value: what was given; the command line may have made it an int or a string.
        holds: the condition.
        expected: the condition in words, with a usual value.

    Raises:
        ValueError: value is no finite number, or the condition does not hold.

    >>> number("mixing.probability", 1, lambda share: 0 <= share <= 1, "a number from 0 to 1")
    1.0
    """
    try:
        given = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        given = math.nan
    if not (math.isfinite(given) and holds(given)):
        raise ValueError(f"{key}: got {value!r}; expected {expected}.")
    return given


def share(key: str, value: object, usual: str) -> float:
    """`value` as a float in [0, 1]; `usual` names a value that works."""
    return number(key, value, lambda given: 0 <= given <= 1, f"a number from 0 to 1, e.g. {key}={usual}")


def whole(key: str, value: object, at_least: int, usual: str) -> int:
    """`value` as an int, at least `at_least`; `usual` names a value that works.

    >>> whole("mixing.off_epochs", 2.0, at_least=0, usual="5")
    2
    """
    expected = f"a whole number, at least {at_least}, e.g. {key}={usual}"
    return int(number(key, value, lambda given: given % 1 == 0 and given >= at_least, expected))
