"""From an embedding to one number a class."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from compkit.types import Outputs, Targets, Task


class Head(nn.Module):
    """Base of the heads, float [B, D] -> `Outputs`. The network makes it with these four arguments by name.

    Args:
        in_features: D.
        num_outputs: C, the number of classes, or of regression targets.
        bias: whether there may be an additive constant a class (none behind a BNNeck).
        class_counts: training samples of each class, [C], for the heads that treat rare classes
            differently; None when they are not known.

    Attributes:
        tasks: the tasks it can train.
        has_margin: whether the losses get logits that depend on the labels, one for each of
            `Targets.parts()`. Then labels must be class indices, and a loss must keep samples apart.
    """

    tasks: tuple[Task, ...] = tuple(Task)
    has_margin = False

    def __init__(
        self, in_features: int, num_outputs: int, bias: bool = True, class_counts: np.ndarray | None = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.num_outputs = num_outputs

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        """Plain logits, and in training with targets whatever else the losses need."""
        raise NotImplementedError

    def start_at(self, logits: Sequence[float] | Tensor) -> None:
        """Make the first predictions these logits [C] on average; without a bias nothing happens."""

    def check_task(self, task: Task) -> None:
        """Refuse a task that this head cannot train.

        Raises:
            ValueError: with what to choose instead.
        """
        if task not in self.tasks:
            raise ValueError(
                f"model.head {type(self).__name__}: trains {' and '.join(self.tasks)}, but the competition's "
                f"task is {task}. Choose model/head= one of linear, mlp, multi_sample_dropout."
            )


class LinearHead(Head):
    """One linear layer, [B, D] -> [B, C].

    Args:
        in_features: D.
        num_outputs: C, the number of classes, or of regression targets.
        bias: whether there is an additive constant a class; it starts at 0. Without one (behind a
            BNNeck) the weights start near 0, from N(0, 0.001).
        class_counts: not used.

    Source of the initialisation without bias: Luo et al. 2019, arXiv:1903.07071, section 3.5.

    >>> LinearHead(in_features=8, num_outputs=3)(torch.zeros(1, 8)).logits.detach()
    tensor([[0., 0., 0.]])
    """

    def __init__(
        self, in_features: int, num_outputs: int, bias: bool = True, class_counts: np.ndarray | None = None
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.linear = nn.Linear(in_features, num_outputs, bias=bias)
        if bias:
            nn.init.zeros_(self.linear.bias)
        else:
            nn.init.normal_(self.linear.weight, std=0.001)

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        return Outputs(self.linear(embeddings))

    @torch.no_grad()
    def start_at(self, logits: Sequence[float] | Tensor) -> None:
        if self.linear.bias is not None:
            self.linear.bias.copy_(torch.as_tensor(logits))
