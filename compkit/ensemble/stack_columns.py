"""Columns of a competition's tables as further inputs of a level-2 model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition import Competition
from compkit.competition.table import MISSING, first_few, parse_times, require_column
from compkit.inference import first_rows
from compkit.types import Table

MAX_VALUES = 20  # of a text column that become columns of their own, the most frequent ones
MIN_ROWS = 2  # that a text must occur in; what occurs once tells nothing of other rows


@dataclass(frozen=True)
class Columns:
    """The wanted columns of training and test rows: float64, NaN where missing, or text, "" where missing.

    Attributes:
        train: [N, K], in the order of the out-of-fold rows.
        test: [T, K], in the order of the test predictions; None without.
    """

    train: pd.DataFrame
    test: pd.DataFrame | None


def read_columns(
    competition: Competition,
    names: Sequence[str],
    ids: np.ndarray,
    test_ids: np.ndarray | None,
    limit: int | None = None,
) -> Columns:
    """Read columns of the tables for these rows; a column is numeric when all its cells are, in both tables.

    Args:
        competition: whose tables they are.
        names: of the columns; none of them is no columns, and reads nothing.
        ids: of the training rows, [N].
        test_ids: of the test rows, [T], or None.
        limit: of training rows, as the runs had it.

    Where images show subjects, the ids are those of subjects, and a column says the same of all their images.

    Raises:
        ValueError: a column that tells the label or the fold, that train or test table lacks, that is empty
            throughout, or that differs between a subject's images; ids that are not in the tables.
    """
    if not names:
        return Columns(
            pd.DataFrame(index=range(len(ids))),
            None if test_ids is None else pd.DataFrame(index=range(len(test_ids))),
        )
    _refuse_leaks(competition, names)
    table = competition.read_train(limit)
    train = _cells(table, ids, names, competition, "train_table")
    test = None
    if test_ids is not None:
        table = competition.read_test()
        key = "test_table" if competition.test_table is not None else "sample_submission"
        test = _cells(table, test_ids, names, competition, key)
    for name in names:
        _type_column(name, train, test, competition)
    return Columns(train, test)


class ColumnEncoder:
    """Numbers and frequent texts as numbers without gaps, by what the rows it is made of know.

    A number that is missing becomes their median, with a column beside it that says so where they lack any. Each of
    the most frequent texts (a missing one too) is a column of 0 and 1; a text they do not know is 0 in all.

    Args:
        frame: rows to learn from, as in `Columns`.

    Raises:
        ValueError: a text column in which no text occurs twice, or numbers that are all missing.

    >>> encoder = ColumnEncoder(pd.DataFrame({"width": [1.0, np.nan, 3.0], "camera": ["a", "b", "a"]}))
    >>> encoder.encode(pd.DataFrame({"width": [5.0, np.nan], "camera": ["a", "new"]})).tolist()
    [[5.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.medians: dict[str, float] = {}
        self.has_gaps: dict[str, bool] = {}
        self.texts: dict[str, list[str]] = {}
        for name, cells in frame.items():
            if pd.api.types.is_numeric_dtype(cells):
                if cells.isna().all():
                    raise ValueError(
                        f"columns: {name!r} has no value in any of {len(cells)} rows that a level-2 model learns from; "
                        "expected some. Leave it out of columns."
                    )
                self.medians[str(name)], self.has_gaps[str(name)] = (
                    float(cells.median()),
                    bool(cells.isna().any()),
                )
                continue
            counts = cells.value_counts()
            frequent = counts[counts >= MIN_ROWS].sort_index().sort_values(ascending=False, kind="stable")
            if frequent.empty:
                raise ValueError(
                    f"columns: {name!r} has another text in every row, {first_few(cells, 3)}; expected texts that "
                    "occur several times, or numbers. Leave it out of columns."
                )
            self.texts[str(name)] = frequent.index[:MAX_VALUES].tolist()

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """The columns of these rows as numbers, float64 [N, E]."""
        encoded = [np.zeros((len(frame), 0))]
        for name, median in self.medians.items():
            encoded.append(frame[[name]].fillna(median).to_numpy(np.float64))
            if self.has_gaps[name]:
                encoded.append(frame[[name]].isna().to_numpy(np.float64))
        for name, texts in self.texts.items():
            encoded.append(frame[[name]].to_numpy() == np.array(texts, dtype=object))
        return np.concatenate(encoded, axis=1).astype(np.float64)


def describe_columns(columns: Columns) -> str:
    """What became of each column, for people.

    >>> describe_columns(Columns(pd.DataFrame({"width": [1.0], "camera": ["a"]}), None))
    'width (numbers), camera (text)'
    """
    is_number = {name: pd.api.types.is_numeric_dtype(columns.train[name]) for name in columns.train}
    return ", ".join(f"{name} ({'numbers' if number else 'text'})" for name, number in is_number.items())


def _refuse_leaks(competition: Competition, names: Sequence[str]) -> None:
    leaks = {name: "the target" for name in competition.target_columns}
    if competition.fold_column is not None:
        leaks[competition.fold_column] = "the fold"
    for name in names:
        if name in leaks:
            raise ValueError(
                f"columns: {name!r} is {leaks[name]}; a level-2 model that sees it learns nothing else. "
                "Leave it out of columns."
            )


def _cells(
    table: Table,
    ids: np.ndarray,
    names: Sequence[str],
    competition: Competition,
    key: str,
) -> pd.DataFrame:
    """The columns of these ids, in their order."""
    path, frame = competition.path / str(getattr(competition, key)), table.frame
    for name in names:
        if key == "train_table":
            require_column(frame, name, path, "columns")
        elif name not in frame:
            raise ValueError(
                f"columns: {name!r} is not in {path}, so it is not known of the test rows; it has "
                f"{first_few(frame.columns, 40)}. Train the runs with competition.test_table set to a CSV that has it, "
                "or leave it out of columns."
            )
    table_ids = table.ids
    if table.subjects is not None:
        first = first_rows(table.subjects)
        table_ids = table.subjects[first]
        _require_one_a_subject(frame[list(names)], table.subjects, path)
        frame = frame.iloc[first]
    rows = pd.Index(table_ids).get_indexer(pd.Index(ids))
    if (rows < 0).any():
        raise ValueError(
            f"{path}: lacks {(rows < 0).sum()} of the {len(ids)} rows that the runs predicted: "
            f"{first_few(ids[rows < 0].tolist())}. Columns can only be read from the data the runs were trained on."
        )
    return frame.iloc[rows][list(names)].reset_index(drop=True)


def _require_one_a_subject(frame: pd.DataFrame, subjects: np.ndarray, path: Path) -> None:
    for name in frame:
        values = frame[name].astype(str).groupby(subjects).nunique()
        several = values[values > 1].index.tolist()
        if several:
            raise ValueError(
                f"columns: {name!r} of {path} differs between the images of {len(several)} subjects, such as "
                f"{several[0]!r}, and predictions are of subjects. Leave it out of columns."
            )


def _type_column(name: str, train: pd.DataFrame, test: pd.DataFrame | None, competition: Competition) -> None:
    """Turn a column into numbers in both frames, or into text in both."""
    frames = [train] if test is None else [train, test]
    numbers = [_numbers(frame[name], competition) for frame in frames]
    for frame, values in zip(frames, numbers, strict=True):
        if any(one is None for one in numbers):
            frame[name] = frame[name].astype(str).replace(dict.fromkeys(MISSING, "")).astype(object)
        else:
            frame[name] = values


def _numbers(cells: pd.Series, competition: Competition) -> np.ndarray | None:
    """The cells as float64, NaN where missing; None when a cell is something else."""
    if cells.name == competition.time_column:
        cells = parse_times(cells.astype(str), competition.path)
        if pd.api.types.is_datetime64_any_dtype(cells):  # days since 1970
            return ((cells - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(np.float64)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    missing = cells.isin(MISSING).to_numpy()
    return np.where(missing, np.nan, values) if (np.isfinite(values) | missing).all() else None
