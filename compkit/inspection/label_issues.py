"""Labels that a model which never saw them contradicts with confidence: probably wrong ones."""

from typing import NamedTuple

import numpy as np

from compkit.findings import Finding, Status
from compkit.postprocess import best_temperature
from compkit.results import OutOfFold
from compkit.types import Task

CHECK = "label issues"
NOISY = 0.03  # share of wrong labels from which it is worth an evening with them
SURE = 0.6  # difference of probabilities by which half of the suspicious labels are contradicted, when they are wrong
OVERCONFIDENT = 2.5  # temperature from which a model's own mistakes look as sure as wrong labels
OUTLIER = 6.0  # robust standard deviations; a normal one in 500 million


class Issue(NamedTuple):
    """A suspicious label.

    Attributes:
        row: of the out-of-fold table.
        output: the label it is about, for multilabel and regression; 0 for multiclass.
        given, found: the label, and what the model says instead.
        margin: how far apart they are; the larger, the more suspicious.
    """

    row: int
    output: int
    given: float
    found: float
    margin: float


class LabelIssues(NamedTuple):
    """All suspicious labels, worst first, and the share of labels that is probably wrong; None for regression."""

    issues: list[Issue]
    noise: float | None


def confident_classes(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """The class that each picture has with confidence, int64 [N]; -1 for none.

    With confidence: its probability of j is at least the mean one of those labelled j; of several such j the likeliest.

    Args:
        targets: given classes, int64 [N].
        probs: out-of-fold probabilities, [N, C].

    Source: Northcutt, Jiang and Chuang 2021, Confident Learning, arXiv:1911.00068, section 3.1, eq. 1.

    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]])
    >>> confident_classes(np.array([0, 0, 0, 1, 1]), probs).tolist()
    [0, 0, 1, -1, 1]
    """
    counts = np.bincount(targets, minlength=probs.shape[1])
    own = np.bincount(targets, weights=probs[np.arange(len(targets)), targets], minlength=probs.shape[1])
    # nobody is labelled with an empty class, so nothing says what confidence in it would be
    threshold = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    over = np.where(probs >= threshold - 1e-9, probs, -np.inf)
    return np.where(np.isfinite(over.max(axis=1)), over.argmax(axis=1), -1)


def noise_share(targets: np.ndarray, found: np.ndarray) -> float:
    """The share of wrong labels that confident classes say, each given class weighted by how often it is given.

    Args:
        targets: given classes, int64 [N].
        found: of `confident_classes`, int64 [N].

    Source: as above, eq. 2, of which only the diagonal and the sums of rows of the joint are needed.

    >>> round(noise_share(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, -1, 1])), 3)
    0.2
    """
    counts = np.bincount(targets)
    sure, right = (
        np.bincount(targets[rows], minlength=len(counts)) for rows in (found >= 0, found == targets)
    )
    known = sure > 0
    wrong = 1 - right[known] / sure[known]
    return float((wrong * counts[known]).sum() / counts[known].sum())


def find_label_issues(oof: OutOfFold) -> LabelIssues:
    """Suspicious labels of a run's out-of-fold predictions; of numbers those with residuals like no other."""
    if oof.task == Task.REGRESSION:
        return LabelIssues(sorted(_far_numbers(oof), key=lambda issue: -issue.margin), None)
    if oof.task == Task.MULTICLASS:
        probs = oof.values / np.maximum(oof.values.sum(axis=1, keepdims=True), 1e-12)
        issues, noise = _class_issues(oof.targets, probs, 0)
    else:
        issues = []
        shares: list[float] = []
        for label in range(oof.values.shape[1]):
            probs = np.stack([1 - oof.values[:, label], oof.values[:, label]], axis=1)
            found, share = _class_issues((oof.targets[:, label] > 0.5).astype(np.int64), probs, label)
            issues, shares = issues + found, [*shares, share]
        noise = float(np.mean(shares))
    return LabelIssues(sorted(issues, key=lambda issue: -issue.margin), noise)


def label_finding(issues: LabelIssues, oof: OutOfFold) -> Finding:
    """What the suspicious labels mean."""
    count, rows = len(issues.issues), len(oof.ids)
    pictures = len({issue.row for issue in issues.issues})
    remedy = (
        "look at them on the page, worst first, and correct or drop what is wrong; loss=label_smoothing or "
        "semi=distillation bears what is left."
    )
    if issues.noise is None:
        expected = f"no residual beyond {OUTLIER:g} robust standard deviations"
        message = f"{count} of {rows} numbers are far from what the models say"
        status = Status.WARN if count > NOISY * rows else Status.INFO if count else Status.PASS
        return Finding(
            CHECK, status, message, float(count), expected, remedy if status == Status.WARN else ""
        )
    margins = np.array([issue.margin for issue in issues.issues])
    temperature = best_temperature(oof.targets, oof.values)
    sure = bool(count) and float(np.median(margins)) >= SURE and temperature <= OVERCONFIDENT
    expected = f"less than {NOISY:.0%} wrong labels, or contradicted by less than {SURE} in the median"
    message = (
        f"{pictures} of {rows} pictures have a suspicious label; about {issues.noise:.1%} of the labels are wrong, "
        "where the models are right"
    ) + ", but they are far too sure of themselves" * (temperature > OVERCONFIDENT)
    status = Status.WARN if issues.noise > NOISY and sure else Status.INFO if count else Status.PASS
    return Finding(CHECK, status, message, issues.noise, expected, remedy if status == Status.WARN else "")


def _class_issues(targets: np.ndarray, probs: np.ndarray, output: int) -> tuple[list[Issue], float]:
    """Rows whose confident class is another than the given one, and the noise that it says."""
    found = confident_classes(targets, probs)
    rows = np.flatnonzero((found >= 0) & (found != targets))
    every = np.arange(len(targets))
    margin = probs[every, np.maximum(found, 0)] - probs[every, targets]
    issues = [Issue(int(row), output, int(targets[row]), int(found[row]), float(margin[row])) for row in rows]
    return issues, noise_share(targets, found)


def _far_numbers(oof: OutOfFold) -> list[Issue]:
    """Residuals far outside the others, in robust standard deviations (1.4826 times the median deviation)."""
    rest = oof.targets - oof.values
    rest = rest - np.median(rest, axis=0)
    scale = 1.4826 * np.median(np.abs(rest), axis=0)
    margin = np.abs(rest) / np.maximum(scale, 1e-12)
    return [
        Issue(
            int(row),
            int(place),
            float(oof.targets[row, place]),
            float(oof.values[row, place]),
            float(margin[row, place]),
        )
        for row, place in zip(*np.nonzero(margin > OUTLIER), strict=True)
    ]
