"""What checks say: a status, the value that was seen, what was expected, and what to do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How bad a finding is, from nothing to proven: only a deterministic proof may FAIL, statistics WARN."""

    PASS = "pass"
    SKIP = "skip"  # the check does not apply, or there was no time; the message says which
    INFO = "info"  # worth knowing, nothing to do
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, in the user's language.

    Attributes:
        check: name of the check, which `doctor.skip=[…]` takes.
        status: see Status.
        message: what was seen, one sentence.
        value: the number that decided; None where none did.
        expected: what it was held against, in words: "below 1e-4".
        remedy: what to do, with the keys to set; empty for PASS, INFO and SKIP.
        evidence: further numbers or names for tables, plain JSON.
    """

    check: str
    status: Status
    message: str
    value: float | None = None
    expected: str = ""
    remedy: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.remedy or self.status not in (Status.WARN, Status.FAIL), "say what to do"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"status": str(self.status)}


def worst(findings: Sequence[Finding]) -> Status:
    """The worst status there is; PASS of none.

    >>> worst([Finding("a", Status.INFO, "seen"), Finding("b", Status.PASS, "fine")])
    <Status.INFO: 'info'>
    """
    order = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.PASS)
