"""What a proof is: a check so cheap that every run begins with it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from compkit.doctor.proofs.bench import Bench
from compkit.findings import Finding, Status

LISTED = 5  # names that a message tells; the evidence has more
KEPT = 50


class Proof(NamedTuple):
    """One fact about a run that has not begun."""

    name: str  # its findings are called proofs.<name>
    meaning: str  # one line, true of a run that passes
    run: Callable[[Bench], list[Finding]]  # what is wrong, or a SKIP; nothing when all is well


def failed(
    name: str, message: str, remedy: str, value: float | None = None, expected: str = "", **evidence: Any
) -> Finding:
    """A finding that is proven."""
    return Finding(f"proofs.{name}", Status.FAIL, message, value, expected, remedy, evidence)


def doubted(
    name: str, message: str, remedy: str, value: float | None = None, expected: str = "", **evidence: Any
) -> Finding:
    """A finding that is likely, or may be meant."""
    return Finding(f"proofs.{name}", Status.WARN, message, value, expected, remedy, evidence)


def noted(name: str, message: str, value: float | None = None, **evidence: Any) -> Finding:
    """Worth knowing."""
    return Finding(f"proofs.{name}", Status.INFO, message, value, evidence=evidence)


def left_out(name: str, reason: str) -> Finding:
    """A proof that does not apply."""
    return Finding(f"proofs.{name}", Status.SKIP, reason)


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are.

    >>> listed(["a", "b"]), listed(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")
