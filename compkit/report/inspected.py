"""The inspection of a run's data, found beside the run and held against its rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compkit.findings import Finding
from compkit.report.checks import findings_of
from compkit.report.records import RunRecord
from compkit.types import Task


@dataclass(frozen=True)
class Inspected:
    """What scripts/inspect_data.py wrote about the rows of a run.

    Attributes:
        folder: where it lies.
        record: inspection.json.
        findings: of it.
        groups: of duplicates among the training rows.
        split_groups: those in more than one fold of the run; None where duplicate_groups.csv or folds.csv is not there.
    """

    folder: Path
    record: dict[str, Any]
    findings: list[Finding]
    groups: int = 0
    split_groups: int | None = None


def find_inspection(run: RunRecord) -> tuple[Inspected | None, list[str]]:
    """The newest inspection beside the run that is of its rows, and notes on those that are not or are damaged."""
    paths = run.folder.resolve().parent.glob("inspection*/inspection.json")
    notes: list[str] = []
    for path in sorted(paths, key=lambda one: one.stat().st_mtime, reverse=True):
        name = f"{path.parent.name}/{path.name}"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            findings = findings_of(record)
            stranger = _difference(run, record, path.parent)
            if not stranger:
                return _with_groups(run, Inspected(path.parent, record, findings)), notes
            notes.append(f"{name} is of other data: {stranger}.")
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            notes.append(f"{name} is damaged and left out ({type(error).__name__}: {error}).")
    return None, notes


def _difference(run: RunRecord, record: dict[str, Any], folder: Path) -> str:
    """Why an inspection is of other rows than the run's; "" where nothing says so.

    Rows whose picture cannot be read are inspected, and may be left out of the run.
    """
    if run.folds is not None:
        rows, inspected = len(run.folds), int(record["train_pictures"])
        unreadable = next(
            (
                int(one["value"] or 0)
                for one in record["findings"]
                if one["check"] == "readable pictures, train"
            ),
            0,
        )
        if not inspected - unreadable <= rows <= inspected:
            return f"{inspected} training pictures, this run has {rows}"
        strangers = np.setdiff1d(_grouped(folder)["id"], run.folds["id"])
        if len(strangers) > unreadable:
            return f"{len(strangers)} of its duplicates, such as {strangers[0]!r}, are no rows of this run"
    classes = record.get("classes")
    if classes is None or not run.metrics:
        return ""
    if list(map(str, classes)) != list(run.metrics["classes"]):
        return f"its classes are {', '.join(list(classes)[:5])}…"
    oof = run.oof
    if oof is not None and oof.pictures is None and len(oof.ids) == record["train_pictures"]:
        one_each = oof.task == Task.MULTICLASS
        counts = (
            np.bincount(oof.targets, minlength=len(oof.classes))
            if one_each
            else (oof.targets > 0.5).sum(axis=0)
        )
        if counts.tolist() != list(classes.values()):
            return "its classes have other numbers of pictures"
    return ""


def _grouped(folder: Path) -> pd.DataFrame:
    """Training rows of duplicate_groups.csv: id, part, group; empty where there is none."""
    path = folder / "duplicate_groups.csv"
    if not path.is_file():
        return pd.DataFrame({"id": [], "part": [], "group": []}, dtype=object)
    frame = pd.read_csv(path, dtype=str, na_filter=False)
    return frame[frame["part"] == "train"]


def _with_groups(run: RunRecord, found: Inspected) -> Inspected:
    """With how its groups of duplicates lie in the folds."""
    if run.folds is None or not (found.folder / "duplicate_groups.csv").is_file():
        return found
    groups = _grouped(found.folder).merge(run.folds[["id", "fold"]], on="id").groupby("group")["fold"]
    sizes, folds = groups.size(), groups.nunique()
    return Inspected(
        found.folder, found.record, found.findings, int((sizes > 1).sum()), int((folds > 1).sum())
    )
