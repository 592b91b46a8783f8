"""Waiting for a submission's score, and its outcome in the ledger."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from compkit.engine import Console
from compkit.kaggle.client import KaggleError
from compkit.kaggle.ledger import LedgerRow, update
from compkit.kaggle.service import Service, Submitted

LONGEST_WAIT_SECONDS = 60.0
LISTED_WITHIN_SECONDS = 600.0  # a submission not listed by then was never taken


@dataclass(frozen=True)
class Wishes:
    """How the user wants it done; the keys of conf/submit.yaml by their names."""

    poll: bool = False
    again: bool = False
    per_day: int | None = None
    timeout_minutes: float = 30.0
    poll_seconds: float = 5.0


def tag_of(sha256: str) -> str:
    """The mark by which a file is known in the service's list: the beginning of its hash.

    >>> tag_of("0123456789abcdef")
    '[0123456789ab]'
    """
    return f"[{sha256[:12]}]"


def wait_for_score(
    service: Service, ledger: Path, row: LedgerRow, wishes: Wishes, console: Console
) -> LedgerRow:
    """Ask until the submission is scored, less and less often, and write the outcome into the ledger.

    Raises:
        KaggleError: the service could not score the file, or has not within timeout_minutes (the row stays pending).
    """
    started, wait = time.monotonic(), wishes.poll_seconds
    while True:
        listed = list_or_warn(service, console)
        found = next((one for one in listed or [] if _is_of(one, row)), None)
        waited = time.monotonic() - started
        if found is not None and not row.ref and found.ref:
            row = update(ledger, row, ref=str(found.ref))
        if found is not None and found.status != "pending":
            return _conclude(ledger, row, found, console)
        if listed is not None and found is None and _age_seconds(row) > LISTED_WITHIN_SECONDS:
            raise KaggleError(
                f"Kaggle: the submission of {row.time} (ref {row.ref or 'not known'}) is not among the newest "
                f"{len(listed)} that the service lists. Look at the competition's page; again=true uploads the file "
                "once more."
            )
        if waited + wait > wishes.timeout_minutes * 60:
            raise KaggleError(
                f"Kaggle: not scored within timeout_minutes={wishes.timeout_minutes:g}; the submission is in the "
                "ledger as pending. Wait on with: python scripts/submit.py run=… poll=true."
            )
        console.say(f"pending, {waited:.0f} s; asking again in {wait:.0f} s")
        time.sleep(wait)
        wait = min(wait * 1.5, LONGEST_WAIT_SECONDS)


def list_or_warn(service: Service, console: Console) -> list[Submitted] | None:
    """The newest submissions; None when the service did not answer this time."""
    try:
        return service.submissions()
    except KaggleError as error:
        if not error.transient:
            raise
        console.warn(str(error))
        return None


def _is_of(one: Submitted, row: LedgerRow) -> bool:
    """Whether the service's submission is the ledger's; by the file's tag while its number is not known."""
    return str(one.ref) == row.ref if row.ref else tag_of(row.sha256) in one.description


def _age_seconds(row: LedgerRow) -> float:
    return (datetime.now(UTC) - row.submitted).total_seconds()


def _conclude(ledger: Path, row: LedgerRow, found: Submitted, console: Console) -> LedgerRow:
    """Write the outcome."""
    seconds = round(max(0.0, _age_seconds(row)), 1)
    if found.status == "error":
        reason = found.error or "no reason given"
        update(ledger, row, status="error", seconds=seconds, message=f"{row.message} | {reason}")
        raise KaggleError(
            f"Kaggle: could not score the file: {reason}. The ledger has it as error. Look at "
            "the competition's rules for submissions; again=true uploads the same file once more."
        )
    row = update(
        ledger,
        row,
        status="complete",
        seconds=seconds,
        lb_public=found.public,
        lb_private=found.private,
    )
    scores = [("public", row.lb_public), ("private", row.lb_private), (f"cv {row.metric}", row.cv)]
    console.say(
        "complete: "
        + ", ".join(f"{name} {'not shown' if value is None else value}" for name, value in scores)
    )
    return row
