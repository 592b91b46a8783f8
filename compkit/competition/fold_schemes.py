"""The folds of a table: which scheme suits it, and the rows assigned by it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.competition.fold_assignment import (
    given_folds,
    holdout_fold,
    multilabel_folds,
    random_folds,
    spread_groups,
    stratified_folds,
    target_bins,
    time_blocks,
)
from compkit.competition.folds import Folds
from compkit.types import Table, Task


class Scheme(NamedTuple):
    """When a way to make folds can be used."""

    tasks: tuple[Task, ...]
    keeps_groups: bool  # whether rows of one group stay together
    needs: str | None  # key of the column it goes by


ANY = tuple(Task)
SCHEMES = {
    "stratified": Scheme((Task.MULTICLASS,), False, None),
    "group": Scheme(ANY, True, "group_column"),
    "stratified_group": Scheme((Task.MULTICLASS,), True, "group_column"),
    "multilabel_stratified": Scheme((Task.MULTILABEL,), False, None),
    "multilabel_stratified_group": Scheme((Task.MULTILABEL,), True, "group_column"),
    "stratified_regression": Scheme((Task.REGRESSION,), True, None),
    "time": Scheme(ANY, True, "time_column"),
    "predefined": Scheme(ANY, True, "fold_column"),
    "holdout": Scheme(ANY, True, None),
    "random": Scheme(ANY, False, None),
}


def make_folds(
    table: Table,
    task: Task,
    folds: int,
    scheme: str = "auto",
    seed: int = 0,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    predefined: np.ndarray | None = None,
    holdout_fraction: float = 0.2,
) -> Folds:
    """Assign each labelled row to the fold in which it validates.

    The same table, in the same order, and the same seed give the same folds.

    Args:
        table: N rows, all with labels.
        task: multiclass, multilabel or regression.
        folds: their number, >= 2; not used by holdout.
        scheme: a key of `SCHEMES`, or auto (see `resolve_scheme`).
        seed: of the shuffling; time and predefined have none.
        groups: rows of equal value stay together, [N].
        times: numbers or datetimes, [N].
        predefined: given folds, [N]: numbers or names; -1, NaN and "train" never validate.
        holdout_fraction: part of the rows (of the groups' rows) that holdout validates on.

    Raises:
        ValueError: a scheme that does not suit the task or lacks its column, or a number of folds that
            rows, groups, classes, times or the given column do not allow.

    >>> table = Table(np.array(["a", "b", "c", "d"]), np.zeros((4, 1), "S1"), np.array([0, 0, 1, 1]))
    >>> folds = make_folds(table, Task.MULTICLASS, folds=2)
    >>> folds.scheme, np.bincount(folds.fold).tolist(), table.targets[folds.valid_rows(0)].tolist()
    ('stratified', [2, 2], [0, 1])
    """
    targets, folds, holdout_fraction = table.targets, int(folds), float(holdout_fraction)
    assert targets is not None and not np.isnan(targets).any(), "rows without label have no fold"
    assert task != Task.MULTICLASS or targets.min() >= 0, "rows without label have no fold"
    scheme = resolve_scheme(scheme, task, groups is not None, times is not None, predefined is not None)
    names = None if groups is None else np.asarray(groups).astype(str)
    if scheme == "predefined":
        assert predefined is not None
        return Folds(table.ids, given_folds(predefined, folds), names, scheme)
    members = np.arange(len(table)) if names is None else np.unique(names, return_inverse=True)[1]
    if scheme == "holdout":
        fold = holdout_fold(targets, task, members, holdout_fraction, seed)
        return Folds(table.ids, fold, names, scheme)
    _check_number(folds, int(members.max()) + 1, "rows" if names is None else "groups")
    match scheme:
        case "stratified" | "stratified_group":
            fold = stratified_folds(targets, names, folds, seed)
        case "stratified_regression":
            fold = stratified_folds(target_bins(targets, folds), names, folds, seed)
        case "multilabel_stratified":
            fold = multilabel_folds(targets, folds, seed)
        case "multilabel_stratified_group":
            fold = spread_groups(members, targets, np.full(folds, 1 / folds), seed)
        case "group":
            fold = spread_groups(members, np.zeros((len(table), 0)), np.full(folds, 1 / folds), seed)
        case "time":
            assert times is not None and not pd.isna(times).any() and not isinstance(times[0], str)
            fold = time_blocks(times, members, folds + 1) - 1
        case "random":
            fold = random_folds(len(table), folds, seed)
    return Folds(table.ids, fold, names, scheme)


def resolve_scheme(scheme: str, task: Task, groups: bool, times: bool, predefined: bool) -> str:
    """The scheme that `auto` stands for, or the given one once it is known to fit.

    auto: the given fold column, else time, else by task, keeping groups together if there are any.

    Args:
        scheme: a key of `SCHEMES`, or auto.
        task: of the competition.
        groups, times, predefined: whether the competition has such a column.

    Raises:
        ValueError: unknown, for another task, or a column is missing or would be ignored.

    >>> resolve_scheme("auto", Task.MULTICLASS, groups=True, times=False, predefined=False)
    'stratified_group'
    """
    if scheme == "auto":
        if predefined or times:
            return "predefined" if predefined else "time"
        stratified = {
            Task.MULTICLASS: "stratified_group" if groups else "stratified",
            Task.MULTILABEL: "multilabel_stratified_group" if groups else "multilabel_stratified",
            Task.REGRESSION: "stratified_regression",
        }
        return stratified[task]
    where, automatic = f"competition.fold_scheme={scheme}", "Set competition.fold_scheme=auto"
    if scheme not in SCHEMES:
        raise ValueError(f"{where}: expected auto, {', '.join(SCHEMES)}. {automatic}.")
    tasks, keeps_groups, needs = SCHEMES[scheme]
    if task not in tasks:
        raise ValueError(f"{where}: it is for {', '.join(tasks)}, the task is {task}. {automatic}.")
    if groups and not keeps_groups:
        raise ValueError(
            f"{where}: it would tear the groups of competition.group_column apart (of null: the subjects; with "
            f"group_duplicates, pictures that show the same). {automatic}, or competition.group_column=null."
        )
    if (
        needs is not None
        and not {"group_column": groups, "time_column": times, "fold_column": predefined}[needs]
    ):
        raise ValueError(f"{where}: it needs a column to go by. Set competition.{needs}. Or: {automatic}.")
    return scheme


def _check_number(folds: int, available: int, of_what: str) -> None:
    if folds < 2:
        raise ValueError(
            f"folds={folds}: cross-validation needs at least 2; for a single validation set use "
            "competition.fold_scheme=holdout"
        )
    if folds > available:
        raise ValueError(
            f"folds={folds}: there are only {available} {of_what}. Set folds={available} or less."
        )
