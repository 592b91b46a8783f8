"""Scores of each class and of each group, with what they could as well be."""

import numpy as np
import pandas as pd

from compkit.report.analysis import class_scores, sample_losses
from compkit.report.intervals import mean_interval, wilson
from compkit.report.section import Number, Right, Section, Table, number
from compkit.results import OutOfFold
from compkit.types import Task

THRESHOLD = 0.5  # probability from which a label counts as predicted in these tables
MOST = 60  # rows of a table; of more only the worst and the best are shown
LEAST_ROWS = 5  # of a group, below which its score says nothing


def classes(oof: OutOfFold) -> Section:
    """Precision, recall and F1 of each class, with the 95 % intervals of the shares."""
    if oof.task == Task.MULTICLASS:
        answers = oof.values.argmax(1)
        hits, support, called = (
            np.bincount(rows, minlength=len(oof.classes))
            for rows in (oof.targets[answers == oof.targets], oof.targets, answers)
        )
        how = "The class of highest probability is the prediction."
    else:
        truth, predicted = oof.targets > 0.5, oof.values >= THRESHOLD
        hits, support, called = (truth & predicted).sum(0), truth.sum(0), predicted.sum(0)
        how = f"A label is predicted from probability {THRESHOLD}, whatever the metric's own threshold."
    scores = class_scores(hits, support, called)
    of_called, of_support = wilson(hits, called), wilson(hits, support)

    def row(at: int) -> list[object]:
        return [
            oof.classes[at],
            int(support[at]),
            Number(scores.precision[at]),
            Right(_between(of_called[0][at], of_called[1][at])),
            Number(scores.recall[at]),
            Right(_between(of_support[0][at], of_support[1][at])),
            Number(scores.f1[at]),
        ]

    means = [Number(score.mean()) for score in scores]
    mean = ["mean of classes", "", means[0], Right(""), means[1], Right(""), means[2]]
    columns = ["class", "images", "precision", "95 % interval", "recall", "95 % interval", "F1"]
    sentences = [
        how,
        "Intervals are Wilson's, of shares of images, and know nothing of images that are alike.",
    ]
    if len(oof.classes) <= MOST:
        rows = [*map(row, range(len(oof.classes))), mean]
        tables = [Table("Scores of each class", columns, rows, summary_rows=1)]
        return Section("classes", "Classes", sentences, tables=tables)
    order, half = np.argsort(scores.f1, kind="stable"), MOST // 2
    quartiles = ", ".join(number(value) for value in np.quantile(scores.f1, [0.25, 0.5, 0.75]))
    sentences.append(
        f"{len(oof.classes)} classes: the quartiles of F1 are {quartiles}; {int((hits == 0).sum())} classes are never "
        f"called right, {int((called == 0).sum())} never called at all. The tables have the {half} worst and best."
    )
    worst, best = [row(at) for at in order[:half]], [row(at) for at in order[::-1][:half]]
    tables = [
        Table(f"The {half} classes of lowest F1", columns, [*worst, mean], summary_rows=1),
        Table(f"The {half} classes of highest F1", columns, best),
    ]
    return Section("classes", "Classes", sentences, tables=tables)


def groups(oof: OutOfFold, folds: pd.DataFrame | None) -> list[Section]:
    """What the groups of folds.csv (patients, places) get wrong; no section without groups of several rows.

    Args:
        oof: predictions; of subjects, the first picture tells the group.
        folds: id, fold and group of each picture.
    """
    if folds is None or "group" not in folds or not folds["group"].notna().any() or not len(oof.ids):
        return []
    group_of = dict(zip(folds["id"], folds["group"].astype(str), strict=True))
    pictures = oof.ids if oof.pictures is None else oof.pictures
    names = np.array([group_of.get(str(picture), "none") for picture in pictures], dtype=object)
    found, which, sizes = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    large = np.flatnonzero(sizes >= LEAST_ROWS)
    if not len(large) or len(found) < 2:
        return []
    share = oof.task == Task.MULTICLASS
    errors = _row_errors(oof)
    means = np.bincount(which, errors) / sizes
    order = large[np.argsort(-means[large], kind="stable")]
    shown = order if len(order) <= MOST else np.concatenate([order[: MOST // 2], order[-MOST // 2 :]])
    what = _ERRORS[oof.task]
    rows: list[list[object]] = []
    for at in shown:
        ends = _interval(errors[which == at], share)
        rows.append([found[at], int(sizes[at]), Number(means[at]), Right(_between(*ends))])
    rows.append(["all rows", len(errors), Number(errors.mean()), Right(_between(*_interval(errors, share)))])
    sentences = [
        f"{len(found)} groups, {len(large)} of them with at least {LEAST_ROWS} rows; worst first. {what[0].upper()}"
        f"{what[1:]}, with 95 % intervals ({'Wilson' if share else 'bootstrap'}). Of many groups some lie far off by "
        "chance alone."
    ]
    if len(shown) < len(order):
        sentences.append(f"The {MOST // 2} worst and the {MOST // 2} best are shown.")
    table = Table("Errors of each group", ["group", "rows", what, "95 % interval"], rows, summary_rows=1)
    return [Section("groups", "Groups", sentences, tables=[table])]


_ERRORS = {
    Task.MULTICLASS: "share called wrong",
    Task.MULTILABEL: "mean binary cross-entropy",
    Task.REGRESSION: "mean squared error, in variances of the target",
}


def _row_errors(oof: OutOfFold) -> np.ndarray:
    """How wrong each row is, [N]."""
    if oof.task == Task.MULTICLASS:
        return (oof.values.argmax(1) != oof.targets).astype(np.float64)
    return sample_losses(oof.task, oof.targets, oof.values)


def _interval(errors: np.ndarray, share: bool) -> tuple[float, float]:
    if not share:
        return mean_interval(errors)
    low, high = wilson(np.array([errors.sum()]), np.array([len(errors)]))
    return float(low[0]), float(high[0])


def _between(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"
