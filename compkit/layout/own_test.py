"""One table for training and test: the rows without labels, or of another part, are those to predict."""

import pandas as pd

from compkit.layout.findings import Findings
from compkit.layout.folds import TEST_WORDS, TRAIN_WORDS, VALID_WORDS
from compkit.layout.roles import Roles
from compkit.layout.tables import Column
from compkit.layout.views import View


def find_own_test(train: View, roles: Roles, targets: list[str], found: Findings) -> bool:
    """Write train_rows and test_rows when the training table names the test pictures too.

    Returns:
        Whether it does.
    """
    frame = train.table.frame
    asked = set() if roles.sample is None else set(roles.sample.ids)
    own = train.table.frame[str(found.keys["id_column"])] if train.long is None else train.ids
    is_asked = own.isin(asked)
    known = [name for name in targets if name in frame.columns]
    is_empty = frame[known].isin(("", "nan", "NaN")).all(axis=1) if known else is_asked & False
    if roles.sample is not None and not is_asked.any():
        return False
    if roles.sample is not None:
        if asked - set(own):
            return False  # the same numbers mean other pictures
        by_column = _dividing(train, is_asked, set(targets))
        if by_column is not None and (is_empty[is_asked].all() or _is_part(by_column)):
            _write(train, by_column, is_asked, targets, "of the rows in the sample submission", found)
            return True
        return False
    named = [column for column in train.table.others(*targets) if _is_part(column)]
    for column in named:
        is_test = frame[column.name].str.casefold().isin(TEST_WORDS)
        if is_test.any() and is_empty[is_test].all():
            _write(train, column, is_test, targets, "without labels", found)
            return True
    return False


def _dividing(train: View, is_test: pd.Series, targets: set[str]) -> Column | None:
    """A column of few values, none of which both kinds of rows have."""
    frame = train.table.frame
    candidates = []
    for column in train.table.others(*targets, *train.keys):
        if not 2 <= len(column.distinct) <= 10 or column.missing:
            continue
        if not set(frame.loc[is_test, column.name]) & set(frame.loc[~is_test, column.name]):
            candidates.append(column)
    return min(candidates, key=lambda column: not _is_part(column), default=None)


def _is_part(column: Column) -> bool:
    """Cells such as train and test."""
    words = {cell.casefold() for cell in column.distinct}
    return words <= TRAIN_WORDS | VALID_WORDS | TEST_WORDS and bool(words & TEST_WORDS)


def _write(
    train: View, column: Column, is_test: pd.Series, targets: list[str], what: str, found: Findings
) -> None:
    frame = train.table.frame
    of_test = sorted(set(frame.loc[is_test, column.name]))
    of_train = sorted(set(frame.loc[~is_test, column.name]))
    found.set("train_rows", {column.name: of_train}, f"the other rows are {what}")
    found.set("test_table", train.source.path, "one table for training and test")
    found.set("test_rows", {column.name: of_test}, what)
    if (
        not frame.loc[~is_test, [name for name in targets if name in frame]]
        .isin(("", "nan", "NaN"))
        .any(axis=None)
    ):
        found.keys.pop("unlabelled", None)
