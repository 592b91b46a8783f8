"""Rows dealt out to folds: arrays in, the fold of each row out, int64 [N]."""

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from compkit.competition.table import first_few
from compkit.types import Task


def random_folds(count: int, folds: int, seed: int) -> np.ndarray:
    """Folds of equal size, whatever the rows are.

    >>> np.bincount(random_folds(10, folds=5, seed=0)).tolist()
    [2, 2, 2, 2, 2]
    """
    return _validation_of(KFold(folds, shuffle=True, random_state=seed).split(np.zeros(count)), count)


def stratified_folds(strata: np.ndarray, groups: np.ndarray | None, folds: int, seed: int) -> np.ndarray:
    """Folds with equal shares of each stratum; groups, if any, stay together.

    Raises:
        ValueError: no stratum has a row for each fold.

    >>> stratified_folds(np.array([0, 0, 1, 1]), None, folds=2, seed=0).reshape(2, 2).sum(axis=1).tolist()
    [1, 1]
    """
    largest = int(np.bincount(strata).max())
    if largest < folds:
        raise ValueError(
            f"folds={folds}: the largest class has only {largest} rows. Set folds={max(largest, 2)}, or "
            "competition.fold_scheme=random (group, where there are groups)."
        )
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # the audit says which
        return _validation_of(splitter.split(strata, strata, groups), len(strata))


def multilabel_folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Iterative stratification: rows with the rarest label are dealt out first.

    Source: Sechidis et al. 2011, "On the Stratification of Multi-Label Data", algorithm 1.
    """
    if labels.shape[1] == 1:
        labels = np.hstack([labels, 1 - labels])  # iterstrat refuses a single column
    splitter = MultilabelStratifiedKFold(folds, shuffle=True, random_state=seed)
    return _validation_of(splitter.split(labels, labels > 0), len(labels))


def target_bins(targets: np.ndarray, folds: int) -> np.ndarray:
    """Regression targets [N, C] -> quantile bins of their standardised mean, int64 [N], at most 20."""
    spread = targets.std(axis=0)
    value = ((targets - targets.mean(axis=0)) / np.where(spread > 0, spread, 1)).mean(axis=1)
    edges = np.quantile(value, np.linspace(0, 1, min(20, max(1, len(value) // folds)) + 1)[1:-1])
    return np.unique(np.digitize(value, edges), return_inverse=True)[1]


def spread_groups(members: np.ndarray, labels: np.ndarray, quotas: np.ndarray, seed: int) -> np.ndarray:
    """Deal out whole groups so that every fold gets its quota of each label and of the rows.

    A group is described by its share of each label's rows and of all rows (which weighs as much as
    the labels together). Groups with large shares, that is big ones and those with rare labels, go
    first, about equal ones in random order. Each goes where it lowers most the sum over folds of
    |quota - what the fold has got|^2 / quota, so that all folds fill up at the same pace.

    Args:
        members: number of each row's group, int64 [N].
        labels: [N, C], or class indices int64 [N].
        quotas: part of the data each fold should get, [folds], summing to 1.
        seed: of the order among equal groups.

    Returns:
        Fold of each row, int64 [N].

    >>> spread_groups(np.array([0, 0, 1, 2]), np.zeros((4, 0)), np.array([0.5, 0.5]), seed=0).tolist()
    [0, 0, 1, 1]
    """
    count = int(members.max()) + 1
    if labels.ndim == 1:
        shares = np.zeros((count, int(labels.max()) + 1))
        np.add.at(shares, (members, labels), 1)
    else:
        shares = np.zeros((count, labels.shape[1]))
        np.add.at(shares, members, labels)
    weight = max(1, shares.shape[1])
    shares = np.column_stack([shares, np.bincount(members)])
    shares /= np.maximum(shares.sum(axis=0), 1)
    shares[:, -1] *= weight
    lacking = np.outer(quotas, shares.sum(axis=0))
    squared = (shares**2).sum(axis=1)
    shuffled = np.random.default_rng(seed).permutation(count)
    size_class = np.round(np.log2(squared[shuffled]))  # equal within a factor of about 1.4
    fold_of_group = np.empty(count, dtype=np.int64)
    for group in shuffled[np.argsort(-size_class, kind="stable")]:
        change = (squared[group] - 2 * lacking @ shares[group]) / quotas
        fold_of_group[group] = change.argmin()
        lacking[change.argmin()] -= shares[group]
    return fold_of_group[members]


def holdout_fold(
    targets: np.ndarray, task: Task, members: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """Fold 0 for a stratified fraction of the rows, -1 for the rest.

    Args:
        targets: int64 [N], or [N, C].
        task: regression targets are binned first.
        members: number of each row's group, int64 [N]; all different without groups.
        fraction: in (0, 1).
        seed: of the choice.

    Raises:
        ValueError: the fraction is out of range.

    >>> holdout_fold(np.repeat([0, 1], 10), Task.MULTICLASS, np.arange(20), 0.2, seed=0).tolist().count(0)
    4
    """
    if not 0 < fraction < 1:
        raise ValueError(f"competition.holdout_fraction={fraction}: expected between 0 and 1. Set e.g. 0.2.")
    strata = target_bins(targets, 2) if task == Task.REGRESSION else targets
    count = len(targets)
    if strata.ndim > 1 or members.max() + 1 < count:
        return -spread_groups(members, strata, np.array([fraction, 1 - fraction]), seed)
    # every (1 / fraction)-th of the rows sorted by stratum: each stratum is right to within one row
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(count), strata))
    steps = np.floor(np.arange(count + 1) * fraction + rng.random())
    fold = np.full(count, -1, dtype=np.int64)
    fold[order[np.diff(steps) > 0]] = 0
    return fold


def time_blocks(times: np.ndarray, members: np.ndarray, blocks: int) -> np.ndarray:
    """Consecutive blocks of about equal size, equal times in one; a group goes by its last time.

    Args:
        times: numbers or datetimes, [N].
        members: number of each row's group, int64 [N].
        blocks: their number.

    Raises:
        ValueError: so many rows share a time that a block stays empty.

    >>> time_blocks(np.array([2024, 2022, 2023, 2021]), np.arange(4), blocks=2).tolist()
    [1, 0, 1, 0]
    """
    last = pd.Series(times).groupby(members).transform("max")
    _, moments, counts = np.unique(last.to_numpy(), return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    block = (middle * blocks / len(times)).astype(np.int64)
    filled = len(np.unique(block))
    if filled < blocks:
        raise ValueError(
            f"folds={blocks - 1}: competition.time_column falls into only {filled} blocks of about equal "
            f"size, as rows share their time; {blocks} are needed, the first to train on. Set fewer folds."
        )
    return block[moments]


def given_folds(column: np.ndarray, folds: int) -> np.ndarray:
    """Folds 0..n-1 from a column of numbers or names, in their order; -1, NaN, "train" become -1.

    Raises:
        ValueError: the column has another number of folds.

    >>> given_folds(np.array(["b", "train", "a"]), folds=2).tolist()
    [1, -1, 0]
    """
    cells = pd.Series(column).astype(object)
    numbers = pd.to_numeric(cells, errors="coerce")
    never = (cells.isna() | cells.isin(["train", ""]) | (numbers == -1)).to_numpy()
    chosen = cells[~never]
    values = numbers[~never] if numbers[~never].notna().all() else chosen.astype(str)
    names, codes = np.unique(values.to_numpy(), return_inverse=True)
    if len(names) != folds:
        raise ValueError(
            f"folds={folds}: competition.fold_column holds {len(names)} folds ({first_few(names.tolist())}). "
            f"Set folds={len(names)}."
        )
    fold = np.full(len(cells), -1, dtype=np.int64)
    fold[~never] = codes
    return fold


def _validation_of(splits: Iterable[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """scikit-learn's pairs (training rows, validation rows) as a fold per row, int64 [N]."""
    fold = np.full(count, -1, dtype=np.int64)
    for k, (_, valid) in enumerate(splits):
        fold[valid] = k
    return fold
