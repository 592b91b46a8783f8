"""Triplet loss: an image is to lie nearer to its own class than to any other."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from compkit.losses.pairs import AnchorLoss, has_pairs, same_class, unit_length
from compkit.losses.reduce import at_least_float32
from compkit.ranges import not_negative


@torch.no_grad()
def hardest_pairs(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The farthest image of each image's class and the nearest of another class, two int64 [B].

    Of an image without such a partner the choice means nothing; see has_pairs.

    >>> hardest_pairs(torch.tensor([[0.0], [1.0], [3.0], [5.0]]), torch.tensor([0, 0, 0, 1]))[0]
    tensor([2, 2, 0, 3])
    """
    # by differences: |a|^2 + |b|^2 - 2ab loses small distances between long features
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    same = same_class(labels)
    # an image's distance to itself is 0, never the farthest unless it is alone
    farthest = distance.masked_fill(~same, -1).argmax(dim=1)
    return farthest, distance.masked_fill(same, torch.inf).argmin(dim=1)


def euclidean_distance(first: Tensor, second: Tensor) -> Tensor:
    """Distance of each row to its partner, [B], of features [B, D]; its gradient is 0 where they are equal.

    >>> euclidean_distance(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
    tensor([5.])
    """
    # the square root has an infinite slope at 0
    return (first - second).square().sum(dim=1).clamp(min=1e-12).sqrt()


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float | None = 0.3) -> Tensor:
    """How much too near the nearest other class is, compared with the farthest image of the own class.

    max(0, margin + d(a, p) - d(a, n)), or ln(1 + exp(d(a, p) - d(a, n))) without margin; p is the farthest image
    of a's class in the batch, n the nearest of another class, d the Euclidean distance.

    Args:
        features: float [B, D].
        labels: class indices, int64 [B].
        margin: by how much n is to be farther than p, in units of the features; None is the soft margin.

    Returns:
        Loss per image, [B], float32 at least; 0 for images without p or n.

    Source: Hermans et al. 2017, arXiv:1703.07737, eq. 5 and section 2, "soft-margin".

    >>> batch_hard_triplet(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1]), margin=1.5)
    tensor([0.0000, 0.5000, 0.0000])
    """
    features = at_least_float32(features)
    farthest, nearest = hardest_pairs(features, labels)
    gap = euclidean_distance(features, features[farthest]) - euclidean_distance(features, features[nearest])
    values = F.softplus(gap) if margin is None else F.relu(gap + margin)
    return torch.where(has_pairs(labels), values, 0)


class Triplet(AnchorLoss):
    """Batch-hard triplet loss on pooled features; see batch_hard_triplet and AnchorLoss.

    Args:
        margin: by how much other classes are to be farther, >= 0; not used with soft_margin.
        soft_margin: a soft margin, which never stops pulling, instead of the fixed one.
        normalise: give features length 1 first; distances are then at most 2.
        class_counts: not used.

    Raises:
        ValueError: a margin that is no number >= 0.

    >>> from compkit.types import Outputs
    >>> outputs = Outputs(torch.zeros(3, 2), features=torch.tensor([[0.0], [1.0], [3.0]]))
    >>> Triplet(margin=1.5)(outputs, torch.tensor([0, 0, 1]))
    tensor(0.2500)
    """

    def __init__(
        self,
        margin: float = 0.3,
        soft_margin: bool = False,
        normalise: bool = False,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_counts)
        margin = not_negative("loss.margin", margin, "0.3")
        self.margin = None if soft_margin else margin
        self.normalise = bool(normalise)

    def per_sample(self, features: Tensor, labels: Tensor) -> Tensor:
        features = at_least_float32(features)
        return batch_hard_triplet(unit_length(features) if self.normalise else features, labels, self.margin)
