"""Multiclass hinge: the loss of a support vector machine."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from compkit.losses.classification import ClassLoss
from compkit.losses.reduce import at_least_float32
from compkit.ranges import positive


def multiclass_hinge(
    logits: Tensor, targets: Tensor, margin: float = 1.0, class_weight: Tensor | None = None
) -> Tensor:
    """By how much each wrong class comes too close to the true one, summed over the wrong classes.

    w_y sum_{j != y} max(0, margin - s_y + s_j); of soft targets t the sum over classes y of t_y times that.

    Args:
        logits: scores s, [B, C].
        targets: class indices, int64 [B], or probabilities, float [B, C], which take B C^2 numbers of memory.
        margin: how far the true class must lead for a loss of 0, > 0, in units of the scores.
        class_weight: weight of each class, [C].

    Returns:
        Loss per sample, [B], float32 at least; C - 1 times the margin where all scores are equal.

    Source: Weston and Watkins 1999, Support vector machines for multi-class pattern recognition, ESANN.

    >>> import torch
    >>> multiclass_hinge(torch.tensor([[2.0, 1.5, 0.0]]), torch.tensor([0]))
    tensor([0.5000])
    """
    logits = at_least_float32(logits)
    if not targets.is_floating_point():
        values = (margin + logits - logits.gather(1, targets[:, None])).relu().sum(dim=1) - margin
        return values if class_weight is None else values * class_weight[targets]
    # [B, y, j]; the true class against itself costs the margin, which is taken off again
    each = (margin + logits[:, None, :] - logits[:, :, None]).relu().sum(dim=2) - margin
    weighted = each * targets.to(logits.dtype)
    return (weighted if class_weight is None else weighted * class_weight).sum(dim=1)


class Hinge(ClassLoss):
    """Multiclass hinge loss; see multiclass_hinge.

    Args:
        margin: how far the true class must lead, > 0.
        class_weight, beta, reduce, class_counts: see ClassLoss.

    Raises:
        ValueError: an argument out of range; see resolve_class_weight too.

    >>> import torch
    >>> Hinge(margin=1)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.)
    """

    def __init__(
        self,
        margin: float = 1.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_weight, beta, reduce, class_counts)
        self.margin = positive("loss.margin", margin, "1")

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return multiclass_hinge(inputs, labels, self.margin, self.class_weight)
