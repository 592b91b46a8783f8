"""Predictions of several runs for the same rows, joined on id."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition import Folds
from compkit.ensemble.members import Member
from compkit.metrics import Metric
from compkit.types import Predictions, Table, Task


@dataclass(frozen=True)
class Aligned:
    """What M runs predict for the same rows and classes, in the order of the first run.

    Attributes:
        names: of the runs, M, all different.
        folders: of the runs, M.
        task: of the competition.
        classes: names of the C outputs.
        ids: of the training rows that all runs predicted out of fold, str [N].
        fold: the fold that held each of them out, int64 [N].
        targets: int64 [N] for multiclass, else float64 [N, C].
        groups: of these rows, str [N]; None without groups.
        oof: float64 [M, N, C].
        test_ids: str [T]; None when no run has predicted a test set.
        test: float64 [M, T, C], or None.
        test_of_folds: the same by fold, [M, T, C] each; None unless all runs keep them for all folds.
        fold_hash: of the split they share.
        folds: that split.
        pictures: of each row, where these are subjects, the id of its first image, str [N].
    """

    names: tuple[str, ...]
    folders: tuple[Path, ...]
    task: Task
    classes: tuple[str, ...]
    ids: np.ndarray
    fold: np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None
    oof: np.ndarray
    test_ids: np.ndarray | None
    test: np.ndarray | None
    test_of_folds: dict[int, np.ndarray] | None
    fold_hash: str
    folds: Folds
    pictures: np.ndarray | None = None

    @property
    def table(self) -> Table:
        """The training rows with their targets, as predictions are written beside them; without their files."""
        return Table(self.ids, np.zeros((len(self.ids), 1), "S1"), self.targets)


def align(members: Sequence[Member]) -> Aligned:
    """Put the predictions of several runs side by side: rows by id, columns by the name of the class.

    Raises:
        ValueError: runs that do not belong together: other competition, task, classes or folds, rows that one
            of them lacks, other targets, or a test set that only some have predicted.
    """
    first = members[0]
    _same(members, "competition", lambda one: one.competition, "Runs of one competition can be put together")
    _same(members, "task", lambda one: str(one.oof.task), "Train it for the same task")
    _same(members, "class names", lambda one: sorted(one.oof.classes), "Train it on the same classes")
    _same(
        members,
        "fold hash",
        lambda one: one.fold_hash[:12],
        "Rows that one run has learnt from, another one holds out, so no honest score can be had of both. "
        "Train it with the same folds, fold_seed, limit and competition.fold_scheme",
    )
    _require_rows(members)
    _require_test(members)

    oof, rows = first.oof, [pd.Index(one.oof.ids).get_indexer(pd.Index(first.oof.ids)) for one in members]
    columns = [[one.oof.classes.index(name) for name in oof.classes] for one in members]
    for one, row, column in zip(members, rows, columns, strict=True):
        _require_targets(first, one, row, column)
    pictures = oof.ids.astype(str) if oof.pictures is None else oof.pictures
    in_folds = pd.Index(first.folds.ids).get_indexer(pd.Index(pictures))
    groups = None if first.folds.groups is None else first.folds.groups[in_folds]
    folds = np.unique(oof.fold).tolist()
    all_keep = all(set(folds) <= set(one.test_of_folds) for one in members)
    return Aligned(
        names=_names(members),
        folders=tuple(one.folder for one in members),
        task=oof.task,
        classes=oof.classes,
        ids=oof.ids.astype(str),
        fold=oof.fold,
        targets=oof.targets,
        groups=groups,
        oof=np.stack(
            [one.oof.values[row][:, column] for one, row, column in zip(members, rows, columns, strict=True)]
        ),
        test_ids=None if first.test is None else first.test.ids,
        test=None if first.test is None else _side_by_side([one.test for one in members], columns),
        test_of_folds={
            fold: _side_by_side([one.test_of_folds[fold] for one in members], columns, first.test)
            for fold in folds
        }
        if all_keep
        else None,
        fold_hash=first.fold_hash,
        folds=first.folds,
        pictures=oof.pictures,
    )


def check_metric(aligned: Aligned, metric: Metric) -> None:
    """Refuse a metric that these rows leave undefined, such as the AUC of a column with one class only.

    Raises:
        ValueError: with the columns.
    """
    metric.check_task(aligned.task)
    values = aligned.oof[0]
    by_class = metric.per_class(aligned.targets, values) if metric.kind == "probabilities" else None
    undefined = [] if by_class is None else np.flatnonzero(np.isnan(by_class)).tolist()
    if undefined:
        names = ", ".join(repr(aligned.classes[column]) for column in undefined[:10])
        raise ValueError(
            f"metric {metric.name}: undefined for column(s) {names}, as all {len(aligned.ids)} out-of-fold rows "
            "belong to one class there. Train on rows of both, or set another metric."
        )
    if np.isnan(metric(aligned.targets, values)):
        raise ValueError(
            f"metric {metric.name}: is NaN on the {len(aligned.ids)} out-of-fold rows of {aligned.names[0]}. "
            "Set another metric."
        )


def _same(members: Sequence[Member], what: str, of: Callable[[Member], object], advice: str) -> None:
    first = members[0]
    for one in members[1:]:
        if of(one) != of(first):
            raise ValueError(
                f"{one.folder}: its {what} is {of(one)}, that of {first.folder} is {of(first)}. "
                f"{advice}, or take it out of runs."
            )


def _require_rows(members: Sequence[Member]) -> None:
    """Every run must have predicted the out-of-fold rows of all the others."""
    everything = pd.Index(np.unique(np.concatenate([one.oof.ids for one in members])))
    pairs = (zip(one.oof.ids.tolist(), one.oof.fold.tolist(), strict=True) for one in members)
    fold = dict(pair for of_run in pairs for pair in of_run)
    for one in members:
        lacking = everything.difference(pd.Index(one.oof.ids)).tolist()
        if not lacking:
            continue
        folds = sorted({fold[id] for id in lacking} - set(one.oof.fold.tolist()))
        shown = ", ".join(repr(id) for id in lacking[:10]) + (", ..." if len(lacking) > 10 else "")
        raise ValueError(
            f"{one.folder}: lacks {len(lacking)} of {len(everything)} out-of-fold rows that other runs predicted, "
            + (f"among them all of fold(s) {folds}" if folds else f"ids {shown}")
            + ". Train its other folds with resume=true train_folds=all, or take it out of runs."
        )


def _require_test(members: Sequence[Member]) -> None:
    """All runs have predicted the same test set, or none has."""
    having = [one for one in members if one.test is not None]
    for one in members:
        if one.test is None and having:
            raise ValueError(
                f"{one.folder}: has no test.parquet, but {having[0].folder} has one. Set predict_test=true "
                "resume=true to predict it, or take one of them out of runs."
            )
        if one.test is None or having[0].test is None:
            continue
        differing = sorted(set(one.test.ids.tolist()) ^ set(having[0].test.ids.tolist()))
        if differing:
            raise ValueError(
                f"{one.folder}: predicted another test set than {having[0].folder}: {len(differing)} ids, such as "
                f"{differing[:5]}, are in one of them only. Predict the same rows with both."
            )


def _require_targets(first: Member, one: Member, rows: np.ndarray, columns: list[int]) -> None:
    targets = one.oof.targets[rows]
    if one.oof.task == Task.MULTICLASS:
        targets = np.argsort(columns)[targets]  # its class indices as those of the first run
        differs = targets != first.oof.targets
    else:
        differs = (targets[:, columns] != first.oof.targets).any(axis=1)
    if differs.any():
        raise ValueError(
            f"{one.folder}: its targets differ from those of {first.folder} in {differs.sum()} rows, such as id "
            f"{first.oof.ids[differs][0]!r}. The labels changed between the two; train one of them again."
        )


def _side_by_side(
    tests: Sequence[Predictions | None], columns: Sequence[list[int]], order: Predictions | None = None
) -> np.ndarray:
    """Test predictions [M, T, C] in float64, rows as in `order` (the first of them), columns as in `columns`."""
    given = [one for one in tests if one is not None]
    ids = pd.Index((order or given[0]).ids)
    rows = [pd.Index(one.ids).get_indexer(ids) for one in given]
    assert all((row >= 0).all() for row in rows)
    return np.stack(
        [
            one.values[row][:, column].astype(np.float64)
            for one, row, column in zip(given, rows, columns, strict=True)
        ]
    )


def _names(members: Sequence[Member]) -> tuple[str, ...]:
    """Short names where they tell the runs apart, else the whole folders."""
    names = tuple(one.name for one in members)
    return names if len(set(names)) == len(names) else tuple(str(one.folder) for one in members)
