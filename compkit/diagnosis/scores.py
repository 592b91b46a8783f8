"""What a score is worth: what guessing gets, and how far chance alone moves it."""

from collections.abc import Sequence

import numpy as np

from compkit.diagnosis.priors import Labels
from compkit.types import Task

# a mean over rows, each right or wrong
OF_ROWS = ("accuracy", "top_", "map_at_", "f1_micro", "f1_samples")
# a mean over classes, where rare ones count as much as frequent ones
OF_CLASSES = ("balanced_accuracy", "auc", "mean_columnwise_auc", "average_precision", "f1_", "f2_", "f0.5_")
CORRELATIONS = ("mcc", "quadratic_kappa")
ERRORS = {
    "rmse": 1.0,
    "mae": 1.0,
    "rmsle": 1.0,
    "log_loss": 2.0,
}  # deviation of a row's part, in units of the score


def score_error(name: str, value: float, rows: int, class_rows: np.ndarray | None) -> float | None:
    """The standard error of a score that comes from the choice of the validation rows; rather too large than too small.

    Args:
        name: of the metric.
        value: of the score.
        rows: validated.
        class_rows: how many of them are of each class or have each label, [C]; None for regression.

    Returns:
        None for a metric that is not known.

    >>> round(score_error("accuracy", 0.9, rows=100, class_rows=None), 3)
    0.031
    """
    if name in ERRORS:
        return ERRORS[name] * abs(value) / np.sqrt(rows)
    if name == "r2":
        return 2 * abs(1 - value) / np.sqrt(rows)
    if name in CORRELATIONS:
        return float(np.sqrt(max(1 - value**2, 1 / rows) / rows))
    if name.startswith(OF_ROWS):
        return _share_error(value, rows)
    if name.startswith(OF_CLASSES) and class_rows is not None:
        present = class_rows[class_rows > 0]
        return _share_error(value, len(present) ** 2 / (1 / present).sum()) if len(present) else None
    return None


def _share_error(share: float, rows: float) -> float:
    """Of a share of rows; one row right and one wrong are added, so that 0 and 1 are not taken for certain."""
    share = (np.clip(share, 0, 1) * rows + 1) / (rows + 2)
    return float(np.sqrt(share * (1 - share) / rows))


def perfect_score(name: str) -> float:
    """The score of perfect predictions.

    >>> perfect_score("accuracy"), perfect_score("rmse")
    (1.0, 0.0)
    """
    return 0.0 if name in ERRORS else 1.0


def chance_score(name: str, labels: Labels) -> float | None:
    """The score of the best answer that looks at no picture; None where that is not known.

    Args:
        name: of the metric.
        labels: of the validated rows.

    >>> chance_score("accuracy", Labels(Task.MULTICLASS, np.array([0.75, 0.25]), None, 8))
    0.75
    """
    if name in ("auc", "mean_columnwise_auc"):
        return 0.5
    if name in (*CORRELATIONS, "r2"):
        return 0.0
    if labels.task == Task.MULTICLASS and labels.shares is not None:
        return _chance_of_classes(name, labels.shares)
    if labels.task == Task.REGRESSION and labels.numbers is not None:
        spread = {
            "rmse": lambda: labels.numbers.std(axis=0).mean(),
            "mae": lambda: np.abs(labels.numbers - np.median(labels.numbers, axis=0)).mean(),
        }
        return float(spread[name]()) if name in spread else None
    return None


def _chance_of_classes(name: str, shares: np.ndarray) -> float | None:
    if name == "accuracy":
        return float(shares.max())
    if name == "balanced_accuracy":
        return 1 / max(int((shares > 0).sum()), 1)
    if name.startswith("top_"):
        return float(np.sort(shares)[::-1][: int(name.split("_")[1])].sum())
    if name == "log_loss":
        positive = shares[shares > 0]
        return float(-(positive * np.log(positive)).sum())
    return None


def judged_by(metric: str, columns: Sequence[str], labels: Labels) -> tuple[str, float] | None:
    """The metric to tell learning from guessing by, and its score of guessing: the run's own where it is known.

    >>> judged_by("f1_macro", ["f1_macro", "accuracy"], Labels(Task.MULTICLASS, np.array([0.75, 0.25]), None, 8))
    ('accuracy', 0.75)
    """
    for name in (metric, *columns):
        chance = chance_score(name, labels)
        if chance is not None:
            return name, chance
    return None
