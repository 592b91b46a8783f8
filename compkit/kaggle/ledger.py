"""outputs/<competition>/ledger.csv: every submission with its CV, its score on the leaderboard and its file's hash."""

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compkit.files import write_text

STATES = ("pending", "complete", "error")


@dataclass(frozen=True)
class LedgerRow:
    """One upload; a column of ledger.csv each, blank where not known.

    Attributes:
        time: when the upload began, UTC, as 2026-11-22T12:30:00Z.
        run: name of the run's folder.
        metric: the competition's.
        cv: pooled out-of-fold score, as metrics.json has it.
        nested: the same where weights or thresholds were learned, each row by what was learned without it.
        lb_public, lb_private: scores of the service.
        ref: the service's number of the submission.
        status: pending, complete or error.
        sha256: of the CSV.
        message: what was sent along; behind it, what the service had against the file.
        seconds: from the beginning of the upload until the score was there.
    """

    time: str
    run: str
    metric: str
    cv: float | None
    nested: float | None
    lb_public: float | None
    lb_private: float | None
    ref: str
    status: str
    sha256: str
    message: str
    seconds: float | None

    @property
    def submitted(self) -> datetime:
        """`time` as a moment, aware of its zone."""
        return datetime.fromisoformat(self.time)


COLUMNS = tuple(field.name for field in fields(LedgerRow))
NUMBERS = ("cv", "nested", "lb_public", "lb_private", "seconds")


def utc_text(moment: datetime) -> str:
    """A moment as the ledger writes it, in whole seconds.

    >>> utc_text(datetime(2026, 11, 22, 12, 30, tzinfo=UTC))
    '2026-11-22T12:30:00Z'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read_ledger(path: Path) -> list[LedgerRow]:
    """All rows in their order; none where there is no ledger yet.

    Raises:
        ValueError: the file is not what was written here: named with the line, and left as it is.
    """
    if not path.is_file():
        return []
    try:
        lines = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise _damaged(path, f"line 1: expected the columns {','.join(COLUMNS)}")
    return [_row(path, number, cells) for number, cells in enumerate(lines[1:], start=2)]


def append(path: Path, row: LedgerRow) -> None:
    """Add a row at the end; two processes that do so at once add both.

    Raises:
        ValueError: the ledger is damaged.
    """
    with _locked(path):
        _write(path, [*read_ledger(path), row])


def update(path: Path, row: LedgerRow, **changes: Any) -> LedgerRow:
    """Change some columns of a row that was appended or read; returns the row as it is now.

    The row is known by its time, its hash and its ref, whatever its other columns have become.

    Raises:
        ValueError: the ledger is damaged, or the row is not in it.
    """
    key = (row.time, row.sha256, row.ref)
    with _locked(path):
        rows = read_ledger(path)
        places = [at for at, one in enumerate(rows) if (one.time, one.sha256, one.ref) == key]
        if not places:
            raise ValueError(
                f"{path}: the submission of {row.time} (run {row.run}, ref {row.ref or 'not known'}) is no longer in "
                "it. Put its line back."
            )
        rows[places[-1]] = replace(rows[places[-1]], **changes)
        _write(path, rows)
        return rows[places[-1]]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process reads and writes a ledger in this folder."""
    import fcntl  # Unix only; reading a ledger works everywhere

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)  # the folder: the file itself is replaced by each write
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, rows: Sequence[LedgerRow]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        assert row.status in STATES
        writer.writerow("" if value is None else value for value in asdict(row).values())
    write_text(path, text.getvalue())


def _row(path: Path, number: int, cells: list[str]) -> LedgerRow:
    """One line, checked cell by cell."""
    if len(cells) != len(COLUMNS):
        raise _damaged(path, f"line {number}: {len(cells)} cells; expected {len(COLUMNS)}")
    values: dict[str, Any] = dict(zip(COLUMNS, cells, strict=True))
    for name in NUMBERS:
        try:
            values[name] = float(values[name]) if values[name] else None
        except ValueError as error:
            raise _damaged(path, f"line {number}: {name} is {values[name]!r}; expected a number") from error
        if values[name] is not None and not math.isfinite(values[name]):
            raise _damaged(path, f"line {number}: {name} is {values[name]}; expected a finite number")
    if values["status"] not in STATES:
        raise _damaged(
            path, f"line {number}: status is {values['status']!r}; expected one of {', '.join(STATES)}"
        )
    try:
        aware = datetime.fromisoformat(values["time"]).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise _damaged(
            path, f"line {number}: time is {values['time']!r}; expected one such as 2026-11-22T12:30:00Z"
        )
    return LedgerRow(**values)


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path}: {why}. The file is damaged, and was left as it is. Mend the line, or move the file away to begin "
        "a new ledger."
    )
