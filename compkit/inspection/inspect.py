"""Everything that is looked at in a competition's data, in one pass over its pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compkit.competition import Competition, Folds, merge_groups
from compkit.findings import Finding, Status
from compkit.inspection.domain import compare_domains
from compkit.inspection.duplicate_findings import duplicate_findings
from compkit.inspection.features import used_columns
from compkit.inspection.label_issues import CHECK, LabelIssues, find_label_issues, label_finding
from compkit.inspection.label_names import label_findings
from compkit.inspection.pixels import find_mark, mark_finding
from compkit.inspection.shortcuts import probe_shortcuts
from compkit.inspection.summary import (
    NOT_SPLIT,
    class_finding,
    file_findings,
    fold_findings,
    require_readable,
)
from compkit.pictures.duplicates import Duplicates, find_duplicates
from compkit.pictures.measure import Measured, measure_pictures
from compkit.results import OutOfFold
from compkit.run.plan import Plan
from compkit.run.split import make_plan_folds, read_given_groups
from compkit.types import Table


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        table, test: training and test rows; test None without a test set.
        train_seen, test_seen: what was measured of them.
        duplicates: of the rows of both, the training rows first.
        folds: of the readable training rows, or why there are none.
        oof, issues: a run's out-of-fold predictions and the labels they contradict; None without a run.
        findings: all, in the order of the page.
    """

    table: Table
    test: Table | None
    train_seen: Measured
    test_seen: Measured | None
    duplicates: Duplicates
    folds: Folds | str
    oof: OutOfFold | None
    issues: LabelIssues | None
    findings: list[Finding]

    @property
    def ids(self) -> np.ndarray:
        """Of training and test rows."""
        return self.table.ids if self.test is None else np.concatenate([self.table.ids, self.test.ids])

    @property
    def files(self) -> np.ndarray:
        """Of training and test rows."""
        return both_files(self.table, self.test)


def inspect(
    plan: Plan, oof: OutOfFold | None, threads: int, progress: Callable[[int, int], None] | None = None
) -> Inspection:
    """Read a competition and look at all of it.

    Args:
        plan: of a run; its competition, folds, fold_seed, group_duplicates and limit are used.
        oof: predictions for the training rows, which tell suspicious labels; None without.
        threads: pictures decoded at a time.
        progress: called with (pictures done, of so many) of each part.

    Raises:
        FileNotFoundError, ValueError: the tables cannot be read, or not one of the training pictures; some that cannot
            are a finding.
    """
    competition = plan.competition
    table = competition.read_train(plan.limit)
    has_test = plan.predict_test and competition.test_images is not None
    test = competition.read_test(plan.limit) if has_test else None
    channels, max_value = competition.channels, competition.max_value
    train_seen = measure_pictures(table, channels, max_value, threads, progress)
    require_readable(train_seen, competition.train_images)
    test_seen = None if test is None else measure_pictures(test, channels, max_value, threads, progress)
    duplicates = find_duplicates(
        both_files(table, test),
        train_seen if test_seen is None else train_seen.joined(test_seen),
        table.targets,
        channels,
        max_value,
    )
    readable = np.flatnonzero(train_seen.readable)
    planned = plan_folds(plan, table.take(readable), duplicates.own[readable])
    found = Inspection(
        table,
        test,
        train_seen,
        test_seen,
        duplicates,
        NOT_SPLIT if plan.full_data else planned,
        oof,
        None if oof is None else find_label_issues(oof),
        findings=[],
    )
    found.findings.extend(_data_findings(found, competition))
    found.findings.extend(_learning_findings(found, planned, competition, threads))
    return found


def plan_folds(plan: Plan, table: Table, duplicates: np.ndarray) -> Folds | str:
    """The folds that a run would make of these rows, or why it would not.

    Args:
        table: the readable training rows.
        duplicates: their groups, which count where `group_duplicates` is true, int64 [N].
    """
    competition = plan.competition
    try:
        if isinstance(plan.group_duplicates, Path):
            duplicates = read_given_groups(plan.group_duplicates, plan, table)
        folds = make_plan_folds(plan, table, duplicates if plan.group_duplicates else None)
        folds.audit(table.labels, competition.task, competition.classes)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return folds


def both_files(table: Table, test: Table | None) -> np.ndarray:
    """Files of training and test rows, bytes [N + M, F]."""
    return table.files if test is None else np.concatenate([table.files, test.files])


def _data_findings(found: Inspection, competition: Competition) -> list[Finding]:
    """What files, classes, folds and duplicates say."""
    task, classes, table = competition.task, competition.classes, found.table
    readable = np.flatnonzero(found.train_seen.readable)
    kept = table.take(readable)
    findings = file_findings(found.train_seen, table.ids, "train", competition.corrupt_images)
    if found.test is not None and found.test_seen is not None:
        findings += file_findings(found.test_seen, found.test.ids, "test", competition.corrupt_images)
    fold = None
    if isinstance(found.folds, Folds):
        fold = np.full(len(table), -1)
        fold[readable] = found.folds.fold
    return [
        *findings,
        class_finding(kept, task, classes),
        *label_findings(kept, task, classes, used_columns(competition)),
        *fold_findings(found.folds, kept, task, classes),
        *duplicate_findings(found.duplicates, found.ids, table.labels, fold),
    ]


def _learning_findings(
    found: Inspection, planned: Folds | str, competition: Competition, threads: int
) -> list[Finding]:
    """What small models and a run's predictions say.

    Args:
        planned: folds whose groups stay whole here, whether or not the run splits.
    """
    table, seen = found.table, found.train_seen
    rows, readable = len(table), np.flatnonzero(seen.readable)
    own = np.full(rows, -1)
    if isinstance(planned, Folds) and planned.groups is not None:
        own[readable] = np.unique(planned.groups, return_inverse=True)[1]
    own = np.where(own < 0, rows + np.arange(rows), own)
    groups = merge_groups([found.duplicates.groups[:rows], own])
    kept, kept_seen = table.take(readable), seen.take(readable)
    mark = find_mark(kept, kept_seen, competition.task, competition.channels, competition.max_value, threads)
    test_groups = None
    if found.test is not None:
        alike = found.duplicates.groups[rows:]
        # a test picture that is a training picture too is of its group, whose number comes from the merged ones
        number = dict(zip(found.duplicates.groups[:rows].tolist(), groups.tolist(), strict=True))
        alone = merge_groups([alike, found.test.subjects]) + groups.max(initial=0) + 1
        pairs = zip(alike.tolist(), alone.tolist(), strict=True)
        test_groups = np.array([number.get(one, other) for one, other in pairs])
    return [
        *probe_shortcuts(kept, kept_seen, competition, found.test, groups[readable]),
        mark_finding(mark),
        compare_domains(seen, found.test_seen, groups, test_groups),
        _label_finding(found),
    ]


def _label_finding(found: Inspection) -> Finding:
    if found.oof is None or found.issues is None:
        return Finding(
            CHECK, Status.SKIP, "needs a run's out-of-fold predictions: run=outputs/<competition>/<name>"
        )
    return label_finding(found.issues, found.oof)
