"""The cosine head that finds its own scale."""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from compkit.models.angular import AngularHead
from compkit.models.margin import adacos_next_scale, adacos_scale
from compkit.types import Moment, Outputs, Targets


class AdaCosHead(AngularHead):
    """Scaled cosines without a margin, whose scale comes from the number of classes and follows training.

    The scale is a state of the network, not a weight: it starts at sqrt(2) ln(C - 1), and before each
    optimizer step it becomes ln B / cos(min(pi/4, theta)), where B (the mean sum of exp(scale * cos) over the
    wrong classes) and theta (the median angle to the true class; of an even number the lower one) are
    those of the step before. All micro-batches of a step see one scale, and so do all ranks: B is the
    mean over all of their samples, theta the mean of their medians, each by its number of samples.

    Of a mixed image, and of a soft label, the class with the larger share is the true one. With two classes
    the scale is fixed, because ln B could fall below 0.

    Args:
        in_features, num_outputs, bias, class_counts: see AngularHead.
        dynamic: whether the scale follows training; else it stays where it starts.

    Attributes:
        statistics: what the step so far has seen: sum of B, sum of theta, number of samples.

    Raises:
        ValueError: see AngularHead.

    Source: Zhang et al. 2019, arXiv:1905.00292, section 4.

    >>> AdaCosHead(in_features=8, num_outputs=10).scale
    tensor(3.1073)
    """

    scale: Tensor
    statistics: Tensor

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        dynamic: bool = True,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.dynamic = dynamic and num_outputs > 2
        self.register_buffer("scale", torch.tensor(adacos_scale(num_outputs)))
        self.register_buffer("statistics", torch.zeros(3))

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        cosine = self.cosines(embeddings)
        if self.dynamic and self.training and targets is not None:
            self._observe(cosine.detach(), main_labels(targets))
        return Outputs(self.scale * cosine)

    def _observe(self, cosine: Tensor, labels: Tensor) -> None:
        of_label = cosine.gather(1, labels[:, None])
        others = (self.scale * cosine).exp().scatter(1, labels[:, None], 0.0).sum()
        count = cosine.new_tensor(float(len(labels)))
        self.statistics += torch.stack([others, of_label.acos().median() * count, count])

    @torch.no_grad()
    def set_moment(self, moment: Moment) -> None:
        """Take over the scale that the last step's samples ask for; called before each step, on every rank."""
        if not self.dynamic:
            return
        total = self.statistics.clone()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(total)
        scale = adacos_next_scale(total[0] / total[2], total[1] / total[2])
        # no samples before the first step (0/0); three classes may push B below 1
        self.scale.copy_(torch.where(scale > 0, scale, self.scale))
        self.statistics.zero_()


def main_labels(targets: Targets) -> Tensor:
    """The class with the largest share of each image, int64 [B].

    >>> main_labels(Targets(torch.tensor([[0.25, 0.75]])))
    tensor([1])
    """
    (labels, share), *others = targets.parts()
    labels = _hard(labels)
    return labels if share is None else torch.where(share >= 0.5, labels, _hard(others[0][0]))


def _hard(labels: Tensor) -> Tensor:
    return labels.argmax(dim=1) if labels.is_floating_point() else labels
