"""From many values to fewer: the mean over samples, the mean over a sample's columns."""

import math

import torch
from torch import Tensor, nn

from compkit.ranges import above_zero_to_one, not_negative, whole
from compkit.types import Moment


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


class Mean(nn.Module):
    """The weighted mean of all samples; see weighted_mean."""

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        return weighted_mean(values, weights)


class TopK(nn.Module):
    """The weighted mean of the most expensive samples: easy ones, already learnt, no longer count (OHEM).

    Samples are ranked by weight times loss within each micro-batch; the kept ones' sum is divided by the kept
    weights. In eval mode it is the plain mean.

    Args:
        fraction: share of the samples to keep, in (0, 1]; of B samples ceil(fraction * B).
        count: number of samples to keep, >= 1, instead of `fraction`; a smaller batch is kept whole.
        warmup_epochs: epochs over which the number kept falls evenly from all samples to that.

    Raises:
        ValueError: neither or both of fraction and count, or one out of range.

    Source: Shrivastava et al. 2016, arXiv:1604.03540.

    >>> TopK(fraction=0.5)(torch.tensor([4.0, 1.0, 3.0, 2.0]), torch.ones(4))
    tensor(3.5000)
    """

    def __init__(
        self, fraction: float | None = None, count: int | None = None, warmup_epochs: float = 0
    ) -> None:
        super().__init__()
        if (fraction is None) == (count is None):
            raise ValueError(
                f"loss.reduce: got fraction={fraction} and count={count}; expected exactly one of them. "
                "Set the other to null: loss.reduce.fraction=null loss.reduce.count=16."
            )
        self.fraction = (
            None if fraction is None else above_zero_to_one("loss.reduce.fraction", fraction, "0.7")
        )
        self.count = None if count is None else whole("loss.reduce.count", count, 1, "16")
        self.warmup_epochs = not_negative("loss.reduce.warmup_epochs", warmup_epochs, "5")
        self.progress = 0.0 if self.warmup_epochs else 1.0  # of the warm-up, 0-1

    def set_moment(self, moment: Moment) -> None:
        """Set how much of the warm-up is over; the loop calls it before every step."""
        if self.warmup_epochs:
            self.progress = min(1.0, moment.epoch / self.warmup_epochs)

    def num_kept(self, batch_size: int) -> int:
        """How many of a batch's samples count now.

        >>> TopK(fraction=0.07).num_kept(100), TopK(count=16).num_kept(10)
        (7, 10)
        """
        goal = float(min(self.count, batch_size)) if self.count else (self.fraction or 1.0) * batch_size
        number = self.progress * goal + (1 - self.progress) * batch_size
        return math.ceil(round(number, 9))  # 0.07 * 100 is 7.000000000000001, of which the ceiling would be 8

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """The loss of a batch, a scalar, of losses with the weights multiplied in, [B], and weights [B]."""
        if not self.training:
            return weighted_mean(values, weights)
        # equal losses, such as many zeros: the heavier samples first, or the order in the batch would decide
        order = weights.argsort(descending=True, stable=True)
        ranked = order[values.detach()[order].argsort(descending=True, stable=True)]
        kept = ranked[: self.num_kept(len(values))]
        return weighted_mean(values[kept], weights[kept])
