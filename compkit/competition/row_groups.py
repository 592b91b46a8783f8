"""Rows that belong together, as one number a group, and the file they are kept in."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from compkit.competition.table import duplicates, first_few
from compkit.files import atomic_path


class RowUnion:
    """Joins rows two at a time; `group_of` then says who is together.

    >>> union = RowUnion(4)
    >>> union.join(0, 2), union.join(2, 0)
    (True, False)
    >>> union.group_of().tolist()
    [0, 1, 0, 2]
    """

    def __init__(self, rows: int) -> None:
        self.parent = list(range(rows))

    def root(self, row: int) -> int:
        """The row that stands for the group of a row."""
        while self.parent[row] != row:
            self.parent[row] = row = self.parent[self.parent[row]]
        return row

    def join(self, one: int, other: int) -> bool:
        """Put two rows' groups together; False when they are so already."""
        first, second = sorted((self.root(one), self.root(other)))
        self.parent[second] = first
        return first != second

    def group_of(self) -> np.ndarray:
        """Number of each row's group, in the order in which they appear, int64 [N]."""
        return np.unique([self.root(row) for row in range(len(self.parent))], return_inverse=True)[1]


def merge_groups(groups: Iterable[np.ndarray | None]) -> np.ndarray:
    """The finest groups in which whatever is together in one of several groupings stays together.

    Args:
        groups: each [N], of numbers or names; None groups nothing. At least one is not None.

    Returns:
        int64 [N].

    >>> merge_groups([np.array(["a", "a", "b", "c"]), np.array([0, 1, 1, 2]), None]).tolist()
    [0, 0, 0, 1]
    """
    codes = [np.unique(one, return_inverse=True)[1] for one in groups if one is not None]
    rows = np.arange(len(codes[0]))
    # a graph of rows and, behind them, the groups of each grouping
    starts = np.cumsum([len(rows), *(code.max(initial=-1) + 1 for code in codes)])
    ends = np.concatenate([code + start for code, start in zip(codes, starts[:-1], strict=True)])
    edges = (np.ones(len(ends), bool), (np.tile(rows, len(codes)), ends))
    _, label = connected_components(coo_matrix(edges, shape=(starts[-1], starts[-1])), directed=False)
    return np.unique(label[: len(rows)], return_inverse=True)[1]


def group_names(groups: np.ndarray, own: np.ndarray | None, ids: np.ndarray) -> np.ndarray:
    """Names for merged groups: the table's own of their first row, else that row's id.

    Args:
        groups: of `merge_groups`, int64 [N].
        own: names of the groups that the table has and that were merged, str [N]; None without.
        ids: str [N].

    >>> group_names(np.array([0, 1, 0]), None, np.array(["a", "b", "c"])).tolist()
    ['a', 'b', 'a']
    """
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    return (ids if own is None else own)[first][member]


def write_groups(path: Path, ids: np.ndarray, parts: np.ndarray, groups: np.ndarray) -> None:
    """Write the pictures that share a group with another one: columns id, part (train or test), group."""
    size = np.bincount(groups)[groups]
    frame = pd.DataFrame({"id": ids, "part": parts, "group": groups})[size > 1]
    with atomic_path(path) as temporary:
        frame.sort_values("group", kind="stable").to_csv(temporary, index=False, lineterminator="\n")


def read_groups(path: str | Path, ids: np.ndarray, is_whole: bool = True) -> np.ndarray:
    """The groups of training rows from a duplicate_groups.csv; a row that it does not name is alone.

    Args:
        path: what `write_groups` wrote.
        ids: of the training rows, str [N].
        is_whole: these are all training rows, so that some of the file's must be among them.

    Returns:
        int64 [N], for `merge_groups` and folds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: other columns, an id that occurs twice, or none of the ids is there.
    """
    frame = pd.read_csv(path, dtype=str, na_filter=False, encoding="utf-8")
    if list(frame.columns) != ["id", "part", "group"]:
        raise ValueError(
            f"{path}: columns {list(frame.columns)}; expected id, part, group as scripts/inspect_data.py writes them."
        )
    frame = frame[frame["part"] == "train"]
    if repeated := duplicates(frame["id"].to_numpy(dtype=str)):
        raise ValueError(f"{path}: ids occur more than once: {first_few(repeated)}; expected each once.")
    group_of = dict(zip(frame["id"], frame["group"], strict=True))
    if is_whole and group_of and not group_of.keys() & set(ids.tolist()):
        raise ValueError(
            f"{path}: none of its ids, such as {first_few(group_of, 3)}, is among the training rows, such as "
            f"{first_few(ids[:3])}. Write it anew with scripts/inspect_data.py."
        )
    names = [f"group {group_of[id]}" if id in group_of else f"row {row}" for row, id in enumerate(ids)]
    return np.unique(names, return_inverse=True)[1]
