"""Proofs of the folds: no picture on both sides, no class on one alone."""

import hashlib
import os
from collections import defaultdict

import numpy as np

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import KEPT, doubted, failed, left_out, listed
from compkit.findings import Finding
from compkit.types import Table, Task

MANY = 5000  # files whose sizes are asked for
READ = 32_000_000  # bytes that are read to compare files of one size


def classes(bench: Bench) -> list[Finding]:
    """Each fold has every class to learn from."""
    if bench.task == Task.REGRESSION:
        return [left_out("classes", "Numbers have no classes.")]
    labels, folds, names = bench.data.table.labels, bench.data.folds, bench.plan.competition.classes
    found = []
    total = _counts(labels, len(names))
    for fold in range(max(folds.num_folds, 1)):
        here, judged = (
            _counts(labels[rows], len(names)) for rows in (folds.train_rows(fold), folds.valid_rows(fold))
        )
        lacking = np.flatnonzero((judged > 0) & (here == 0))
        if len(lacking):
            told = [f"{names[one]} ({total[one]} rows)" for one in lacking.tolist()]
            found.append(
                doubted(
                    "classes",
                    f"Fold {fold} has no training row of {len(lacking)} classes and is judged by them: "
                    f"{listed(told)}.",
                    "Set another competition.fold_scheme, fewer folds or a larger limit, or correct "
                    "competition.fold_column.",
                    len(lacking),
                    "0",
                    fold=fold,
                    classes=[str(names[one]) for one in lacking.tolist()][:KEPT],
                )
            )
    return found


def _counts(labels: np.ndarray, count: int) -> np.ndarray:
    return (
        np.bincount(labels[labels >= 0], minlength=count) if labels.ndim == 1 else (labels > 0.5).sum(axis=0)
    )


def apart(bench: Bench) -> list[Finding]:
    """No picture is learnt from and judged in the same fold."""
    folds, table = bench.data.folds, bench.data.table
    overlap = np.intersect1d(bench.fold_data.train_rows, bench.fold_data.valid_rows)
    if len(overlap):
        return [
            failed(
                "apart",
                f"{len(overlap)} rows of fold {bench.fold} are trained on and validated on.",
                "Look at competition.fold_column.",
                len(overlap),
                "0",
            )
        ]
    if bench.plan.full_data or not folds.num_folds:
        return [left_out("apart", "No row validates.")]
    if len(table) > MANY:
        return [
            left_out(
                "apart", f"{len(table)} pictures are too many to compare here: scripts/inspect_data.py does."
            )
        ]
    groups = equal_files(table)
    torn = [rows for rows in groups if len({int(folds.fold[row]) for row in rows}) > 1]
    if not torn:
        return []
    first = [str(table.ids[row]) for row in torn[0][:2]]
    count = sum(len(rows) for rows in torn)
    return [
        doubted(
            "apart",
            f"{count} pictures lie in several folds with the same bytes, {first[0]} and {first[1]} among them: the "
            "validation score would be too good.",
            "Run scripts/inspect_data.py and give the folds its groups of duplicates, or set "
            "competition.group_column.",
            count,
            "0",
            ids=[[str(table.ids[row]) for row in rows] for rows in torn[:KEPT]],
        )
    ]


def equal_files(table: Table) -> list[list[int]]:
    """Rows whose files have the same bytes, as far as so many can be read in a moment."""
    names = [tuple(os.fsdecode(name) for name in row) for row in table.files]
    by_name: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, files in enumerate(names):
        by_name[files].append(row)
    by_size: dict[tuple[int, ...], list[tuple[str, ...]]] = defaultdict(list)
    for files in by_name:
        by_size[tuple(os.stat(file).st_size for file in files)].append(files)
    groups: dict[bytes | tuple[str, ...], list[int]] = defaultdict(list)
    budget = READ
    for sizes, several in by_size.items():
        for files in several:
            key: bytes | tuple[str, ...] = files
            if len(several) > 1 and budget > 0:
                budget -= sum(sizes)
                key = _digest(files)
            groups[key] += by_name[files]
    return [rows for rows in groups.values() if len(rows) > 1]


def _digest(files: tuple[str, ...]) -> bytes:
    found = hashlib.blake2b()
    for file in files:
        with open(file, "rb") as opened:
            found.update(opened.read())
    return found.digest()
