"""What one run gains over another: by folds, and row by row."""

from typing import NamedTuple

import numpy as np

from compkit.report.analysis import sample_losses
from compkit.report.intervals import Paired, paired
from compkit.report.records import RunRecord
from compkit.report.verdict import value_of
from compkit.results import OutOfFold


class Rows(NamedTuple):
    """Two runs' out-of-fold rows side by side."""

    gain: Paired  # of the loss of a row, above 0 is better
    mended: int  # rows that only the first run calls wrong
    broken: int  # rows that only the second run calls wrong


def fold_gain(first: RunRecord, other: RunRecord) -> Paired:
    """What another run gains over the first in the folds that both have; above 0 is better."""
    sign = 1 if first.metrics["greater_is_better"] else -1
    before, after = scores_of_folds(first), scores_of_folds(other)
    return paired([sign * (after[fold] - before[fold]) for fold in before if fold in after])


def row_gain(first: OutOfFold | None, other: OutOfFold | None) -> Rows | None:
    """The same of each out-of-fold row's loss; None where the runs have no rows, or no classes, in common."""
    if first is None or other is None or first.classes != other.classes or first.task != other.task:
        return None
    _, mine, theirs = np.intersect1d(first.ids.astype(str), other.ids.astype(str), return_indices=True)
    if not len(mine):
        return None
    targets = first.targets[mine]
    before = sample_losses(first.task, targets, first.values[mine])
    after = sample_losses(first.task, targets, other.values[theirs])
    if targets.ndim > 1:  # several numbers or labels a row: none is plainly right
        return Rows(paired(before - after), 0, 0)
    was_right = first.values[mine].argmax(1) == targets
    is_right = other.values[theirs].argmax(1) == targets
    return Rows(
        paired(before - after), int((~was_right & is_right).sum()), int((was_right & ~is_right).sum())
    )


def scores_of_folds(run: RunRecord) -> dict[int, float]:
    """The score of each fold; NaN where it could not be computed."""
    metric = run.metrics["metric"]
    return {fold["fold"]: value_of(fold["best"], metric) for fold in run.metrics["folds"]}
