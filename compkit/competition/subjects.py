"""What several pictures show together: subjects whole, side by side, with one label."""

from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.row_limit import limit_rows, require_limit
from compkit.competition.table import first_few

KEY = "competition.subject_column"


def subject_order(subjects: np.ndarray) -> np.ndarray:
    """Positions that put equal subjects side by side, by where each first occurs, int64 [N].

    >>> subject_order(np.array(["b", "a", "b"])).tolist()
    [0, 2, 1]
    """
    return np.argsort(pd.factorize(subjects)[0], kind="stable")


def require_one_label(subjects: np.ndarray, targets: np.ndarray, path: Path) -> None:
    """Refuse subjects whose pictures are labelled differently.

    Args:
        subjects: str [N].
        targets: [N] or [N, C].
        path: the table, for messages.

    Raises:
        ValueError: naming such subjects.

    >>> require_one_label(np.array(["a", "a"]), np.array([0, 0]), Path("train.csv"))
    """
    differs = targets != targets[_first(subjects)]
    torn = list(dict.fromkeys(subjects[differs if targets.ndim == 1 else differs.any(axis=1)].tolist()))
    if torn:
        raise ValueError(
            f"{path}: {len(torn)} subjects have pictures with different labels: {first_few(torn)}; expected one label "
            f"a subject, as the submission has one. Correct them, or set {KEY}=null to predict each picture, and "
            "competition.group_column to keep its pictures in one fold."
        )


def require_one_group(subjects: np.ndarray, groups: np.ndarray, path: Path) -> None:
    """Refuse subjects that lie in two groups, which no fold could keep both whole.

    Raises:
        ValueError: naming such subjects.

    >>> require_one_group(np.array(["a", "a"]), np.array(["x", "x"]), Path("train.csv"))
    """
    torn = list(dict.fromkeys(subjects[groups != groups[_first(subjects)]].tolist()))
    if torn:
        raise ValueError(
            f"{path}: {len(torn)} subjects lie in several groups: {first_few(torn)}; expected each in one. Set "
            "competition.group_column to a column that keeps subjects whole, or to null: they are the groups then."
        )


def limit_subjects(subjects: np.ndarray, targets: np.ndarray | None, limit: int) -> np.ndarray:
    """Choose whole subjects for a quick trial, as `limit_rows` chooses rows.

    Args:
        subjects: str [N].
        targets: as in `limit_rows`, the same for all rows of a subject.
        limit: number of rows wanted; about so many come, those of at least one subject.

    Returns:
        Sorted positions, int64.

    >>> limit_subjects(np.array(["a", "b", "a", "b"]), None, limit=2).size
    2
    """
    codes = pd.factorize(subjects)[0]
    first = np.unique(codes, return_index=True)[1]
    of_subjects = None if targets is None else targets[first]
    require_limit(limit)
    chosen = limit_rows(of_subjects, len(first), max(1, limit * len(first) // len(subjects)))
    return np.flatnonzero(np.isin(codes, chosen))


def _first(subjects: np.ndarray) -> np.ndarray:
    """For each row, the position of its subject's first row, int64 [N]."""
    codes = pd.factorize(subjects)[0]
    return np.unique(codes, return_index=True)[1][codes]
