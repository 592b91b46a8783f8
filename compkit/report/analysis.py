"""Out-of-fold predictions turned into counts, curves and losses. Arrays in, arrays out."""

from typing import NamedTuple

import numpy as np

from compkit.types import Task

SMALLEST = 1e-7  # probabilities are kept this far from 0 and 1 before a logarithm


class ClassScores(NamedTuple):
    """One value a class, float64 [C] each; 0 where the quotient is 0/0."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


class Reliability(NamedTuple):
    """Confidence against what came true, in bins of equal width that hold anything."""

    confidence: np.ndarray  # mean predicted probability, [B]
    frequency: np.ndarray  # share that was true, [B]
    predictions: np.ndarray  # how many are in the bin, [B]
    error: float  # expected calibration error: mean |confidence - frequency|, weighted by their number


def confusion_matrix(targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """How often class i (row) was called class j (column).

    targets, predicted int [N] -> int64 [C, C].

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = np.bincount(targets * num_classes + predicted, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def most_confused(targets: np.ndarray, predicted: np.ndarray, top: int) -> list[tuple[int, int, int]]:
    """The pairs most often confused as (true class, predicted class, count), largest first.

    Only pairs that occur are counted, so that it takes no matrix of all classes.

    >>> most_confused(np.array([0, 0, 1, 2]), np.array([1, 1, 0, 2]), top=2)
    [(0, 1, 2), (1, 0, 1)]
    """
    wrong = targets != predicted
    pairs, counts = np.unique(np.stack([targets[wrong], predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:top]
    return [(int(pairs[0, at]), int(pairs[1, at]), int(counts[at])) for at in order]


def class_scores(hits: np.ndarray, support: np.ndarray, called: np.ndarray) -> ClassScores:
    """Precision, recall and their harmonic mean of each class.

    Args:
        hits: images of the class that were called so, [C].
        support: images of the class, [C].
        called: images called so, rightly or not, [C].

    >>> class_scores(np.array([1]), support=np.array([2]), called=np.array([1])).f1.round(3).tolist()
    [0.667]
    """
    precision, recall = hits / np.maximum(called, 1), hits / np.maximum(support, 1)
    return ClassScores(precision, recall, 2 * hits / np.maximum(support + called, 1))


def reliability(confidence: np.ndarray, happened: np.ndarray, bins: int = 15) -> Reliability:
    """Compare predicted probabilities with frequencies.

    Args:
        confidence: probabilities in [0, 1], [N].
        happened: bool [N], whether what was predicted came true.
        bins: of equal width over [0, 1].

    Source: Guo et al. 2017, arXiv:1706.04599, eq. 3 (bins as there: a boundary belongs to the lower one).

    >>> reliability(np.array([0.9, 0.9]), np.array([True, False])).error
    0.4
    """
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    held = count > 0
    mean = np.bincount(which, confidence, bins)[held] / count[held]
    frequency = np.bincount(which, happened, bins)[held] / count[held]
    error = float(np.average(np.abs(mean - frequency), weights=count[held]))
    return Reliability(mean, frequency, count[held], error)


def sample_losses(task: Task, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How wrong each prediction is, by one scale within a task, [N].

    Multiclass: -log of the true class's probability. Multilabel: mean binary cross-entropy over
    the classes. Regression: mean squared error in standard deviations of each target column.

    Args:
        task: what targets and values are.
        targets: int64 [N] for multiclass, else [N, C].
        values: probabilities or regression values, [N, C].

    >>> sample_losses(Task.MULTICLASS, np.array([1]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    if task == Task.REGRESSION:
        spread = targets.std(0)
        return (((values - targets) / np.where(spread > 0, spread, 1)) ** 2).mean(1)
    values = np.clip(values, SMALLEST, 1 - SMALLEST)
    if task == Task.MULTICLASS:
        return -np.log(values[np.arange(len(targets)), targets])
    return -(targets * np.log(values) + (1 - targets) * np.log(1 - values)).mean(1)


def baseline(metric: str, task: Task, targets: np.ndarray) -> tuple[float, str] | None:
    """The score of always answering the same, and what that answer is; None when not known.

    targets int64 [N] for multiclass, else [N, C].

    >>> baseline("accuracy", Task.MULTICLASS, np.array([0, 0, 1, 2]))
    (0.5, 'always the most frequent class')
    """
    if task == Task.MULTICLASS:
        share = np.bincount(targets) / len(targets)
        if metric == "accuracy":
            return float(share.max()), "always the most frequent class"
        if metric == "log_loss":
            share = share[share > 0]
            return float(-(share * np.log(share)).sum()), "always the classes' shares"
    if task == Task.REGRESSION and metric == "rmse" and targets.shape[1] == 1:
        return float(targets.std()), "always the mean"
    return None
