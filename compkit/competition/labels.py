"""From the cells of label columns to arrays a network can learn from, and the names of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.competition.table import MISSING, first_few
from compkit.types import Task

CLASSES_KEY = "competition.classes"
TARGET_KEY = "competition.target_column"


class Labels(NamedTuple):
    """Targets of every row and what their columns or numbers mean."""

    targets: np.ndarray  # int64 [N], -1 unlabelled; or float32 [N, C], NaN unlabelled
    classes: tuple[str, ...]  # C names, in the order of the outputs


def encode_labels(
    cells: pd.DataFrame,
    ids: np.ndarray,
    task: Task,
    one_column: bool,
    classes: Sequence[str],
    separator: str,
    empty_token: str,
    path: Path,
) -> Labels:
    """Read the labels of a competition, whichever way its CSV writes them.

    | task       | one column                   | a list of columns                      |
    | multiclass | the name of the class        | 0 or 1, exactly one 1 in a row         |
    | multilabel | names joined by separator    | 0 to 1 each, between them: soft labels |
    | regression | a number                     | a number each                          |

    A cell that is empty or nan is no label. In one multilabel column, what equals empty_token (and
    is not among the given classes) means "none of the classes" instead: with the default empty
    token, so does an empty cell, and only nan is no label.

    Args:
        cells: text of the label columns, [N] rows.
        ids: str [N], for messages.
        task: what is predicted.
        one_column: the target column was given as a name and not as a list.
        classes: names in the wanted order; empty for sorted ones, numbers as numbers.
        separator: between the names in one multilabel column.
        empty_token: stands for no class in one multilabel column.
        path: the CSV, for messages.

    Raises:
        ValueError: a label that cannot be meant, naming row and cell; a row labelled in part; labels
            outside the given classes; fewer than two classes.

    >>> table, ids = pd.DataFrame({"label": ["10", "9", "nan"]}), np.array(["a", "b", "c"])
    >>> labels = encode_labels(table, ids, Task.MULTICLASS, True, (), " ", "", Path("train.csv"))
    >>> labels.targets.tolist(), labels.classes
    ([1, 0, -1], ('9', '10'))
    """
    where = f"{path}: column {first_few(cells.columns, 40)}"
    if one_column and task == Task.MULTICLASS:
        return _encode_names(cells.iloc[:, 0].to_numpy(dtype=str), classes, where)
    if one_column and task == Task.MULTILABEL:
        return _encode_sets(cells.iloc[:, 0].to_list(), classes, separator, empty_token, where)
    order = _column_order(cells, classes, where)
    cells = cells[list(order)]
    if task == Task.REGRESSION:
        return Labels(_numbers(cells, ids, where), order)
    flags = _flags(cells, ids, where)
    return Labels(_exclusive(flags, ids, where) if task == Task.MULTICLASS else flags, order)


def unlabelled_rows(targets: np.ndarray) -> np.ndarray:
    """Which rows have no label, bool [N].

    >>> unlabelled_rows(np.array([2, -1])).tolist()
    [False, True]
    """
    return targets < 0 if targets.ndim == 1 else np.isnan(targets).all(axis=1)


def sort_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Classes in a natural order: numbers by value when all are numbers, text otherwise.

    >>> sort_classes(["10", "9", "9"]), sort_classes(["b10", "b9", "NA"])
    (('9', '10'), ('NA', 'b10', 'b9'))
    """
    unique = sorted(set(names))
    values = pd.to_numeric(pd.Series(unique, dtype=object), errors="coerce")
    if np.isfinite(values).all():
        unique = [unique[place] for place in np.argsort(values.to_numpy(), kind="stable")]
    return tuple(unique)


def _encode_names(names: np.ndarray, classes: Sequence[str], where: str) -> Labels:
    """One class a row -> int64 [N]."""
    missing = np.isin(names, MISSING)
    seen, codes = np.unique(names[~missing], return_inverse=True)
    order = _class_order(seen.tolist(), classes, where)
    if len(seen) < 2:
        raise ValueError(f"{where}: {_too_few(seen.tolist())}")
    targets = np.full(len(names), -1, dtype=np.int64)
    index = {name: place for place, name in enumerate(order)}
    targets[~missing] = np.array([index[name] for name in seen.tolist()])[codes]
    return Labels(targets, order)


def _encode_sets(
    cells: list[str], classes: Sequence[str], separator: str, empty_token: str, where: str
) -> Labels:
    """Any number of classes a row, joined in one cell -> float32 [N, C] of 0 and 1."""
    rows: list[list[str] | None] = []
    for cell in map(str.strip, cells):
        if cell == empty_token and cell not in classes:
            rows.append([])
        elif cell in MISSING:
            rows.append(None)
        else:
            rows.append([part.strip() for part in cell.split(separator) if part.strip()])
    seen = sort_classes([name for row in rows if row for name in row])
    order = _class_order(seen, classes, where)
    if len(order) < 2:
        raise ValueError(f"{where}: {_too_few(order)}, or competition.separator, now {separator!r}.")
    index = {name: place for place, name in enumerate(order)}
    targets = np.zeros((len(rows), len(order)), dtype=np.float32)
    for place, row in enumerate(rows):
        targets[place, [index[name] for name in row or ()]] = 1
        if row is None:
            targets[place] = np.nan
    return Labels(targets, order)


def _flags(cells: pd.DataFrame, ids: np.ndarray, where: str) -> np.ndarray:
    """A column a class with numbers of 0 to 1, or True and False -> float32 [N, C]."""
    values = _numbers(cells.replace({"True": "1", "False": "0"}), ids, where)
    _refuse_cells((values < 0) | (values > 1), cells, ids, f"{where}: expected numbers from 0 to 1")
    return values


def _exclusive(flags: np.ndarray, ids: np.ndarray, where: str) -> np.ndarray:
    """Columns of which exactly one is 1 in every row -> int64 [N]."""
    missing = unlabelled_rows(flags)
    wrong = ~missing & ~(((flags == 0) | (flags == 1)).all(axis=1) & (flags.sum(axis=1) == 1))
    if wrong.any():
        raise ValueError(
            f"{where}: {wrong.sum()} rows do not have exactly one 1 and otherwise 0, ids "
            f"{first_few(ids[wrong].tolist())}; expected one class a row. Correct them, or set "
            "task=multilabel when rows may have several."
        )
    targets = np.where(missing, -1, flags.argmax(axis=1)).astype(np.int64)
    if len(np.unique(targets[~missing])) < 2:
        raise ValueError(f"{where}: {_too_few(sorted(set(targets[~missing].tolist())))}")
    return targets


def _numbers(cells: pd.DataFrame, ids: np.ndarray, where: str) -> np.ndarray:
    """Text -> float32 [N, C]; rows without any value are NaN."""
    values = np.column_stack(
        [pd.to_numeric(cells[name], errors="coerce").to_numpy("float64") for name in cells]
    )
    missing = cells.isin(MISSING).to_numpy()
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused below
        values = values.astype(np.float32)
    _refuse_cells(~missing & ~np.isfinite(values), cells, ids, f"{where}: expected finite numbers")
    partial = missing.any(axis=1) & ~missing.all(axis=1)
    if partial.any():
        raise ValueError(
            f"{where}: {partial.sum()} rows have some labels but not all, ids "
            f"{first_few(ids[partial].tolist())}; expected all or none. Fill the cells in, or empty the "
            "whole row to leave it unlabelled."
        )
    return values


def _refuse_cells(wrong: np.ndarray, cells: pd.DataFrame, ids: np.ndarray, expected: str) -> None:
    """Name the first cell that is wrong, bool [N, C]."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{expected}, but {wrong.any(axis=1).sum()} rows differ, first id {str(ids[row])!r}, column "
            f"{cells.columns[column]!r}: {cells.iloc[row, column]!r}. Correct the CSV, or set {TARGET_KEY} "
            "or task."
        )


def _class_order(seen: Sequence[str], classes: Sequence[str], where: str) -> tuple[str, ...]:
    """The given classes, of which the labels may use fewer but no others; or those seen, sorted."""
    strangers = sort_classes(list(set(seen) - set(classes)))
    if classes and strangers:
        raise ValueError(
            f"{where}: {len(strangers)} labels are not in {CLASSES_KEY}: {first_few(strangers)}; expected "
            f"only {first_few(classes)}. Add them to {CLASSES_KEY}, or set {CLASSES_KEY}=null to use all "
            "labels."
        )
    return tuple(classes) or sort_classes(seen)


def _column_order(cells: pd.DataFrame, classes: Sequence[str], where: str) -> tuple[str, ...]:
    """The label columns in the order of the given classes."""
    columns = tuple(cells.columns)
    if classes and sorted(classes) != sorted(columns):
        raise ValueError(
            f"{where}: these are the classes, but {CLASSES_KEY} lists {first_few(classes, 40)}; expected "
            f"the same names in any order. Set {CLASSES_KEY}=null, or correct {TARGET_KEY}."
        )
    return tuple(classes) or columns


def _too_few(seen: Sequence[object]) -> str:
    """What to say when there is nothing to tell apart."""
    return (
        f"only {len(seen)} classes in the labels ({first_few(seen)}); expected at least 2. Set {TARGET_KEY}"
    )
