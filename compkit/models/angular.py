"""Heads that compare angles: the bases of the margin family, and the head without a margin."""

import numpy as np
import torch
from torch import Tensor, nn

from compkit.models.head import Head
from compkit.models.margin import cosines
from compkit.ranges import positive, whole
from compkit.types import Outputs, Targets, Task


class AngularHead(Head):
    """Base of the heads that own a vector for each class and return scale * cos(angle to it), [B, D] -> [B, C].

    Args:
        in_features: D.
        num_outputs: C, the number of classes, >= 2.
        bias: not used: an angle has none.
        class_counts: not used, unless the subclass says so.
        k: class vectors a class, >= 1; the nearest of them counts.

    Attributes:
        weight: the class vectors, [C * k, D]; only their directions matter, so they start from a
            normal distribution whatever `model/initialise` is.
        scale: what the cosines are multiplied by.

    Raises:
        ValueError: there are fewer than two classes, or k < 1.
    """

    tasks = (Task.MULTICLASS,)
    scale: float | Tensor

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        k: int = 1,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        if num_outputs < 2:
            raise ValueError(
                f"model.head {type(self).__name__}: compares at least 2 classes, got {num_outputs}. "
                "Choose model/head=linear."
            )
        self.k = whole("model.head.k", k, 1, "3")
        self.weight = nn.Parameter(torch.empty(num_outputs * self.k, in_features))
        nn.init.xavier_normal_(self.weight)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosine to the nearest vector of each class, [B, C] in float32."""
        return cosines(embeddings, self.weight).unflatten(1, (self.num_outputs, self.k)).amax(dim=2)

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        cosine = self.cosines(embeddings)
        logits = self.scale * cosine
        if targets is None or not self.training:
            return Outputs(logits)
        return Outputs(logits, margin=self.margin_logits(cosine, targets))

    def margin_logits(self, cosine: Tensor, targets: Targets) -> tuple[Tensor, ...]:
        """Logits with a margin on the true class for each part of the targets, of cosines [B, C]."""
        return ()


class CosineHead(AngularHead):
    """Scaled cosines without a margin (NormFace): neither a class's frequency nor an embedding's length counts.

    Args:
        in_features, num_outputs, bias, class_counts, k: see AngularHead.
        scale: what the cosines are multiplied by, > 0.

    Raises:
        ValueError: scale <= 0, or see AngularHead.

    Source: Wang et al. 2017, arXiv:1704.06369.

    >>> head = CosineHead(in_features=8, num_outputs=3, scale=10)
    >>> bool(head(torch.randn(4, 8)).logits.abs().max() <= 10)
    True
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        k: int = 1,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, k)
        self.scale = positive("model.head.scale", scale, "30")


class MarginHead(CosineHead):
    """Base of the heads that lower the true class's cosine in training, by `with_margin`."""

    has_margin = True

    def with_margin(self, cosine: Tensor, labels: Tensor) -> Tensor:
        """Cosines [B, C] with that of the labels int64 [B] lowered."""
        raise NotImplementedError

    def margin_logits(self, cosine: Tensor, targets: Targets) -> tuple[Tensor, ...]:
        """See AngularHead.

        Raises:
            ValueError: the labels are soft, so that no class is the true one.
        """
        if targets.labels.is_floating_point():
            raise ValueError(
                f"model.head {type(self).__name__}: a margin needs class indices, got soft labels "
                f"{tuple(targets.labels.shape)}. Make the labels hard, or choose model/head=cosine, which takes both."
            )
        return tuple(self.scale * self.with_margin(cosine, labels) for labels, _ in targets.parts())
