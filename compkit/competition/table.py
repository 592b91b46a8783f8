"""The tables of a competition: every cell as text, columns and ids checked."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.json_table import parse_json_table
from compkit.competition.text_table import read_text_table

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl")
MISSING = ("", "nan", "NaN")  # cells that hold no value; "NA" and "None" are names like any other


def first_few(items: Iterable[object], count: int = 10) -> str:
    """The first items, for an error message that stays readable with a million of them.

    >>> first_few(["a", "b", "c"], count=2)
    "'a', 'b', ..."
    """
    shown = [repr(item) for item in items]
    return ", ".join(shown[:count] + ["..."] * (len(shown) > count))


def read_table(path: Path, key: str, header: bool = True, separator: str = " ") -> pd.DataFrame:
    """Read a table with every cell as the text it is, so that 007 stays 007 and NA stays NA.

    Args:
        path: a CSV, TSV, TXT, JSON or JSON lines; UTF-8 with or without byte-order mark.
        key: the key that names the file, for messages: `competition.train_table`.
        header: whether the first line of a CSV, TSV or TXT names the columns, else called 0, 1, …
        separator: between the items of a list in a JSON file, which become one cell.

    Returns:
        One row a line or record; an empty cell is "".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not such a table, no rows, or rows with more cells than the header.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "train.csv"
    >>> _ = path.write_text("id,label\\n007,NA\\n")
    >>> read_table(path, "competition.train_table").iloc[0].to_list()
    ['007', 'NA']
    """
    if not path.is_file():
        tables = (
            sorted(name for name in os.listdir(path.parent) if name.lower().endswith(TABLE_SUFFIXES))
            if path.parent.is_dir()
            else []
        )
        raise FileNotFoundError(
            f"{path}: no such file; its folder holds {first_few(tables) or 'no table'}. Set {key} to the table's path."
        )
    suffix = path.suffix.lower()
    is_json = suffix in (".json", ".jsonl")
    try:
        if is_json:
            frame = parse_json_table(path.read_text(encoding="utf-8-sig"), suffix == ".jsonl", separator)
        else:
            frame = read_text_table(path, header)
    except ValueError as error:  # undecodable text, and what pandas and json say
        kind, expected = ("JSON", "a list of records, an object keyed by id, or COCO")
        if not is_json:
            kind, expected = ("CSV", "a header line and commas (.txt: also tabs, semicolons or blanks)")
        raise ValueError(
            f"{path}: not a readable {kind} ({str(error).strip()}); expected UTF-8 text with {expected}. "
            f"Convert the file, or set {key} to another one."
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas then takes the first column for an index
        raise ValueError(
            f"{path}: rows have more cells than the header's {frame.shape[1]} columns; expected as many. "
            "Put cells that contain a comma in double quotes."
        )
    if frame.empty:
        raise ValueError(f"{path}: has a header but no rows. Set {key} to the table that has them.")
    return frame


def require_column(frame: pd.DataFrame, column: str, path: Path, key: str) -> None:
    """Refuse a column that the CSV lacks, and name the one that was probably meant.

    Raises:
        ValueError: the column is not in the frame.

    >>> require_column(pd.DataFrame({"Id": ["a"]}), "id", Path("train.csv"), "competition.id_column")
    Traceback (most recent call last):
    ValueError: train.csv: column 'id' not found; it has 'Id'. Set competition.id_column=Id.
    """
    if column in frame.columns:
        return
    spelled = {name.lower(): name for name in reversed(list(frame.columns))}
    near = difflib.get_close_matches(column.lower(), spelled, n=1, cutoff=0)
    raise ValueError(
        f"{path}: column {column!r} not found; it has {first_few(frame.columns, 40)}. Set "
        f"{key}={spelled[near[0]]}."
    )


def read_ids(frame: pd.DataFrame, column: str, path: Path, key: str = "competition.id_column") -> np.ndarray:
    """The ids of a table, str [N], each given and different from the others.

    Raises:
        ValueError: the column is missing, an id is empty, or an id occurs twice.

    >>> read_ids(pd.DataFrame({"id": ["01", "1"]}), "id", Path("train.csv"))
    array(['01', '1'], dtype='<U2')
    """
    ids = read_repeated_ids(frame, column, path, key)
    if repeated := duplicates(ids):
        raise ValueError(
            f"{path}: {len(repeated)} ids occur more than once in column {column!r}: {first_few(repeated)}; "
            f"expected one row an image. Keep one row of each, or set {key} to a unique column; where an image has a "
            "row for each of its classes, set competition.class_column."
        )
    return ids


def read_repeated_ids(frame: pd.DataFrame, column: str, path: Path, key: str) -> np.ndarray:
    """The ids of a table in which an image may have several rows, str [N], each given.

    Raises:
        ValueError: the column is missing, or an id is empty.
    """
    require_column(frame, column, path, key)
    ids = frame[column].to_numpy(dtype=str)
    empty = np.flatnonzero(ids == "")
    if len(empty):
        raise ValueError(
            f"{path}: {len(empty)} rows have no id in column {column!r}, first in line {frame.index[empty[0]] + 2}; "
            f"expected one in each. Remove those rows, or set {key}."
        )
    return ids


def duplicates(ids: np.ndarray) -> list[str]:
    """The ids that occur more than once, each named once, sorted.

    >>> duplicates(np.array(["b", "a", "b"]))
    ['b']
    """
    names, counts = np.unique(ids, return_counts=True)
    return names[counts > 1].tolist()


def require_filled(frame: pd.DataFrame, column: str, path: Path, key: str) -> None:
    """Refuse a column that is missing or has empty cells, such as a group nobody wrote down.

    Raises:
        ValueError: no such column, or a cell without a value.

    >>> frame = pd.DataFrame({"patient": ["p1", "p1"]})
    >>> require_filled(frame, "patient", Path("train.csv"), "competition.group_column")
    """
    require_column(frame, column, path, key)
    lines = frame.index[frame[column].isin(MISSING).to_numpy()] + 2  # below the header, and counted from 1
    if len(lines):
        raise ValueError(
            f"{path}: column {column!r} is empty in {len(lines)} rows, lines {first_few(lines.tolist())}; "
            f"{key} needs a value in every row. Fill the cells in, or set {key}=null."
        )


def parse_times(cells: pd.Series, path: Path) -> pd.Series:
    """Moments that sort as time does: numbers, or ISO dates; as text 10 comes before 9.

    Args:
        cells: text, [N].
        path: the CSV they come from, for messages.

    Returns:
        float64 or datetime64 (UTC), [N].

    Raises:
        ValueError: a cell is neither a number nor a date such as 2024-01-31 18:30.

    >>> parse_times(pd.Series(["10", "9"]), Path("train.csv")).to_list()
    [10.0, 9.0]
    """
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    if numbers.notna().all():
        return numbers
    times = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    bad = cells[times.isna()]
    if len(bad):
        raise ValueError(
            f"{path}: {len(bad)} cells of column {cells.name!r} are no time: {first_few(bad)}; expected "
            "numbers or dates like 2024-01-31 18:30. Rewrite the column, or set competition.time_column to "
            "another one."
        )
    return times
