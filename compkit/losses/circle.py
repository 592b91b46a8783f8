"""Circle loss: pairs far from where they should be are moved more than pairs nearly there."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from compkit.losses.pairs import AnchorLoss, has_pairs, same_class, unit_length
from compkit.losses.reduce import at_least_float32
from compkit.ranges import below_one, positive


def cosine_similarities(features: Tensor) -> Tensor:
    """Cosines of the angles between all rows, [B, B], of features [B, D], in their own precision."""
    with torch.autocast(features.device.type, enabled=False):  # which would multiply in 16 bit
        directions = unit_length(features)
        return directions @ directions.T


def circle_loss(features: Tensor, labels: Tensor, margin: float = 0.25, gamma: float = 256.0) -> Tensor:
    """Cost of an image whose class is less similar to it than another class, each pair at its own pace.

    ln(1 + sum_n exp(gamma a_n (s_n - m)) * sum_p exp(-gamma a_p (s_p - 1 + m))), over the other images p of the
    own class and n of other classes. s is the cosine similarity, a_p = max(0, 1 + m - s_p) and
    a_n = max(0, s_n + m) the pace of a pair, through which no gradient flows.

    Args:
        features: float [B, D], of any length.
        labels: class indices, int64 [B].
        margin: m; similarities are to pass 1 - m within a class and to stay below m between classes.
        gamma: factor on similarities, > 0.

    Returns:
        Loss per image, [B], float32 at least; 0 for images without p or n.

    Source: Sun et al. 2020, arXiv:2002.10857, eq. 6 with eq. 5 and section 3.3 for the margins.

    >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> circle_loss(features, torch.tensor([0, 0, 1]), gamma=1.0)
    tensor([1.2680, 1.2234, 0.0000])
    """
    similarity = cosine_similarities(at_least_float32(features))
    pace_p = (1 + margin - similarity.detach()).clamp(min=0)
    pace_n = (similarity.detach() + margin).clamp(min=0)
    logits_p = -gamma * pace_p * (similarity - (1 - margin))
    logits_n = gamma * pace_n * (similarity - margin)
    same = same_class(labels)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    # the lowest number rather than -inf: a row of nothing but -inf has a gradient of NaN
    lowest = torch.finfo(similarity.dtype).min
    sum_p = logits_p.masked_fill(~same | itself, lowest).logsumexp(dim=1)
    sum_n = logits_n.masked_fill(same, lowest).logsumexp(dim=1)
    return torch.where(has_pairs(labels), F.softplus(sum_p + sum_n), 0)


class Circle(AnchorLoss):
    """Circle loss on pooled features; see circle_loss and AnchorLoss.

    Args:
        margin: m, in [0, 1).
        gamma: factor on similarities, > 0.
        class_counts: not used.

    Raises:
        ValueError: an argument out of range.

    >>> from compkit.types import Outputs
    >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> Circle(gamma=1)(Outputs(torch.zeros(3, 2), features=features), torch.tensor([0, 0, 1]))
    tensor(1.2457)
    """

    def __init__(
        self, margin: float = 0.25, gamma: float = 256.0, class_counts: np.ndarray | None = None
    ) -> None:
        super().__init__(class_counts)
        self.margin = below_one("loss.margin", margin, "0.25")
        self.gamma = positive("loss.gamma", gamma, "256")

    def per_sample(self, features: Tensor, labels: Tensor) -> Tensor:
        return circle_loss(features, labels, self.margin, self.gamma)
