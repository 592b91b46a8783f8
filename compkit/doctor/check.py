"""What a check is: a name, what it means, and a function of a trial."""

from collections.abc import Callable
from typing import NamedTuple

from compkit.findings import Finding
from compkit.run.trial import Trial


class Check(NamedTuple):
    """One check of a run that has not begun.

    A check works on learners of its own (`Trial.stepper()` makes one, equal to the run's), writes nothing, and leaves
    every generator as it found it, so that the run after it has the same weights to the bit.
    """

    name: str  # its findings carry it; doctor.only and doctor.skip take it
    meaning: str  # one line
    run: Callable[[Trial], list[Finding]]
    blocks: bool = False  # where it FAILs, what comes after would only repeat it
