"""From many values to fewer: the mean over samples, the mean over a sample's columns."""

import torch
from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The loss of a batch: the sum of the samples' losses over the sum of their weights.

    Args:
        values: losses with the weights already multiplied in, [B].
        weights: the samples' weights, [B]; they sum to more than 0.

    Returns:
        A scalar, [].

    >>> weighted_mean(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 3.0]))
    tensor(1.)
    """
    return values.sum() / weights.sum()


def column_mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over a sample's columns, [B], of values [B, C]; weight [C] makes it a weighted mean.

    Raises:
        ValueError: not one weight a column.

    >>> column_mean(torch.tensor([[1.0, 5.0]]), torch.tensor([3.0, 1.0]))
    tensor([2.])
    """
    if weight is None:
        return values.mean(dim=1)
    if len(weight) != values.shape[1]:
        raise ValueError(
            f"loss.column_weight (or loss.class_weight): {len(weight)} weights given for {values.shape[1]} "
            "columns; give one for each."
        )
    # a product and a sum rather than a matrix product, which autocast would run in 16 bit
    return (values * weight).sum(dim=1) / weight.sum()


def at_least_float32(values: Tensor) -> Tensor:
    """16-bit values as float32; float64 stays: a loss in 16 bit loses its small differences.

    >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
