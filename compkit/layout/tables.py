"""The tables of a download, every cell as text, and what can be said of each column."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.table import MISSING, read_table
from compkit.layout.findings import Findings
from compkit.layout.pictures import Pictures
from compkit.layout.scan import Listing


class Column:
    """What the cells of a column are like.

    >>> column = Column("grade", pd.Series(["0", "2", "", "2"]))
    >>> column.is_whole, column.is_flag, column.distinct, column.missing
    (True, False, ['0', '2'], 0.25)
    """

    def __init__(self, name: str, cells: pd.Series) -> None:
        self.name = name
        self.cells = cells

    @cached_property
    def filled(self) -> pd.Series:
        """The cells that hold something."""
        return self.cells[~self.cells.isin(MISSING)]

    @cached_property
    def missing(self) -> float:
        """Share of empty cells."""
        return 1 - len(self.filled) / len(self.cells)

    @cached_property
    def distinct(self) -> list[str]:
        """Every value once, in the order of appearance."""
        return self.filled.drop_duplicates().to_list()

    @cached_property
    def is_unique(self) -> bool:
        """No value occurs twice, and none is missing."""
        return len(self.distinct) == len(self.cells)

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """The distinct values as numbers; None when some are text."""
        values = pd.to_numeric(pd.Series(self.distinct, dtype=object), errors="coerce").to_numpy("float64")
        return values if len(values) and np.isfinite(values).all() else None

    @cached_property
    def is_number(self) -> bool:
        """All values are numbers."""
        return self.numbers is not None

    @cached_property
    def is_whole(self) -> bool:
        """All values are whole numbers, perhaps written 1.0."""
        return self.numbers is not None and bool((self.numbers % 1 == 0).all())

    @cached_property
    def is_flag(self) -> bool:
        """Only 0 and 1, or True and False."""
        if set(self.distinct) <= {"True", "False", "true", "false"}:
            return bool(self.distinct)
        return self.numbers is not None and bool(np.isin(self.numbers, (0, 1)).all())

    @cached_property
    def is_constant(self) -> bool:
        """The same in every row."""
        return len(self.distinct) + (self.missing > 0) <= 1


@dataclass
class Source:
    """One table.

    Attributes:
        path: relative to the download.
        frame: every cell as text.
        has_header: its first line names the columns.
        separator: what a JSON file's lists are joined with.
    """

    path: str
    frame: pd.DataFrame
    has_header: bool = True
    separator: str = " "

    def __post_init__(self) -> None:
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.frame.columns]

    def column(self, name: str) -> Column:
        """A column by name."""
        if name not in self._columns:
            self._columns[name] = Column(name, self.frame[name])
        return self._columns[name]

    def others(self, *names: str | None) -> list[Column]:
        """The columns besides those named."""
        return [self.column(name) for name in self.names if name not in names]


def read_sources(listing: Listing, pictures: Pictures, found: Findings) -> list[Source]:
    """Read every table that can be read; what cannot is noted."""
    sources = []
    for path in listing.tables:
        try:
            source = read_source(listing.root, path, pictures)
        except (ValueError, OSError) as error:
            if not path.endswith((".txt", ".json")):  # readme.txt, dataset_info.json
                found.note(f"{path} was left out: {error}")
            continue
        if source is not None:
            sources.append(source)
    return sources


def read_source(root: Path, path: str, pictures: Pictures) -> Source | None:
    """A table with its header found out; None for a text that is no table.

    The first line is taken for data when one of its cells names a picture as the cells below it do.
    """
    if path.endswith((".json", ".jsonl")):
        return _read_json(root, path)
    frame = read_table(root / path, path)
    if path.endswith(".txt") and not _is_table(frame, pictures):
        return None
    if _first_line_is_data(frame, pictures):
        frame = read_table(root / path, path, header=False)
        return Source(path, frame, has_header=False)
    return Source(path, frame)


def _read_json(root: Path, path: str) -> Source:
    """A JSON table, its lists joined by what none of their items holds."""
    try:
        return Source(path, read_table(root / path, path))
    except ValueError as error:
        if "contains the separator" not in str(error):
            raise
    return Source(path, read_table(root / path, path, separator="|"), separator="|")


def _first_line_is_data(frame: pd.DataFrame, pictures: Pictures) -> bool:
    """Whether a cell of the would-be header names a picture, as those below it do."""
    for place, name in enumerate(frame.columns):
        cells = frame.iloc[:20, place]
        if pictures.find(str(name)) and np.mean([bool(pictures.find(cell)) for cell in cells]) > 0.5:
            return True
    return False


def _is_table(frame: pd.DataFrame, pictures: Pictures) -> bool:
    """Whether a text file is a table: several columns, or a list of pictures."""
    if any(pictures.find(cell) for cell in [*map(str, frame.columns), *frame.iloc[:20, 0]]):
        return True
    named = [name for name in frame.columns if not str(name).startswith("Unnamed")]
    return len(frame.columns) > 1 and len(named) == len(frame.columns) and len(frame) > 1
