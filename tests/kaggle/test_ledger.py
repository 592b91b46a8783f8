import multiprocessing
from datetime import UTC, datetime

import pandas as pd
import pytest

from compkit.kaggle import LedgerRow, append, read_ledger, update, utc_text
from compkit.kaggle.ledger import COLUMNS

HASH = "ab" * 32


def row(run="a", **changes):
    values = {
        "time": "2026-11-22T12:30:00Z",
        "run": run,
        "metric": "f1",
        "cv": 0.1 + 0.2,
        "nested": None,
        "lb_public": None,
        "lb_private": None,
        "ref": "007",
        "status": "pending",
        "sha256": HASH,
        "message": 'with, commas and "quotes" — and ß',
        "seconds": None,
    }
    return LedgerRow(**values | changes)


def test_rows_come_back_as_they_were_put_in(tmp_path):
    path = tmp_path / "leaf" / "ledger.csv"
    assert read_ledger(path) == []
    rows = [row("a"), row("b", nested=1e-300, status="complete", lb_public=0.5, seconds=12.5)]
    for one in rows:
        append(path, one)
    assert read_ledger(path) == rows
    assert [file.name for file in path.parent.iterdir()] == ["ledger.csv"]


def test_it_is_a_plain_csv_with_the_columns_promised(tmp_path):
    append(tmp_path / "ledger.csv", row())
    frame = pd.read_csv(tmp_path / "ledger.csv", dtype={"ref": str})
    assert tuple(frame.columns) == COLUMNS
    assert (
        frame.loc[0, "ref"] == "007" and frame.loc[0, "cv"] == 0.1 + 0.2 and pd.isna(frame.loc[0, "nested"])
    )


def test_update_changes_its_row_alone(tmp_path):
    path = tmp_path / "ledger.csv"
    rows = [row("a"), row("b", ref=""), row("c", time="2026-11-22T12:31:00Z")]
    for one in rows:
        append(path, one)
    new = update(path, rows[1], ref="8")
    new = update(path, new, status="complete", lb_public=0.25)
    assert read_ledger(path) == [rows[0], new, rows[2]]
    assert (new.run, new.ref, new.status, new.lb_public) == ("b", "8", "complete", 0.25)


def test_update_of_a_row_that_is_gone_is_refused(tmp_path):
    append(tmp_path / "ledger.csv", row())
    with pytest.raises(ValueError, match="no longer in it"):
        update(tmp_path / "ledger.csv", row(sha256="cd" * 32), status="error")


def append_some(path, name, count):
    for number in range(count):
        append(path, row(name, ref=str(number)))


def test_processes_that_append_at_once_lose_nothing(tmp_path):
    path, count = tmp_path / "ledger.csv", 15
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append_some, args=(path, name, count)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = sorted((one.run, int(one.ref)) for one in read_ledger(path))
    assert found == [(name, number) for name in "abc" for number in range(count)]


HEADER = ",".join(COLUMNS) + "\n"
GOOD = f"2026-11-22T12:30:00Z,a,f1,0.5,,,,1,pending,{HASH},hello,\n"


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "line 1: expected the columns time,run"),
        (b"time,run\n", "line 1: expected the columns time,run"),
        ((HEADER + GOOD + GOOD[:40]).encode(), "line 3: 9 cells; expected 12"),
        ((HEADER + GOOD.replace("0.5", "half")).encode(), "line 2: cv is 'half'"),
        ((HEADER + GOOD.replace("0.5", "nan")).encode(), "line 2: cv is nan; expected a finite number"),
        ((HEADER + GOOD.replace("pending", "done")).encode(), "line 2: status is 'done'"),
        (
            (HEADER + GOOD.replace("2026-11-22T12:30:00Z", "yesterday")).encode(),
            "line 2: time is 'yesterday'",
        ),
        ((HEADER + GOOD.replace("00Z", "00")).encode(), "line 2: time is"),
        ((HEADER + GOOD.replace("hello", '"hello')).encode(), "unexpected end of data"),
        (HEADER.encode() + b"\xff\xfe", "codec can't decode"),
    ],
)
def test_a_damaged_ledger_is_named_and_left_alone(tmp_path, content, words):
    path = tmp_path / "ledger.csv"
    path.write_bytes(content)
    for act in (
        read_ledger,
        lambda path: append(path, row()),
        lambda path: update(path, row(), status="error"),
    ):
        with pytest.raises(ValueError, match=r"ledger.csv: .*left as it is") as caught:
            act(path)
        assert words in str(caught.value)
        assert path.read_bytes() == content


def test_a_ledger_that_a_spreadsheet_has_saved_is_read(tmp_path):
    path = tmp_path / "ledger.csv"
    append(path, row())
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_ledger(path) == [row()]


def test_times_are_of_one_zone():
    assert row().submitted == datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    assert utc_text(row().submitted) == row().time
