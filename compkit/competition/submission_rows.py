"""What the rows of a sample submission are about: an id each, or an id and one of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.competition.long_ids import split_ids, splits
from compkit.competition.table import duplicates, first_few, read_ids, require_filled

ROWS_KEY = "competition.sample_ids"
ROW_ID_KEY = "competition.sample_id_column"
ROW_CLASS_KEY = "competition.sample_class_column"


class Rows(NamedTuple):
    """The rows of a submission, R.

    Attributes:
        keys: what tells them apart, as it is told to people, str [R].
        ids: what each is about, str [R].
        places: the position of the class whose value it holds, int64 [R]; None where a row holds all classes.
    """

    keys: np.ndarray
    ids: np.ndarray
    places: np.ndarray | None

    @property
    def subjects(self) -> np.ndarray:
        """The different ids, in the order in which they first occur."""
        return np.array(list(dict.fromkeys(self.ids.tolist())))


def read_rows(
    frame: pd.DataFrame,
    path: Path,
    id_column: str,
    pattern: str = "{id}",
    class_column: str | None = None,
    names: Sequence[str] = (),
) -> Rows:
    """The rows of a submission, or of the sample of one.

    Args:
        frame: its cells as text.
        path: where they come from, for messages.
        id_column: the column that says what a row is about.
        pattern: what a cell of it holds: {id}, with or without text around it, or an {id} and a {class}.
        class_column: the column that names a row's class where that has one of its own.
        names: of the classes, as the submission calls them.

    Raises:
        ValueError: a column is missing, a cell empty, a row given twice, or a class unknown.

    >>> frame = pd.DataFrame({"row": ["7_cat", "7_polar_bear"], "value": ["0", "0"]})
    >>> rows = read_rows(frame, Path("sample.csv"), "row", "{id}_{class}", names=["bear", "cat", "polar_bear"])
    >>> rows.ids.tolist(), rows.places.tolist(), rows.subjects.tolist()
    (['7', '7'], [1, 2], ['7'])
    """
    keys = read_keys(frame, path, id_column, class_column)
    place = {name: number for number, name in enumerate(names)}
    if class_column is not None:
        cells = frame[class_column].tolist()
        _refuse_unknown([cell for cell in cells if cell not in place], path, class_column, names)
        return Rows(keys, frame[id_column].to_numpy(dtype=str), np.array([place[name] for name in cells]))
    if "{class}" not in pattern:
        return Rows(keys, split_ids(keys, pattern, (), path, ROWS_KEY).ids, None)
    known = set(names)
    found = [next(splits(cell, pattern, known), None) for cell in keys.tolist()]
    unknown = [cell for cell, one in zip(keys.tolist(), found, strict=True) if one is None]
    _refuse_unknown(unknown, path, pattern, names)
    pairs = [one for one in found if one is not None]
    return Rows(keys, np.array([id_ for id_, _ in pairs]), np.array([place[name] for _, name in pairs]))


def read_keys(frame: pd.DataFrame, path: Path, id_column: str, class_column: str | None) -> np.ndarray:
    """What tells the rows of a submission apart, as in `Rows`; nothing is looked up in them.

    Raises:
        ValueError: a column is missing, a cell empty, or a row given twice.
    """
    if class_column is None:
        return read_ids(frame, id_column, path, ROW_ID_KEY)
    require_filled(frame, id_column, path, ROW_ID_KEY)
    require_filled(frame, class_column, path, ROW_CLASS_KEY)
    pairs = zip(frame[id_column].tolist(), frame[class_column].tolist(), strict=True)
    keys = np.array([f"{id_} [{name}]" for id_, name in pairs])
    if repeated := duplicates(keys):
        raise ValueError(
            f"{path}: {len(repeated)} pairs of id and class occur more than once: {first_few(repeated)}; expected one "
            "row a pair. Keep one row of each."
        )
    return keys


def _refuse_unknown(cells: list[str], path: Path, what: str, names: Sequence[str]) -> None:
    if cells:
        raise ValueError(
            f"{path}: {len(cells)} rows name no class by {what!r}, the first {first_few(cells, 3)}; expected the "
            f"classes {first_few(names)}. Set {ROWS_KEY} or {ROW_CLASS_KEY} as the sample writes them, and "
            "competition.submission_names where it calls them otherwise."
        )
