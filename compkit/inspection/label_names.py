"""What names and values of labels say alone: one class under two names, equal labels, columns that never change."""

import re
import unicodedata
from collections.abc import Collection, Sequence

import numpy as np

from compkit.findings import Finding, Status
from compkit.types import Table, Task

NAMED = 5  # names in a message
OFTEN = 10  # rows that a label must stand out in to be compared with others


def label_findings(
    table: Table, task: Task, classes: Sequence[str], used: Collection[str | None]
) -> list[Finding]:
    """Findings on names and values: classes or labels that are one by mistake, labels and columns that never change.

    Args:
        table: the training rows.
        task, classes: what the labels mean.
        used: columns that are ids, labels, groups and the like.
    """
    return [
        _class_names(classes, task),
        _still_labels(table, task, classes),
        _equal_labels(table, task, classes),
        _still_columns(table, used),
    ]


def _class_names(classes: Sequence[str], task: Task) -> Finding:
    check, expected = "class names", "names that differ in more than blanks, capitals and leading zeros"
    if task == Task.REGRESSION:
        return Finding(check, Status.SKIP, "regression has no classes")
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(plain_name(name), []).append(name)
    same = [names for names in alike.values() if len(names) > 1]
    if not same:
        return Finding(check, Status.PASS, "no two classes have nearly the same name", 0, expected)
    shown = "; ".join(" and ".join(map(repr, names)) for names in same[:NAMED])
    message = f"{len(same)} classes occur under several names: {shown}" + " …" * (len(same) > NAMED)
    remedy = "if they mean the same, correct the labels in the table (competition.train_table)."
    return Finding(check, Status.WARN, message, len(same), expected, remedy, {"names": same})


def plain_name(name: str) -> str:
    """A class's name without what is easily mistyped.

    A single character stays as it is, as a and A may be two classes; so does a hyphen at the end of a word: A and A-.

    >>> plain_name(" Cat"), plain_name("cat_"), plain_name("07"), plain_name("A"), plain_name("-1.0")
    ('cat', 'cat', '7', 'A', '-1')
    """
    if len(name.strip()) == 1:
        return name.strip()
    joined = re.sub(r"(?<=[^\W_])-+(?=[^\W_])", " ", unicodedata.normalize("NFKC", name))
    text = re.sub(r"[\s_]+", " ", joined).strip() or name
    if re.fullmatch(r"-?\d+(\.0+)?", text):
        return str(int(float(text))) if len(text) < 16 else text
    return text if len(text) == 1 else text.casefold()


def _still_labels(table: Table, task: Task, classes: Sequence[str]) -> Finding:
    check, expected = "labels that never change", "none"
    if task == Task.MULTICLASS:
        return _still_class(table, classes)
    still = np.flatnonzero(table.labels.min(axis=0) == table.labels.max(axis=0))
    if not len(still):
        return Finding(check, Status.PASS, "every label occurs with several values", 0, expected)
    shown = ", ".join(f"{classes[place]} = {table.labels[0, place]:g}" for place in still[:NAMED])
    message = f"{len(still)} of {len(classes)} labels are the same in every row: {shown}" + " …" * (
        len(still) > NAMED
    )
    remedy = (
        "nothing can be learnt or scored there: leave them out of competition.target_column or competition.classes, or "
        "look whether the right column was read."
    )
    return Finding(check, Status.WARN, message, len(still), expected, remedy)


def _still_class(table: Table, classes: Sequence[str]) -> Finding:
    check, expected = "labels that never change", "rows of several classes"
    found = np.unique(table.labels)
    if len(found) > 1:
        return Finding(check, Status.SKIP, "one of several classes always changes")
    message = (
        f"all {len(table)} training pictures that can be read are of one class: {classes[int(found[0])]}"
    )
    remedy = "nothing can be learnt from them: look at limit, competition.target_column and competition.train_rows."
    return Finding(check, Status.WARN, message, 1, expected, remedy)


def _equal_labels(table: Table, task: Task, classes: Sequence[str]) -> Finding:
    check, expected = "labels that are equal", "none"
    if table.labels.ndim == 1 or table.labels.shape[1] < 2:
        return Finding(check, Status.SKIP, "there is one label a picture")
    columns, places = np.unique(table.labels, axis=1, return_inverse=True)
    # labels of a few rows may well occur together by chance
    often = (columns != np.median(columns, axis=0)).sum(axis=0) >= OFTEN
    alike = [np.flatnonzero(places.reshape(-1) == number) for number in np.flatnonzero(often)]
    same = [[classes[int(place)] for place in group] for group in alike if len(group) > 1]
    if not same:
        return Finding(check, Status.PASS, "no two labels are the same in all rows", 0, expected)
    shown = "; ".join(" and ".join(map(repr, names)) for names in same[:NAMED])
    message = f"the same in every row: {shown}" + " …" * (len(same) > NAMED)
    remedy = (
        "one of them was copied from the other, or both from one column: look at the table (competition.train_table, "
        "competition.target_column)."
    )
    return Finding(check, Status.WARN, message, len(same), expected, remedy, {"names": same})


def _still_columns(table: Table, used: Collection[str | None]) -> Finding:
    """Further columns with one value tell nothing; INFO."""
    check = "columns that never change"
    still = [
        str(name) for name in table.frame if name not in used and table.frame[name].nunique(dropna=False) == 1
    ]
    if not still or len(table) < 2:
        return Finding(
            check, Status.PASS, "no further column of the training table is the same in every row", 0
        )
    named = ", ".join(still[:NAMED]) + " …" * (len(still) > NAMED)
    return Finding(check, Status.INFO, f"the same in every training row: {named}", len(still))
