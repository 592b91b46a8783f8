"""Center loss: each class gathers around a point that is learnt with it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from compkit.losses.loss import Loss
from compkit.losses.reduce import at_least_float32
from compkit.ranges import positive
from compkit.types import Task


def squared_distance_to_center(features: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Squared distance of each image to the center of its class, [B], float32 at least.

    features are float [B, D], labels int64 [B], centers [C, D].

    >>> squared_distance_to_center(torch.tensor([[3.0, 4.0]]), torch.tensor([1]), torch.zeros(2, 2))
    tensor([25.])
    """
    features = at_least_float32(features)
    return (features - centers.to(features.dtype)[labels]).square().sum(dim=1)


class Center(Loss):
    """Mean squared distance of the pooled features to the center of their class: sum |f - c_y|^2 / B.

    The centers are the loss's own parameters: they are moved by an optimizer of their own, and saved
    with the loss. In a WeightedSum they learn as if the loss weighed 1.

    Args:
        lr: rate of the centers' SGD, > 0.
        class_counts: training samples of each class, [C]; only their number is used.

    Raises:
        ValueError: lr is no number above 0; on prepare, no class_counts.

    Source: Wen et al. 2016, doi:10.1007/978-3-319-46478-7_31, eq. 2; without its factor 1/2, and the mean over the
    batch, as Luo et al. 2019, arXiv:1903.07071.

    >>> from compkit.types import Outputs
    >>> loss = Center(class_counts=np.array([3, 2]))
    >>> loss.prepare(num_features=4)
    >>> _ = torch.nn.init.zeros_(loss.centers)
    >>> loss(Outputs(torch.zeros(1, 2), features=torch.ones(1, 4)), torch.tensor([1])).detach()
    tensor(4.)
    """

    tasks = (Task.MULTICLASS,)
    reads = ("features",)
    centers: nn.Parameter  # [C, D], from prepare

    def __init__(self, lr: float = 0.5, class_counts: np.ndarray | None = None) -> None:
        super().__init__(class_counts=class_counts)
        self.lr = positive("loss.lr", lr, "0.5")

    def prepare(self, num_features: int) -> None:
        if self.class_counts is None:
            raise ValueError(
                "loss Center: gathers the images of a class, and a regression has no classes. "
                "Choose another loss, or drop this term: loss.terms.center=null."
            )
        self.centers = nn.Parameter(torch.randn(len(self.class_counts), num_features))

    def make_optimizer(self) -> Optimizer:
        return SGD([self.centers], lr=self.lr)

    def per_sample(self, features: Tensor, labels: Tensor) -> Tensor:
        return squared_distance_to_center(features, labels, self.centers)
