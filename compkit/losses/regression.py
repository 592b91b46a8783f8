"""Losses of real numbers: squared, absolute and Huber error, the mean over target columns."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from compkit.losses.class_weights import given_weights
from compkit.losses.loss import Loss
from compkit.losses.reduce import at_least_float32, column_mean
from compkit.ranges import positive
from compkit.types import Task


def errors(predictions: Tensor, targets: Tensor) -> Tensor:
    """Predictions minus targets, float32 at least; both are [B, C].

    >>> errors(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([[1., 1.]])
    """
    # [B] beside [B, 1] would broadcast to [B, B] and train on nonsense
    assert predictions.shape == targets.shape, (predictions.shape, targets.shape)
    predictions = at_least_float32(predictions)
    return predictions - targets.to(predictions.dtype)


def mean_squared_error(predictions: Tensor, targets: Tensor, column_weight: Tensor | None = None) -> Tensor:
    """Squared error, the mean over columns; large errors count most.

    Predictions and targets are float [B, C], column_weight is [C]. Returns [B], in squared target
    units, float32 at least.

    >>> mean_squared_error(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor([5.])
    """
    return column_mean(errors(predictions, targets).square(), column_weight)


def mean_absolute_error(predictions: Tensor, targets: Tensor, column_weight: Tensor | None = None) -> Tensor:
    """Absolute error, the mean over columns; outliers count no more than their size.

    Predictions and targets are float [B, C], column_weight is [C]. Returns [B], in target units,
    float32 at least.

    >>> mean_absolute_error(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor([2.])
    """
    return column_mean(errors(predictions, targets).abs(), column_weight)


def huber(
    predictions: Tensor, targets: Tensor, delta: float = 1.0, column_weight: Tensor | None = None
) -> Tensor:
    """Half the squared error where it is small, growing straight beyond delta; the mean over columns.

    e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    Args:
        predictions: float [B, C], in target units.
        targets: float [B, C].
        delta: where the two meet, in target units, > 0.
        column_weight: weight of each column in the mean, [C].

    Returns:
        Loss per sample in squared target units, [B], float32 at least.

    Source: Huber 1964, doi:10.1214/aoms/1177703732.

    >>> huber(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor([1.5000])
    """
    size = errors(predictions, targets).abs()
    return column_mean(
        torch.where(size <= delta, size.square() / 2, delta * (size - delta / 2)), column_weight
    )


class RegressionLoss(Loss):
    """A loss of real numbers, with a weight for each target column.

    Args:
        column_weight: weight of each column in the mean; None weighs all the same.
        reduce: from the samples' losses to one number; see Loss.
        class_counts: not used; every loss is offered it.

    Raises:
        ValueError: a weight that is no number above 0; at the first batch, another number of weights
            than columns.
    """

    tasks = (Task.REGRESSION,)
    column_weight: Tensor | None

    def __init__(
        self,
        column_weight: Sequence[float] | None = None,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(reduce, class_counts)
        weight = None
        if column_weight is not None:
            weight = given_weights("loss.column_weight", column_weight, num_classes=None)
        self.register_buffer("column_weight", weight, persistent=False)


class MSE(RegressionLoss):
    """Mean squared error; see mean_squared_error.

    >>> MSE()(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor(5.)
    """

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return mean_squared_error(inputs, labels, self.column_weight)


class MAE(RegressionLoss):
    """Mean absolute error; see mean_absolute_error.

    >>> MAE(column_weight=[3, 1])(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor(1.5000)
    """

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return mean_absolute_error(inputs, labels, self.column_weight)


class Huber(RegressionLoss):
    """Huber loss; see huber. `delta` is in target units.

    >>> Huber(delta=1)(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor(1.5000)
    """

    def __init__(
        self,
        delta: float = 1.0,
        column_weight: Sequence[float] | None = None,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(column_weight, reduce, class_counts)
        self.delta = positive("loss.delta", delta, "1")

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return huber(inputs, labels, self.delta, self.column_weight)
