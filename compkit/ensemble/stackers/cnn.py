"""A convolutional network over the grid of models and classes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.ensemble.stackers.networks import NetworkStacker
from compkit.ranges import whole


class CNNStacker(NetworkStacker):
    """The same small network reads each class's column of the grid; see NetworkStacker.

    Args:
        channels: width of its layers.
        context: numbers that sum up a whole row of the table for every class.
        **training: arguments of NetworkStacker.

    Raises:
        ValueError: a number out of its range.
    """

    name = "cnn"

    def __init__(self, channels: int = 16, context: int = 4, **training: Any) -> None:
        super().__init__(**training)
        self.channels = whole("stacker.channels", channels, least=1, usual="16")
        self.context = whole("stacker.context", context, least=1, usual="4")

    def make_correction(self, num_models: int, num_classes: int, num_extra: int) -> nn.Module:
        """See NetworkStacker.make_correction."""
        return GridNetwork(num_models, num_classes, num_extra, self.channels, self.context)


class GridNetwork(nn.Module):
    """From scores [B, M, C] to a correction for each class [B, C], with far fewer weights than a full layer.

    A convolution over all models (M x 1) reads each class by itself, one over all classes (1 x C) sums the
    picture up; neither models nor classes have neighbours, so no narrower window would mean anything. Both, the
    table's columns and a vector of the class's own go through two 1 x 1 convolutions, where the class's vector
    lets it trust other models than the next class does. All are written as linear layers on the last axis: the
    same arithmetic, and several times as fast on grids this small.
    """

    def __init__(
        self, num_models: int, num_classes: int, num_extra: int, channels: int, context: int
    ) -> None:
        super().__init__()
        self.over_models = nn.Linear(num_models, channels)
        self.over_classes = nn.Linear(num_classes * channels, context)
        self.of_class = nn.Parameter(0.1 * torch.randn(num_classes, channels))
        self.mix = nn.Linear(2 * channels + context + num_extra, channels)
        self.out = nn.Linear(channels, 1)
        self.bias = nn.Parameter(torch.zeros(num_classes))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, scores: Tensor, extra: Tensor) -> Tensor:
        """[B, M, C] and [B, E] -> [B, C]."""
        read = self.over_models(scores.transpose(1, 2))  # [B, C, channels]
        context = F.gelu(self.over_classes(F.gelu(read).flatten(1)))  # [B, context]
        whole_row = torch.cat([context, extra], dim=1)[:, None]
        batch, num_classes, _ = read.shape
        known = [
            read,
            self.of_class.expand(batch, -1, -1),
            whole_row.expand(-1, num_classes, -1),
        ]
        return self.out(F.gelu(self.mix(torch.cat(known, dim=2))))[..., 0] + self.bias
