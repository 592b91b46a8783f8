"""Hours that a command may take: it stops whole before somebody else stops it."""

import math
import time


class OutOfTime(Exception):
    """Training stopped because its time is over; everything is saved, and the next call goes on."""


class Deadline:
    """Says when the hours since it was made are over.

    Args:
        hours: more than 0; None is never.

    >>> Deadline(None).has_passed, Deadline(1e-12).has_passed
    (False, True)
    """

    def __init__(self, hours: float | None) -> None:
        self.is_set = hours is not None
        self.end = math.inf if hours is None else time.monotonic() + 3600 * float(hours)

    @property
    def has_passed(self) -> bool:
        """Whether the time is over, by this process's clock."""
        return time.monotonic() >= self.end
