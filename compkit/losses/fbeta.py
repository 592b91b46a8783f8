"""Soft F-beta: the F score with probabilities in the place of decisions, so that it has a gradient."""

import numpy as np
from torch import Tensor, nn

from compkit.losses.label_sets import LabelSetLoss
from compkit.losses.loss import SetLoss, as_shares
from compkit.losses.reduce import at_least_float32
from compkit.ranges import positive
from compkit.types import Task


def soft_fbeta(probs: Tensor, targets: Tensor, beta: float = 1.0, smooth: float = 1.0) -> Tensor:
    """One minus the F-beta score of each set, with expected instead of counted hits.

    1 - ((1 + beta^2) TP + s) / ((1 + beta^2) TP + beta^2 FN + FP + s), where TP = sum p t,
    FN = sum (1 - p) t and FP = sum p (1 - t).

    Args:
        probs: probabilities p, [S, N], a set a row.
        targets: labels t from 0 to 1, [S, N].
        beta: how many times recall counts as much as precision, > 0.
        smooth: s, > 0; it keeps sets without labels defined, and their loss at 0 when nothing is predicted.

    Returns:
        Loss of each set in [0, 1), [S].

    >>> import torch
    >>> soft_fbeta(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.2500])
    """
    hits = (probs * targets).sum(dim=1)
    missed = ((1 - probs) * targets).sum(dim=1)
    false = (probs * (1 - targets)).sum(dim=1)
    gain = (1 + beta**2) * hits + smooth
    return 1 - gain / (gain + beta**2 * missed + false)


class SoftFBeta(LabelSetLoss):
    """Soft F-beta of sigmoid probabilities, for any number of labels; see soft_fbeta.

    Args:
        beta: how many times recall counts as much as precision, > 0.
        smooth: added above and below the fraction line, > 0.
        axis, reduce, class_counts: see LabelSetLoss.

    Raises:
        ValueError: an argument out of range.

    >>> import torch
    >>> SoftFBeta(beta=1)(torch.tensor([[9e9, 9e9, -9e9]]), torch.tensor([[1.0, 0.0, 0.0]]))
    tensor(0.2500)
    """

    def __init__(
        self,
        beta: float = 1.0,
        smooth: float = 1.0,
        axis: str = "sample",
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(axis, reduce, class_counts)
        self.beta = positive("loss.beta", beta, "2")
        self.smooth = positive("loss.smooth", smooth, "1")

    def of_sets(self, logits: Tensor, labels: Tensor) -> Tensor:
        probs = at_least_float32(logits).sigmoid()
        return soft_fbeta(probs, labels.to(probs.dtype), self.beta, self.smooth)


class SoftmaxFBeta(SetLoss):
    """Soft F-beta of each class over the batch, the mean over classes, for exactly one class an image.

    Args:
        beta: how many times recall counts as much as precision, > 0.
        smooth: added above and below the fraction line, > 0.
        class_counts: not used; every loss is offered it.

    Raises:
        ValueError: an argument out of range.

    >>> import torch
    >>> SoftmaxFBeta()(torch.tensor([[9e9, 0.0], [0.0, 9e9]]), torch.tensor([0, 1]))
    tensor(0.)
    """

    tasks = (Task.MULTICLASS,)

    def __init__(
        self, beta: float = 1.0, smooth: float = 1.0, class_counts: np.ndarray | None = None
    ) -> None:
        super().__init__(class_counts)
        self.beta = positive("loss.beta", beta, "2")
        self.smooth = positive("loss.smooth", smooth, "1")

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        probs = at_least_float32(inputs).softmax(dim=1)
        shares = as_shares(labels, probs.shape[1], probs.dtype)
        return soft_fbeta(probs.T, shares.T, self.beta, self.smooth).mean()
