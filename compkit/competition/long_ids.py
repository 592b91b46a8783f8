"""What the cells of an id column hold: an id with text around it, or an id and a class."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compkit.competition.table import first_few


class SplitIds(NamedTuple):
    """The ids of N cells, and their classes where the cells name them; both str [N]."""

    ids: np.ndarray
    classes: np.ndarray | None


def split_ids(cells: np.ndarray, pattern: str, names: Sequence[str], path: Path, key: str) -> SplitIds:
    """Take the ids, and the classes if any, out of the cells of an id column.

    Args:
        cells: str [N].
        pattern: {id} with or without text around it, or an {id} and a {class}.
        names: of the classes; empty where they are not known: then the joint that is outermost divides, and every id
            must come with every class.
        path: the table, for messages.
        key: the key of the pattern, for messages.

    Raises:
        ValueError: a cell that does not fit, or ids with different classes where the classes are not known.

    >>> cells = np.array(["7_cat", "7_polar_bear"])
    >>> split_ids(cells, "{id}_{class}", ["cat", "polar_bear"], Path("train.csv"), "competition.train_ids").classes
    array(['cat', 'polar_bear'], dtype='<U10')
    """
    if "{class}" in pattern and names:
        known = set(names)
        found = [next(splits(cell, pattern, known), None) for cell in cells.tolist()]
    else:
        fit = _regex(pattern)
        matches = [fit.fullmatch(cell) for cell in cells.tolist()]
        found = [match and (match["id"], match.groupdict().get("class", "")) for match in matches]
    strangers = [cell for cell, one in zip(cells.tolist(), found, strict=True) if not one]
    if strangers:
        also = f" with one of the classes {first_few(names)}" if "{class}" in pattern and names else ""
        raise ValueError(
            f"{path}: {len(strangers)} of {len(cells)} ids do not look like {pattern!r}{also}: {first_few(strangers)}. "
            f"Set {key} to how they are written, or competition.classes."
        )
    ids = np.array([one[0] for one in found if one])
    if "{class}" not in pattern:
        return SplitIds(ids, None)
    classes = np.array([one[1] for one in found if one])
    if not names:
        _require_product(ids, classes, pattern, path)
    return SplitIds(ids, classes)


def splits(cell: str, pattern: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """The ways in which a cell is an id and a known class, the longest class first.

    >>> list(splits("7_polar_bear", "{id}_{class}", {"bear", "polar_bear"}))
    [('7', 'polar_bear'), ('7_polar', 'bear')]
    >>> list(splits("bear:7", "{class}:{id}", {"bear"}))
    [('7', 'bear')]
    """
    id_first = pattern.index("{id}") < pattern.index("{class}")
    before, rest = pattern.split("{id}" if id_first else "{class}")
    joint, behind = rest.split("{class}" if id_first else "{id}")
    if not (cell.startswith(before) and cell.endswith(behind)):
        return
    text = cell[len(before) : len(cell) - len(behind)]
    at = text.find(joint, 1) if id_first else text.rfind(joint, 0, -1)
    while at > 0:
        left, right = text[:at], text[at + len(joint) :]
        if (right if id_first else left) in names and left and right:
            yield (left, right) if id_first else (right, left)
        at = text.find(joint, at + 1) if id_first else text.rfind(joint, 0, at + len(joint) - 1)


def _regex(pattern: str) -> re.Pattern[str]:
    """An id takes as much as it can from the joint to the class, which is not known."""
    text = re.escape(pattern)
    return re.compile(
        text.replace(re.escape("{id}"), "(?P<id>.+)").replace(re.escape("{class}"), "(?P<class>.+?)")
    )


def _require_product(ids: np.ndarray, classes: np.ndarray, pattern: str, path: Path) -> None:
    """Classes guessed from the cells must be the same for each id, else the guess cut somewhere in a name."""
    count, expected = len(ids), len(set(ids.tolist())) * len(set(classes.tolist()))
    if count != expected:
        raise ValueError(
            f"{path}: {count} rows for {len(set(ids.tolist()))} ids with the classes "
            f"{first_few(sorted(set(classes.tolist())))}, as {pattern!r} reads them; expected {expected}, each id with "
            "each class. Set competition.classes, so that it is known where an id ends."
        )
