"""Dice: the overlap of what is predicted with what is there, class by class over the whole batch."""

import numpy as np
import torch
from torch import Tensor

from compkit.losses.loss import SetLoss, as_shares
from compkit.losses.reduce import at_least_float32
from compkit.ranges import not_negative
from compkit.types import Task


def dice_loss(probs: Tensor, targets: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the Dice overlap of each class over the batch, the mean over the classes that are present.

    1 - (2 sum p t + s) / (sum p + sum t + s). A class without labels in the batch counts neither in the sum
    over classes nor in their number; without any class present the loss is 0.

    Args:
        probs: probabilities p, [B, C] or [B, C, ...], such as [B, C, H, W].
        targets: labels t from 0 to 1, of the same shape.
        smooth: s, >= 0.

    Returns:
        A scalar, [].

    Source: Milletari et al. 2016, arXiv:1606.04797, section 3, with the plain sums below the line.

    >>> dice_loss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]]), smooth=0.0)
    tensor(0.3333)
    """
    over = [0, *range(2, probs.dim())]
    overlap, size = (probs * targets).sum(dim=over), targets.sum(dim=over)
    present = size > 0
    # 1 below the line of an absent class without smoothing: 0 / 0 would turn the sum into NaN
    below = torch.where(present, probs.sum(dim=over) + size + smooth, 1)
    values = 1 - (2 * overlap + smooth) / below
    return torch.where(present, values, 0).sum() / present.sum().clamp_min(1)


class Dice(SetLoss):
    """Dice loss of softmax probabilities, for exactly one class an image or pixel; see dice_loss.

    Takes logits [B, C] or [B, C, H, W] with labels [B] or [B, H, W], or soft labels like the logits.

    Args:
        smooth: added above and below the fraction line, >= 0.
        class_counts: not used; every loss is offered it.

    Raises:
        ValueError: smooth < 0.

    >>> Dice(smooth=0)(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.3333)
    """

    tasks: tuple[Task, ...] = (Task.MULTICLASS,)

    def __init__(self, smooth: float = 1.0, class_counts: np.ndarray | None = None) -> None:
        super().__init__(class_counts)
        self.smooth = not_negative("loss.smooth", smooth, "1")

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        probs = at_least_float32(inputs).softmax(dim=1)
        return dice_loss(probs, as_shares(labels, probs.shape[1], probs.dtype), self.smooth)


class BinaryDice(Dice):
    """Dice loss of sigmoid probabilities, for any number of labels; see Dice and dice_loss.

    >>> BinaryDice(smooth=0)(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor(0.3333)
    """

    tasks = (Task.MULTILABEL,)

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        probs = at_least_float32(inputs).sigmoid()
        return dice_loss(probs, labels.to(probs.dtype), self.smooth)
