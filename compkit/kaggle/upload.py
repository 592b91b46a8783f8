"""A run's submission.csv to Kaggle, once; then its score into the ledger."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from compkit.engine import Console
from compkit.kaggle.client import ONLY_NOTEBOOKS, KaggleError
from compkit.kaggle.ledger import LedgerRow, append, read_ledger, utc_text
from compkit.kaggle.poll import Wishes, list_or_warn, tag_of, wait_for_score
from compkit.kaggle.service import Service, Submitted

LOOKS = 3  # for a submission that the service may list only a moment later


@dataclass(frozen=True)
class Candidate:
    """What is to be submitted.

    Attributes:
        file: the CSV, checked already.
        run: name of its run.
        metric: the competition's.
        cv, nested: its scores, as in LedgerRow.
        message: sent along with it; the file's tag is put behind it.
    """

    file: Path
    run: str
    metric: str
    cv: float | None
    nested: float | None
    message: str


def submit(
    candidate: Candidate, ledger: Path, connect: Callable[[], Service], wishes: Wishes, console: Console
) -> LedgerRow:
    """Upload a file that was not uploaded before, wait for its score, and keep both in the ledger.

    A call that was killed after the upload is taken up by the next one: the ledger has the submission as pending, or
    the service lists it under the tag of its file.

    Args:
        candidate: the file and what is known of it.
        ledger: path of ledger.csv.
        connect: makes the service; called only when it is needed.
        wishes: how.
        console: says how far it is.

    Returns:
        the ledger's row, complete.

    Raises:
        ValueError: the same file was submitted before, the day's limit is reached, nothing is pending where
            `poll` was asked for, or the ledger is damaged.
        KaggleError: the service or its client refused or failed.
    """
    sha256 = hashlib.sha256(candidate.file.read_bytes()).hexdigest()
    earlier = [row for row in read_ledger(ledger) if row.sha256 == sha256]
    pending = [row for row in earlier if row.status == "pending"]
    if not wishes.again:
        _refuse_repeated(candidate, [row for row in earlier if row.status != "pending"])
    if wishes.poll and not pending:
        raise ValueError(
            f"poll=true: {ledger.name} has no submission of run {candidate.run} that waits for its score. Leave "
            "poll=true out to submit it."
        )
    service = connect()
    if pending and (wishes.poll or not wishes.again):
        console.say(f"{candidate.run}: was uploaded at {pending[-1].time} and waits for its score")
        return wait_for_score(service, ledger, pending[-1], wishes, console)
    row = _upload(service, candidate, sha256, wishes, console, known={one.ref for one in read_ledger(ledger)})
    append(ledger, row)
    return wait_for_score(service, ledger, row, wishes, console)


def check_limit(listed: Sequence[Submitted], per_day: int | None, now: datetime) -> int | None:
    """How many submissions are left today (UTC); None when no limit is known.

    Submissions that the service could not score do not count.

    Args:
        listed: the team's newest submissions.
        per_day: how many are allowed.
        now: aware of its zone.

    Raises:
        ValueError: none is left; says when the next one is possible.
    """
    if per_day is None:
        return None
    today = now.astimezone(UTC).date()
    used = sum(one.time.astimezone(UTC).date() == today and one.status != "error" for one in listed)
    if used >= per_day:
        midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)
        minutes = -(-(midnight - now) // timedelta(minutes=1))
        raise ValueError(
            f"{used} submissions were made today (UTC) and {per_day} a day are allowed (per_day). The next one is "
            f"possible from {midnight:%Y-%m-%d %H:%M} UTC, in {minutes // 60} h {minutes % 60:02d} min."
        )
    return per_day - used


def _upload(
    service: Service, candidate: Candidate, sha256: str, wishes: Wishes, console: Console, known: set[str]
) -> LedgerRow:
    """The ledger's row of the upload; that of an earlier one where the ledger lost it."""
    rules, listed = service.rules(), service.submissions()
    if rules.notebooks_only:
        raise KaggleError(f"Kaggle: {service.competition} takes notebooks only. {ONLY_NOTEBOOKS}")
    began = datetime.now(UTC)
    lost = [one for one in listed if tag_of(sha256) in one.description and str(one.ref) not in known]
    if lost and not wishes.again:
        console.warn(
            "the service has this file already, and the ledger did not know: it is not uploaded again"
        )
        return _row(candidate, sha256, lost[0].time, lost[0].ref, service)
    left = check_limit(listed, wishes.per_day or rules.per_day, began)
    limit = "the limit of the day is not known; per_day=… sets it" if left is None else f"{left} left today"
    console.say(f"uploading {candidate.file.name} of run {candidate.run} to {service.competition} ({limit})")
    before = {one.ref for one in listed}
    try:
        ref = service.upload(
            candidate.file, f"{candidate.message} {tag_of(sha256)}", wishes.timeout_minutes * 60
        )
    except KaggleError as error:
        if not error.uncertain:
            raise
        ref = _ref_of_new(service, sha256, before, wishes.poll_seconds, console)
        if not ref:
            raise
        console.warn(f"{error} The service lists the submission all the same.")
    ref = ref or _ref_of_new(service, sha256, before, wishes.poll_seconds, console)
    console.say(f"submitted, ref {ref or 'not known yet'}")
    return _row(candidate, sha256, began, ref, service)


def _ref_of_new(
    service: Service, sha256: str, before: set[int], wait_seconds: float, console: Console
) -> int:
    """The number of a submission of this file that was not listed before; 0 when there is none."""
    for _ in range(LOOKS):
        time.sleep(wait_seconds)
        listed = list_or_warn(service, console)
        new = [one.ref for one in listed or [] if tag_of(sha256) in one.description and one.ref not in before]
        if new:
            return new[0]
    return 0


def _row(candidate: Candidate, sha256: str, began: datetime, ref: int, service: Service) -> LedgerRow:
    return LedgerRow(
        time=utc_text(began),
        run=candidate.run,
        metric=candidate.metric,
        cv=candidate.cv,
        nested=candidate.nested,
        lb_public=None,
        lb_private=None,
        ref=str(ref or ""),
        status="pending",
        sha256=sha256,
        message=service.hide(" ".join(candidate.message.split())),
        seconds=None,
    )


def _refuse_repeated(candidate: Candidate, earlier: Sequence[LedgerRow]) -> None:
    if earlier:
        row = earlier[-1]
        score = "with an error" if row.status == "error" else f"with the public score {row.lb_public}"
        raise ValueError(
            f"{candidate.file.name} of run {candidate.run}: the same file was submitted at {row.time} (run {row.run}, "
            f"ref {row.ref or 'not known'}) and came back {score}. Set again=true to submit it once more."
        )
