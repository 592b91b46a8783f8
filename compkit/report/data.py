"""The chapter about the data: classes by fold, and what the inspection of the same rows found."""

from typing import Any, NamedTuple

import numpy as np

from compkit.findings import Finding, Status
from compkit.report.checks import finding_tables
from compkit.report.inspected import Inspected, find_inspection
from compkit.report.records import OutOfFold, RunRecord
from compkit.report.section import Number, Section, Table, number
from compkit.types import Task

MOST_ROWS = 60  # of a table; of more classes only the rarest and the most frequent are shown
MOST_ISSUES = 30  # suspicious labels shown; the inspection's own page has all, with pictures


class Data(NamedTuple):
    """The chapter, and the inspection's findings for the top of the page."""

    section: Section
    findings: list[Finding]
    notes: list[str]


def data(run: RunRecord) -> Data:
    """Classes by fold, and the inspection's findings where one of the same rows lies beside the run."""
    found, notes = find_inspection(run)
    tables, sentences = [], []
    if run.oof is None or not len(run.oof.ids):
        sentences.append("Targets by fold follow once out-of-fold predictions are there.")
    else:
        sentences += _shown(len(run.oof.classes))
        tables.append(targets_by_fold(run.oof))
    if found is None:
        competition = run.folder.resolve().parent.name
        sentences.append(
            f"No inspection of these rows is at hand. python scripts/inspect_data.py competition={competition} looks "
            "for damaged files, duplicates, shortcuts and suspicious labels; then write this page anew."
        )
        return Data(Section("data", "Data", sentences, tables=tables), [], notes)
    sentences += _about(found)
    tables += [*finding_tables(found.findings), *_sizes(found.record), *_issues(found.record)]
    return Data(Section("data", "Data", sentences, tables=tables), found.findings, notes)


def targets_by_fold(oof: OutOfFold) -> Table:
    """How many images of each class a fold has; of numbers, mean and deviation."""
    folds, which = np.unique(oof.fold, return_inverse=True)
    headings = [f"fold {fold}" for fold in folds]
    if oof.task == Task.REGRESSION:
        parts = [oof.targets[which == place] for place in range(len(folds))]
        rows: list[list[object]] = [
            [name, *(f"{number(part[:, at].mean())} ± {number(part[:, at].std())}" for part in parts)]
            for at, name in enumerate(oof.classes[:MOST_ROWS])
        ]
        return Table("Targets by fold, mean ± standard deviation", ["target", *headings], rows)
    if oof.task == Task.MULTICLASS:
        cells = np.bincount(oof.targets * len(folds) + which, minlength=len(oof.classes) * len(folds))
        counts = cells.reshape(len(oof.classes), len(folds))
    else:
        counts = np.stack(
            [(oof.targets[which == place] > 0.5).sum(axis=0) for place in range(len(folds))], axis=1
        )
    total = counts.sum(axis=1)
    kept = np.arange(len(counts))
    if len(counts) > MOST_ROWS:
        order = np.argsort(total, kind="stable")
        kept = np.concatenate([order[: MOST_ROWS // 2], order[-MOST_ROWS // 2 :]])
    rows = [[oof.classes[at], int(total[at]), *map(int, counts[at])] for at in kept]
    rows.append([f"all {len(counts)}", int(total.sum()), *map(int, counts.sum(axis=0))])
    return Table("Images of each class by fold", ["class", "images", *headings], rows, summary_rows=1)


def _shown(classes: int) -> list[str]:
    if classes <= MOST_ROWS:
        return []
    return [
        f"Of {classes} classes the table has the {MOST_ROWS // 2} rarest and the {MOST_ROWS // 2} most frequent."
    ]


def _about(found: Inspected) -> list[str]:
    """The inspection in a few sentences."""
    record = found.record
    counts = [sum(one.status == status for one in found.findings) for status in (Status.FAIL, Status.WARN)]
    sentences = [
        f"Inspected: {record['train_pictures']} training and {record['test_pictures']} test pictures; {counts[0]} "
        f"findings failed, {counts[1]} warn. Pictures are in {found.folder.name}/inspection.html beside the run."
    ]
    if found.split_groups is not None:
        sentences.append(
            f"{found.groups} groups of duplicates are among the training pictures; {found.split_groups} of them lie in "
            "more than one fold of this run."
        )
    return sentences


def _sizes(record: dict[str, Any]) -> list[Table]:
    sizes = record.get("sizes") or {}
    rows: list[list[object]] = [[str(size), int(count)] for size, count in sizes.items()]
    return [Table("Most frequent sizes, height x width", ["size", "pictures"], rows)] if rows else []


def _issues(record: dict[str, Any]) -> list[Table]:
    """Labels that a run's predictions contradict, the most certain first."""
    issues = record.get("label_issues") or []
    rows: list[list[object]] = [
        [str(one["id"]), str(one["given"]), str(one["predicted"]), Number(one["margin"])]
        for one in issues[:MOST_ISSUES]
    ]
    title = f"Suspicious labels, the first {len(rows)} of {len(issues)}"
    return [Table(title, ["id", "label", "predicted", "margin"], rows)] if rows else []
