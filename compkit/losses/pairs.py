"""What the losses share that compare the images of a batch with each other."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit.losses.loss import Loss, as_targets
from compkit.types import Outputs, Targets, Task


def same_class(labels: Tensor) -> Tensor:
    """Which images share a class, bool [B, B], each with itself too, of class indices int64 [B]."""
    assert labels.ndim == 1, f"pairs need one class an image, got labels of shape {tuple(labels.shape)}"
    return labels[:, None] == labels[None, :]


def has_pairs(labels: Tensor) -> Tensor:
    """Which images have another one of their class and one of another class in the batch, bool [B].

    >>> has_pairs(torch.tensor([0, 0, 1])), has_pairs(torch.tensor([0, 0]))
    (tensor([ True,  True, False]), tensor([False, False]))
    """
    count = same_class(labels).sum(dim=1)
    return (count > 1) & (count < len(labels))


def unit_length(features: Tensor) -> Tensor:
    """Features [B, D] divided by their length; zeros stay zeros, with a finite gradient."""
    # the gradient at zero is 1 / eps: torch's default of 1e-12 would throw the network away
    return F.normalize(features, dim=1, eps=1e-6)


def unmixed_have_one_class(targets: Targets) -> Targets:
    """Targets whose unmixed images have their own label in both parts.

    They weigh nothing in the second part, but the others are compared with them there.

    >>> targets = Targets(torch.tensor([3, 5]), other=torch.tensor([5, 3]), share=torch.tensor([0.75, 1.0]))
    >>> unmixed_have_one_class(targets).parts()
    [(tensor([3, 5]), tensor([0.7500, 1.0000])), (tensor([5, 5]), tensor([0.2500, 0.0000]))]
    """
    (labels, share), *second = targets.parts()
    if share is None:
        return targets
    other, _ = second[0]
    return targets._replace(other=torch.where(share < 1, other, labels))


class MeanOfAnchors(nn.Module):
    """The weighted mean; 0, still with a gradient, when all weights are 0.

    >>> MeanOfAnchors()(torch.tensor([0.0, 3.0]), torch.tensor([0.0, 1.0]))
    tensor(3.)
    """

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        return values.sum() / weights.sum().clamp(min=1e-12)


class AnchorLoss(Loss):
    """A loss of each image (the anchor) among the others of its batch, computed from pooled features.

    The mean is over anchors that have an image of their class and one of another class in the batch; the others
    cost and weigh 0. A batch without any such anchor costs 0. Classes may have any number of images.

    A batch of mixed images costs the mean of two losses, as everywhere: one sees each image as its own class, the
    other as the class mixed into it, and each anchor counts by its share.

    With accumulation or several ranks images are compared within their micro-batch only.

    Args:
        class_counts: not used; every loss is offered it.
    """

    tasks = (Task.MULTICLASS,)
    reads = ("features",)
    per_batch = True

    def __init__(self, class_counts: np.ndarray | None = None) -> None:
        super().__init__(MeanOfAnchors(), class_counts)

    def sample_weight(self, labels: Tensor) -> Tensor:
        return has_pairs(labels).float()

    def weights(self, targets: Targets | Tensor) -> Tensor:
        return super().weights(unmixed_have_one_class(as_targets(targets)))

    def values(self, outputs: Outputs, targets: Targets) -> Tensor:
        return super().values(outputs, unmixed_have_one_class(targets))
