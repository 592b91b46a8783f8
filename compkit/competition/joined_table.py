"""A table's rows chosen by their cells, and columns added to them from other tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.table import duplicates, first_few, read_table, require_column


def keep_rows(frame: pd.DataFrame, wanted: Mapping[str, Sequence[str]], path: Path, key: str) -> pd.DataFrame:
    """The rows whose cells are among the wanted ones, in each of the columns.

    Args:
        frame: text.
        wanted: the cells by column.
        path: the table, for messages.
        key: the key of `wanted`, for messages.

    Raises:
        ValueError: no such column, a cell that no row has, or no row left.

    >>> frame = pd.DataFrame({"id": ["a", "b"], "split": ["train", "test"]})
    >>> keep_rows(frame, {"split": ["test"]}, Path("all.csv"), "competition.test_rows")["id"].tolist()
    ['b']
    """
    for column, cells in wanted.items():
        require_column(frame, column, path, key)
        strangers = sorted(set(cells) - set(frame[column]))
        if strangers:
            raise ValueError(
                f"{key}: no row of {path} has {first_few(strangers)} in column {column!r}; it has "
                f"{first_few(sorted(set(frame[column])))}. Set {key} to some of these."
            )
    for column, cells in wanted.items():
        frame = frame[frame[column].isin(list(cells))]
    if frame.empty:
        raise ValueError(f"{key}: no row of {path} has all of {dict(wanted)}; expected some. Set {key}={{}}.")
    return frame


def join_table(
    frame: pd.DataFrame, path: Path, column: str, key: str, header: bool = True, separator: str = " "
) -> pd.DataFrame:
    """Add the columns of another table to the rows that have the same cell in a column of both.

    A column of the other that the frame has already is called after its file: meta.age.

    Args:
        frame: text, [N] rows.
        path: the other table, with at least one row for each of ours and no two with the same cell.
        column: that both have.
        key: the key that names the table, for messages.
        header, separator: as in `read_table`.

    Raises:
        FileNotFoundError: no such table.
        ValueError: a table lacks the column, cells of ours that the other lacks, or that it has twice.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "meta.csv"
    >>> _ = path.write_text("image,age,site\\n2,41,x\\n1,40,y\\n")
    >>> frame = pd.DataFrame({"image": ["1", "2"], "site": ["a", "b"]})
    >>> join_table(frame, path, "image", "competition.train_join").values.tolist()
    [['1', 'a', '40', 'y'], ['2', 'b', '41', 'x']]
    """
    other = read_table(path, key, header, separator)
    require_column(frame, column, Path("the table to add to"), key)
    require_column(other, column, path, key)
    ours, theirs = frame[column].to_numpy(dtype=str), other[column].to_numpy(dtype=str)
    known = np.isin(theirs, ours)
    if repeated := duplicates(theirs[known]):
        raise ValueError(
            f"{path}: {len(repeated)} cells of column {column!r} occur more than once: {first_few(repeated)}; expected "
            f"one row to join each of ours with. Set {key} to another table or column."
        )
    missing = np.setdiff1d(ours, theirs).tolist()
    if missing:
        raise ValueError(
            f"{path}: lacks {len(missing)} cells that our column {column!r} has: {first_few(missing)}; expected a row "
            f"for each. Set {key} to another table or column."
        )
    other = other[known].iloc[pd.Index(theirs[known]).get_indexer(pd.Index(ours))].drop(columns=column)
    taken = {name: f"{path.stem}.{name}" for name in other.columns if name in frame.columns}
    return pd.concat([frame, other.rename(columns=taken).set_axis(frame.index, axis=0)], axis=1)
