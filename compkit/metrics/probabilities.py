"""Metrics of the probabilities themselves: log loss, area under the ROC curve, average precision."""

import warnings

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from compkit.metrics.arrays import check_arrays, label_matrix, per_column
from compkit.metrics.metric import Metric
from compkit.types import Limits, Task


def log_loss(targets: np.ndarray, values: np.ndarray, eps: float = 1e-15) -> float:
    """How surprised the probabilities are by the truth: the mean of -ln p(true), in nats.

    Args:
        targets: class indices, int64 [N], or 0/1 labels, float [N, C].
        values: probabilities, float [N, C]. For multiclass each row is divided by its sum.
        eps: probabilities are kept in [eps, 1 - eps], so one sure mistake costs -ln(eps), not infinity.

    Returns:
        The mean over rows; for multilabel the mean over columns too.

    Raises:
        ValueError: values outside 0..1; see check_arrays too.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
    0.6931
    """
    check_arrays("log_loss", targets, values)
    # averaged float32 probabilities may end a rounding error above 1
    if values.min() < 0 or values.max() > 1 + 1e-4:
        raise ValueError(
            f"log_loss: values run from {values.min():.4g} to {values.max():.4g}; expected probabilities "
            "from 0 to 1. Apply softmax or sigmoid to logits first."
        )
    probs = values.astype(np.float64)
    if targets.ndim == 1:
        probs = probs.clip(min=eps)  # a row of zeros becomes one of equal probabilities
        of_truth = probs[np.arange(len(probs)), targets] / probs.sum(axis=1)
    else:
        of_truth = np.where(label_matrix(targets, values.shape[1]), probs, 1 - probs)
    return float(-np.log(of_truth.clip(eps, 1 - eps)).mean())


def auc_per_class(targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Chance that a random row with the label scores above one without it, per class [C]; ties half.

    Targets are class indices, int64 [N], or 0/1 labels, float [N, C]; values float [N, C]. NaN for a
    column of one class only. For multiclass each class stands against the rest.

    Source: Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747: the area is a rank statistic.

    >>> auc_per_class(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[0.7, 0.1], [0.2, 0.3]]))
    array([ 1., nan])
    """
    check_arrays("auc", targets, values)
    actual = label_matrix(targets, values.shape[1])
    positives = actual.sum(axis=0)
    pairs = positives * (len(actual) - positives)
    wins = (rankdata(values, axis=0) * actual).sum(axis=0) - positives * (positives + 1) / 2
    return np.where(pairs == 0, np.nan, wins / np.where(pairs == 0, 1, pairs))


def average_precision_per_class(targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Area under precision over recall of each class, [C]; NaN for a class without positives.

    Targets are class indices, int64 [N], or 0/1 labels, float [N, C]; values float [N, C].

    >>> average_precision_per_class(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.7, 0.1], [0.2, 0.3]]))
    array([ 1., nan])
    """
    check_arrays("average_precision", targets, values)

    def score(actual: np.ndarray, column: np.ndarray) -> float:
        return average_precision_score(actual, column) if actual.any() else np.nan

    return per_column(score, label_matrix(targets, values.shape[1]), values)


def defined_mean(where: str, scores: np.ndarray) -> float:
    """Mean of the scores [C] that are not NaN; a warning names the columns left out.

    >>> defined_mean("auc", np.array([0.5, 1.0]))
    0.75
    """
    undefined = np.isnan(scores)
    if undefined.any():
        warnings.warn(
            f"{where}: column(s) {np.flatnonzero(undefined).tolist()} hold one class only, where it is "
            f"undefined; the score is the mean of the other {np.count_nonzero(~undefined)} (NaN if none).",
            stacklevel=3,
        )
    return float(scores[~undefined].mean()) if not undefined.all() else float("nan")


def auc(targets: np.ndarray, values: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative; 0.5 is guessing.

    Args:
        targets: class indices, int64 [N], or 0/1 labels, float [N, C].
        values: scores of any scale, float [N, C].

    Returns:
        Two classes: the area of the second. More: the mean of each class against the rest. Multilabel:
        the mean over columns. Columns of one class only are left out with a warning; NaN if all are.

    Raises:
        ValueError: see check_arrays.

    >>> auc(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]))
    0.75
    """
    scores = auc_per_class(targets, values)
    if targets.ndim == 1 and len(scores) == 2:
        scores = scores[1:]  # the first one says the same of 1 - p
    return defined_mean("auc", scores)


def average_precision(targets: np.ndarray, values: np.ndarray) -> float:
    """Precision averaged over the ranks of the positives, then over the classes.

    Targets are class indices, int64 [N], or 0/1 labels, float [N, C]; values float [N, C]. Classes
    without positives are left out with a warning; NaN if all are.

    Raises:
        ValueError: see check_arrays.

    >>> average_precision(np.array([[1.0], [0.0]]), np.array([[0.2], [0.7]]))
    0.5
    """
    return defined_mean("average_precision", average_precision_per_class(targets, values))


class LogLoss(Metric):
    """Mean of -ln p(true); see log_loss.

    >>> round(LogLoss()(np.array([0]), np.array([[0.5, 0.5]])), 4)
    0.6931
    """

    name = "log_loss"
    greater_is_better = False
    kind = "probabilities"
    tasks = (Task.MULTICLASS, Task.MULTILABEL)
    limits = Limits(sums_to_one=True)

    def __init__(self, eps: float = 1e-15) -> None:
        self.eps = float(eps)
        if not 0 < self.eps < 0.5:
            raise ValueError(f"metric.eps: {eps} given, expected a small number such as 1e-15.")

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return log_loss(targets, values, self.eps)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """Log loss of each column for multilabel; None for multiclass, where a row has one loss."""
        if targets.ndim == 1:
            return None
        return per_column(lambda column, probs: log_loss(column, probs, self.eps), targets, values)


class AUC(Metric):
    """Area under the ROC curve; see auc.

    >>> AUC()(np.array([[1.0], [0.0]]), np.array([[0.7], [0.2]]))
    1.0
    """

    name = "auc"
    kind = "probabilities"
    tasks: tuple[Task, ...] = (Task.MULTICLASS, Task.MULTILABEL)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return auc(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return auc_per_class(targets, values)


class MeanColumnwiseAUC(AUC):
    """AUC under the name that Kaggle gives it in multilabel competitions.

    >>> MeanColumnwiseAUC().name
    'mean_columnwise_auc'
    """

    name = "mean_columnwise_auc"
    tasks = (Task.MULTILABEL,)


class AveragePrecision(Metric):
    """Average precision, the mean over classes; see average_precision.

    >>> AveragePrecision()(np.array([[1.0], [0.0]]), np.array([[0.2], [0.7]]))
    0.5
    """

    name = "average_precision"
    kind = "probabilities"
    tasks = (Task.MULTICLASS, Task.MULTILABEL)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return average_precision(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return average_precision_per_class(targets, values)
