"""The chapters about errors: confusion, classes, residuals, calibration, worst mistakes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compkit.report.analysis import (
    confusion_matrix,
    most_confused,
    reliability,
    sample_losses,
)
from compkit.report.breakdown import THRESHOLD, classes, groups
from compkit.report.pictures import ImageOf, thumbnail
from compkit.report.plots import heat_map, histogram, reliability_diagram, scatter
from compkit.report.records import OutOfFold
from compkit.report.section import Figure, Number, Picture, Section, Table, number
from compkit.types import Task

MAX_CLASSES_DRAWN = 60  # a larger confusion matrix is unreadable
MAX_COLUMNS_DRAWN = 6  # regression targets with charts of their own
WORST = 24  # pictures
PAIRS = 20  # of classes, the most confused


def error_sections(
    oof: OutOfFold, image_of: ImageOf | None, folds: pd.DataFrame | None = None
) -> list[Section]:
    """What the out-of-fold predictions get wrong, by task.

    Args:
        oof: predictions; without any row there is nothing to say.
        image_of: the picture of an id.
        folds: folds.csv, whose groups are looked at too.
    """
    if not len(oof.ids):
        return []
    by_group = groups(oof, folds)
    if oof.task == Task.REGRESSION:
        return [worst(oof, image_of), residuals(oof), *by_group]
    sections = [confusion(oof)] if oof.task == Task.MULTICLASS else []
    return [worst(oof, image_of), *sections, calibration(oof), classes(oof), *by_group]


def confusion(oof: OutOfFold) -> Section:
    """Which class is taken for which; with many classes only the pairs most often confused."""
    called = oof.values.argmax(1)
    right, total = int((called == oof.targets).sum()), len(called)
    sentences = [f"{right} of {total} images are called right, {total - right} wrong."]
    figures = []
    if len(oof.classes) <= MAX_CLASSES_DRAWN:
        counts = confusion_matrix(oof.targets, called, len(oof.classes))
        figures.append(
            Figure(
                "Counts of out-of-fold images; shade is the share of the row, that is of the true class.",
                [heat_map("Confusion matrix", counts, oof.classes)],
            )
        )
    else:
        sentences.append(
            f"With {len(oof.classes)} classes (more than {MAX_CLASSES_DRAWN}) the matrix is not drawn."
        )
    support = np.bincount(oof.targets, minlength=len(oof.classes))
    rows = [
        [oof.classes[true], oof.classes[other], count, Number(count / support[true])]
        for true, other, count in most_confused(oof.targets, called, PAIRS)
    ]
    tables = [Table("Most confused pairs", ["truth", "prediction", "images", "share of truth"], rows)]
    return Section("confusion", "Confusion", sentences, figures, tables if rows else [])


def calibration(oof: OutOfFold) -> Section:
    """Whether probabilities mean what they say."""
    if oof.task == Task.MULTICLASS:
        confidence, happened = oof.values.max(1), oof.values.argmax(1) == oof.targets
        what = "The probability of the predicted class"
    else:
        confidence, happened = oof.values.ravel(), oof.targets.ravel() > 0.5
        what = "The probability of each label"
    bins = reliability(np.clip(confidence, 0, 1), happened)
    caption = (
        f"{what}, in 15 bins, against the share that was true. "
        f"Expected calibration error {number(bins.error)}; mean probability {number(confidence.mean())}, "
        f"share true {number(happened.mean())}. Bars below the diagonal are overconfident."
    )
    charts = [
        reliability_diagram("Reliability", bins),
        histogram("Histogram of probabilities", confidence, "predicted probability"),
    ]
    return Section("calibration", "Calibration", figures=[Figure(caption, charts)])


def residuals(oof: OutOfFold) -> Section:
    """Prediction against truth, and what is left over, for each target column."""
    figures = []
    for position, name in list(enumerate(oof.classes))[:MAX_COLUMNS_DRAWN]:
        truth, predicted = oof.targets[:, position], oof.values[:, position]
        rest = predicted - truth
        caption = (
            f"{name}: mean residual {number(rest.mean())}, "
            f"root mean square {number(np.sqrt((rest**2).mean()))}, "
            f"mean absolute {number(np.abs(rest).mean())}; "
            f"the truth's standard deviation is {number(truth.std())}."
        )
        charts = [
            scatter(f"{name}: prediction against truth", truth, predicted),
            histogram(f"{name}: residuals", rest, "prediction - truth"),
        ]
        figures.append(Figure(caption, charts))
    left_out = len(oof.classes) - len(figures)
    sentences = [f"{left_out} further target columns are left out."] if left_out else []
    return Section("residuals", "Residuals", sentences, figures)


def worst(oof: OutOfFold, image_of: ImageOf | None) -> Section:
    """The images with the highest loss, as pictures; multiclass: of those called wrong."""
    losses = sample_losses(oof.task, oof.targets, oof.values)
    order = np.argsort(-losses, kind="stable")
    if oof.task == Task.MULTICLASS:
        order = order[oof.values.argmax(1)[order] != oof.targets[order]]
        if not len(order):
            return Section("mistakes", "Worst mistakes", ["No image is called wrong."])
    order = order[:WORST]
    pictures, without = [], 0
    for row in order:
        source = _picture(oof.ids[row], image_of)
        without += source is None
        facts = [*_facts(oof, row), ("loss", number(losses[row])), ("fold", str(oof.fold[row]))]
        pictures.append(Picture(oof.ids[row], source, facts))
    sentences = [f"The {len(order)} out-of-fold images of highest loss{_LOSS[oof.task]}, worst first."]
    if without:
        why = "no images were at hand" if image_of is None else "their files could not be read"
        sentences.append(f"{without} of them without a picture: {why}.")
    return Section("mistakes", "Worst mistakes", sentences, pictures=pictures)


_LOSS = {
    Task.MULTICLASS: " among those called wrong (minus logarithm of the true class's probability)",
    Task.MULTILABEL: " (mean binary cross-entropy over the labels)",
    Task.REGRESSION: " (squared error in standard deviations of the target)",
}


def _picture(name: str, image_of: ImageOf | None) -> str | None:
    try:
        image = None if image_of is None else image_of(name)
    except (OSError, ValueError):  # the images may have moved since; the section says how many are missing
        return None
    return None if image is None else thumbnail(image)


def _facts(oof: OutOfFold, row: int) -> list[tuple[str, str]]:
    values, targets = oof.values[row], oof.targets[row]
    if oof.task == Task.MULTICLASS:
        called = int(values.argmax())
        return [
            ("truth", f"{oof.classes[targets]} ({number(values[targets])})"),
            ("prediction", f"{oof.classes[called]} ({number(values[called])})"),
        ]
    if oof.task == Task.MULTILABEL:
        return [
            ("truth", _labels(oof.classes, values, targets > 0.5)),
            ("prediction", _labels(oof.classes, values, values >= THRESHOLD)),
        ]
    return [("truth", _numbers(oof.classes, targets)), ("prediction", _numbers(oof.classes, values))]


def _numbers(names: Sequence[str], values: np.ndarray) -> str:
    """The values, each with its name when there are several."""
    if len(names) == 1:
        return number(values[0])
    shown = list(zip(names, values, strict=True))[:MAX_COLUMNS_DRAWN]
    return ", ".join(f"{name} {number(value)}" for name, value in shown)


def _labels(names: Sequence[str], values: np.ndarray, chosen: np.ndarray, most: int = 12) -> str:
    """The chosen labels, each with its probability."""
    rows = np.flatnonzero(chosen)
    text = ", ".join(f"{names[row]} ({number(values[row])})" for row in rows[:most])
    return (text or "none") + (f" and {len(rows) - most} more" if len(rows) > most else "")
