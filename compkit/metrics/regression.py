"""Metrics of real numbers, each the mean over the target columns."""

import numpy as np
from sklearn.metrics import (
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
    root_mean_squared_log_error,
)

from compkit.metrics.arrays import check_arrays, per_column
from compkit.metrics.metric import Metric
from compkit.types import Limits, Task


def rmse(targets: np.ndarray, values: np.ndarray) -> float:
    """Root of the mean squared error, in target units; several columns: the mean of each column's.

    Targets and values are float [N, C].

    Raises:
        ValueError: see check_arrays.

    >>> rmse(np.array([[0.0], [0.0]]), np.array([[3.0], [-3.0]]))
    3.0
    """
    check_arrays("rmse", targets, values)
    return float(root_mean_squared_error(targets.astype(np.float64), values.astype(np.float64)))


def mae(targets: np.ndarray, values: np.ndarray) -> float:
    """Mean absolute error, in target units; several columns: the mean of each column's.

    Targets and values are float [N, C].

    Raises:
        ValueError: see check_arrays.

    >>> mae(np.array([[0.0], [0.0]]), np.array([[1.0], [-3.0]]))
    2.0
    """
    check_arrays("mae", targets, values)
    return float(mean_absolute_error(targets.astype(np.float64), values.astype(np.float64)))


def rmsle(targets: np.ndarray, values: np.ndarray) -> float:
    """Root mean squared error of ln(1 + x): errors count by ratio; several columns: the mean of each.

    Targets and values are float [N, C]; predictions below 0 are taken as 0.

    Raises:
        ValueError: a negative target; see check_arrays too.

    >>> rmsle(np.array([[0.0]]), np.array([[-2.0]]))
    0.0
    """
    check_arrays("rmsle", targets, values)
    if targets.min() < 0:
        raise ValueError(
            f"rmsle: targets go down to {targets.min():.4g}; expected 0 or more. Choose metric=rmse."
        )
    predictions = values.astype(np.float64).clip(min=0)
    return float(root_mean_squared_log_error(targets.astype(np.float64), predictions))


def r2(targets: np.ndarray, values: np.ndarray) -> float:
    """Share of the targets' variance that is explained; several columns: the mean of each column's.

    Targets and values are float [N, C]. 1 is perfect, 0 as good as the mean, below 0 worse. A column of
    equal targets has 1 when predicted exactly and 0 otherwise, as in scikit-learn.

    Raises:
        ValueError: see check_arrays.

    >>> r2(np.array([[1.0], [3.0]]), np.array([[2.0], [2.0]]))
    0.0
    """
    check_arrays("r2", targets, values)
    return float(r2_score(targets.astype(np.float64), values.astype(np.float64)))


class RMSE(Metric):
    """Root mean squared error, in target units; see rmse.

    >>> RMSE()(np.array([[0.0]]), np.array([[3.0]]))
    3.0
    """

    name = "rmse"
    greater_is_better = False
    kind = "values"
    tasks = (Task.REGRESSION,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return rmse(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return per_column(rmse, targets, values)


class MAE(Metric):
    """Mean absolute error, in target units; see mae.

    >>> MAE()(np.array([[0.0]]), np.array([[3.0]]))
    3.0
    """

    name = "mae"
    greater_is_better = False
    kind = "values"
    tasks = (Task.REGRESSION,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return mae(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return per_column(mae, targets, values)


class RMSLE(Metric):
    """Root mean squared logarithmic error; see rmsle.

    >>> RMSLE()(np.array([[0.0]]), np.array([[-2.0]]))
    0.0
    """

    name = "rmsle"
    greater_is_better = False
    kind = "values"
    tasks = (Task.REGRESSION,)
    limits = Limits(lowest=0)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return rmsle(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return per_column(rmsle, targets, values)


class R2(Metric):
    """Share of variance explained; see r2.

    >>> R2()(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    1.0
    """

    name = "r2"
    kind = "values"
    tasks = (Task.REGRESSION,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return r2(targets, values)

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return per_column(r2, targets, values)
