"""Tables in the long form, a row for each image and class, made wide: a row an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.labels import sort_classes
from compkit.competition.table import MISSING, first_few

JOINT = "\x1f"  # between the classes of an image while they are one cell: no name has it


def first_rows(frame: pd.DataFrame, ids: np.ndarray, needed: Sequence[str], path: Path) -> pd.DataFrame:
    """One row an id, in the order of their first rows, with the columns that say the same in all rows of an id.

    Args:
        frame: [N] rows.
        ids: str [N], repeated.
        needed: columns that must say the same; those that the frame lacks are left to others.
        path: the table, for messages.

    Raises:
        ValueError: a needed column differs within an id.

    >>> frame = pd.DataFrame({"id": ["a", "a", "b"], "site": ["x", "x", "y"], "value": ["0", "1", "0"]})
    >>> first_rows(frame, frame["id"].to_numpy(dtype=str), ["site"], Path("train.csv")).to_dict("list")
    {'id': ['a', 'b'], 'site': ['x', 'y']}
    """
    codes, _ = pd.factorize(ids)
    first = np.unique(codes, return_index=True)[1]
    same = {}
    for name in frame.columns:
        cells = frame[name].to_numpy()
        differs = cells != cells[first][codes]
        if differs.any() and name in needed:
            raise ValueError(
                f"{path}: column {name!r} differs among the rows of {len(set(ids[differs].tolist()))} ids: "
                f"{first_few(sorted(set(ids[differs].tolist())))}; expected one value an image. Correct the table."
            )
        same[name] = not differs.any()
    return frame.iloc[first][[name for name in frame.columns if same[name]]]


def class_values(ids: np.ndarray, classes: np.ndarray, values: np.ndarray, path: Path) -> pd.DataFrame:
    """The values of each id and class as a column a class, the ids in the order of their first rows.

    Args:
        ids, classes, values: str [N].
        path: the table, for messages.

    Returns:
        Text, [M, C]; "" where there is no row for an id and class.

    Raises:
        ValueError: two rows for an id and class.

    >>> ids, classes = np.array(["b", "b", "a"]), np.array(["10", "9", "9"])
    >>> class_values(ids, classes, np.array(["0", "1", "1"]), Path("train.csv")).to_dict("list")
    {'9': ['1', '1'], '10': ['0', '']}
    """
    names = sort_classes(classes.tolist())
    rows, order = pd.factorize(ids)
    columns = pd.Index(names).get_indexer(pd.Index(classes))
    places, counts = np.unique(rows * len(names) + columns, return_counts=True)
    if (counts > 1).any():
        pairs = [(str(order[place // len(names)]), names[place % len(names)]) for place in places[counts > 1]]
        raise ValueError(
            f"{path}: {len(pairs)} pairs of id and class have several rows: {first_few(pairs)}; expected one each. "
            "Keep one row of each."
        )
    cells = np.full((len(order), len(names)), "", dtype=object)
    cells[rows, columns] = values
    return pd.DataFrame(cells, columns=list(names), dtype=str)


def class_sets(ids: np.ndarray, classes: np.ndarray, empty_token: str) -> list[str]:
    """The different classes of each id joined by JOINT, the ids in the order of their first rows.

    A row whose class is missing, or is the empty token, adds nothing to another row's.

    >>> ids, classes = np.array(["b", "a", "b", "b"]), np.array(["cat", "", "dog", "cat"])
    >>> [cell.split(JOINT) for cell in class_sets(ids, classes, "")]
    [['cat', 'dog'], ['']]
    """
    sets: dict[str, dict[str, None]] = {}
    for id_, name in zip(ids.tolist(), classes.tolist(), strict=True):
        sets.setdefault(id_, {})[name] = None
    nothing = {*MISSING, empty_token}
    cells = []
    for names in sets.values():
        told = [name for name in names if name not in nothing]
        cells.append(JOINT.join(told) if told else next(iter(names)))
    return cells


def require_one_class(sets: Sequence[str], ids: Sequence[str], path: Path) -> None:
    """Refuse images with several classes where exactly one is meant.

    Args:
        sets: of `class_sets`, [M].
        ids: of the same images.
        path: the table, for messages.

    Raises:
        ValueError: naming such images.

    >>> require_one_class(["cat"], ["7"], Path("train.csv"))
    """
    several = [id_ for id_, cell in zip(ids, sets, strict=True) if JOINT in cell]
    if several:
        raise ValueError(
            f"{path}: {len(several)} ids have rows of different classes: {first_few(several)}; expected one class an "
            "image. Correct them, or set task=multilabel when images may have several."
        )
