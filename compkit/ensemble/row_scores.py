"""Metrics that are a mean over rows, row by row."""

import numpy as np

from compkit.metrics import MAE, Accuracy, LogLoss, Metric


def row_scores(metric: Metric, targets: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    """What each row adds to a metric that is their plain mean, float64 [N]; None for any other metric.

    Args:
        metric: of the library.
        targets: int64 [N], or float [N, C].
        values: predictions, float [N, C].

    >>> from compkit.metrics import AUC
    >>> row_scores(Accuracy(), np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])).tolist()
    [1.0, 0.0]
    >>> row_scores(AUC(), np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])) is None
    True
    """
    if isinstance(metric, Accuracy):
        return (values.argmax(axis=1) == targets).astype(np.float64)
    if isinstance(metric, MAE):
        return np.abs(targets - values).mean(axis=1)
    if isinstance(metric, LogLoss):
        if targets.ndim == 1:
            probs = values.clip(min=metric.eps)
            of_truth = probs[np.arange(len(probs)), targets] / probs.sum(axis=1)
            return -np.log(of_truth.clip(metric.eps, 1 - metric.eps))
        of_truth = np.where(targets > 0.5, values, 1 - values)
        return -np.log(of_truth.clip(metric.eps, 1 - metric.eps)).mean(axis=1)
    return None
