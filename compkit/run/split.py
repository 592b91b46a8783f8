"""The folds of a run: those of an earlier run of the same rows, with groups and duplicates whole."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from compkit.competition import Folds, group_names, make_folds, merge_groups, read_groups, write_groups
from compkit.engine import Console, Ranks, cpu_cores
from compkit.pictures import duplicate_groups
from compkit.run.plan import Plan
from compkit.types import Table

KEY = "group_duplicates"


def split(plan: Plan, table: Table, ranks: Ranks, console: Console) -> Folds:
    """The folds, those of an earlier run where it split the same rows in the same way.

    Raises:
        FileNotFoundError, ValueError: no such folds can be made, or train_folds names none of them.
    """
    folds = make_plan_folds(plan, table, planned_duplicates(plan, table, ranks, console))
    path = _folds_path(plan, table, folds)
    if path.is_file():
        # a newer scikit-learn may split differently; the folds that earlier runs were scored on stay
        folds = replace(Folds.read(path, folds.scheme).aligned_to(table.ids), groups=folds.groups)
    for finding in folds.audit(table.labels, plan.competition.task, plan.competition.classes):
        console.warn(finding)
    ranks.barrier()
    if ranks.is_main and not path.is_file():
        folds.write(path)
    if plan.train_folds == []:
        raise ValueError(
            "train_folds=[]: no fold is left to train. Set train_folds=all, or some, such as [0]."
        )
    wrong = [fold for fold in plan.train_folds or [] if fold not in range(folds.num_folds)]
    if wrong:
        raise ValueError(
            f"train_folds={plan.train_folds}: fold {wrong[0]} does not exist; expected some of "
            f"{list(range(folds.num_folds))}. Set train_folds=all, or more folds."
        )
    return folds


def no_split(plan: Plan, table: Table) -> Folds:
    """Folds of which none validates: every model trains on all rows."""
    wrong = [number for number in plan.train_folds or [] if not isinstance(number, int) or number < 0]
    if plan.train_folds == [] or wrong:
        raise ValueError(
            f"train_folds={plan.train_folds}: with full_data=true they are the numbers of the models, each of another "
            "seed. Set train_folds=[0] for one, [0,1,2] for three."
        )
    return Folds(table.ids, np.full(len(table), -1), None, "full_data")


def make_plan_folds(plan: Plan, table: Table, duplicates: np.ndarray | None) -> Folds:
    """The folds that a plan's keys make of these rows.

    Args:
        plan: its competition, folds, fold_seed and group_duplicates are used.
        table: N rows.
        duplicates: numbers of groups that must stay whole beside the table's own, int64 [N]; None without.

    Raises:
        ValueError: these rows cannot be split so.
    """
    competition = plan.competition

    def cells(column: str | None) -> np.ndarray | None:
        return None if column is None else table.frame[column].to_numpy()

    groups = cells(competition.group_column)
    groups = table.subjects if groups is None else groups
    if duplicates is not None:
        groups = with_duplicates(groups, duplicates, table.ids)
    given = competition.validation_folds
    folds = make_folds(
        table,
        competition.task,
        plan.folds if given is None else len(given),
        scheme=competition.fold_scheme,
        seed=plan.fold_seed,
        groups=groups,
        times=cells(competition.time_column),
        predefined=cells(competition.fold_column),
        holdout_fraction=competition.holdout_fraction,
    )
    if duplicates is not None and folds.scheme == "predefined":
        _require_whole_duplicates(plan, folds, duplicates)
    return folds


def with_duplicates(own: np.ndarray | None, duplicates: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
    """Names of groups that keep a table's own groups and its duplicates whole, str [N]; as they were without any.

    Args:
        own: names of the table's groups, [N]; None where each row stands for itself.
        duplicates: numbers of groups that show the same, int64 [N].
        ids: str [N].

    >>> own, duplicates = np.array(["p", "p", "q", "r"]), np.array([0, 1, 1, 2])
    >>> with_duplicates(own, duplicates, np.array(list("abcd"))).tolist()
    ['p', 'p', 'p', 'r']
    """
    if len(np.unique(duplicates)) == len(duplicates):
        return own
    return group_names(merge_groups([own, duplicates]), own, ids)


def planned_duplicates(plan: Plan, table: Table, ranks: Ranks, console: Console) -> np.ndarray | None:
    """The groups of duplicates that `group_duplicates` asks for, int64 [N]; None when it is false.

    Those of the run itself where it is continued, else of an earlier run of the same rows and files, else found now.

    Raises:
        FileNotFoundError, ValueError: the given file is none of duplicates of these rows.
    """
    if plan.group_duplicates is False:
        return None
    if isinstance(plan.group_duplicates, Path):
        return read_given_groups(plan.group_duplicates, plan, table)
    return ranks.share(_own_duplicates(plan, table, console) if ranks.is_main else None)


def read_given_groups(path: Path, plan: Plan, table: Table) -> np.ndarray:
    """The groups that somebody has written down, int64 [N]; of a limited table the file may name none.

    Raises:
        FileNotFoundError, ValueError: no such file, or none of these rows' duplicates.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{KEY}={path}: no such file. Set {KEY}=true to find duplicates now, or the path of a duplicate_groups.csv "
            "that scripts/inspect_data.py wrote."
        )
    return read_groups(path, table.ids, is_whole=plan.limit is None)


def _own_duplicates(plan: Plan, table: Table, console: Console) -> np.ndarray:
    """Read, or found and written; a continued run keeps its groups, wherever it goes on and whatever decodes there."""
    before = plan.folder / "folds.csv"
    if plan.resume and before.is_file():
        folds = Folds.read(before)
        if set(folds.ids.tolist()) == set(table.ids.tolist()):
            groups = folds.aligned_to(table.ids).groups
            return np.arange(len(table)) if groups is None else merge_groups([groups])
    path = duplicates_path(plan, table)
    if not path.is_file():
        console.say(f"looking for duplicates among {len(table)} training pictures; {path} remembers them")
        competition = plan.competition
        with console.epoch(len(table), "looking for duplicates") as bar:
            groups = duplicate_groups(
                table,
                competition.channels,
                competition.max_value,
                threads=cpu_cores(),
                progress=lambda done, total: bar.advance(1),
            )
        write_groups(path, table.ids, np.full(len(table), "train"), groups)
    groups = read_groups(path, table.ids)
    again = len(table) - len(np.unique(groups))
    console.say(f"{again} training picture(s) show what others show; {KEY}=true keeps them in one fold")
    return groups


def duplicates_path(plan: Plan, table: Table) -> Path:
    """Where the duplicates of exactly these rows and files are kept for all runs."""
    settings = f"{plan.competition.channels} {plan.competition.max_value}"
    known = hashlib.sha256("\n".join([settings, *table.ids]).encode() + table.labels.tobytes())
    for file in table.files.ravel():
        status = os.stat(file)
        known.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
    return plan.folder.parent / "duplicates" / f"{known.hexdigest()[:16]}.csv"


def _require_whole_duplicates(plan: Plan, folds: Folds, duplicates: np.ndarray) -> None:
    """Refuse to keep together what the competition's own folds tear apart."""
    order = np.argsort(duplicates, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(duplicates[order])) + 1)
    torn = [folds.ids[rows].tolist() for rows in parts if len(set(folds.fold[rows].tolist())) > 1]
    if torn:
        raise ValueError(
            f"{KEY}={str(plan.group_duplicates).lower()}: {len(torn)} groups of duplicates lie in different folds of "
            f"competition.fold_column={plan.competition.fold_column}, such as {' = '.join(torn[0][:3])}. Set "
            f"{KEY}=false to take those folds as they are, or competition.fold_column=null to make other ones."
        )


def _folds_path(plan: Plan, table: Table, folds: Folds) -> Path:
    """Where the split of exactly these rows, by this scheme, number and seed, is kept for all runs."""
    groups = b"" if folds.groups is None else "\n".join(folds.groups).encode()
    rows = hashlib.sha256("\n".join(table.ids).encode() + table.labels.tobytes() + groups).hexdigest()
    name = f"{folds.scheme}_{folds.num_folds}_seed{plan.fold_seed}_{rows[:8]}.csv"
    return plan.folder.parent / "folds" / name
