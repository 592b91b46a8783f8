"""A network with one hidden layer that sees all predictions and columns at once."""

from typing import Any

import torch
from torch import Tensor, nn

from compkit.ensemble.stackers.networks import NetworkStacker
from compkit.ranges import below_one, whole


class MLPStacker(NetworkStacker):
    """One hidden layer between all M * C predictions and the C classes; see NetworkStacker.

    Args:
        hidden: width of the hidden layer.
        dropout: share of the hidden layer that each step leaves out.
        **training: arguments of NetworkStacker.

    Raises:
        ValueError: a number out of its range.
    """

    name = "mlp"

    def __init__(self, hidden: int = 32, dropout: float = 0.2, **training: Any) -> None:
        super().__init__(**training)
        self.hidden = whole("stacker.hidden", hidden, least=1, usual="32")
        self.dropout = below_one("stacker.dropout", dropout, usual="0.2")

    def make_correction(self, num_models: int, num_classes: int, num_extra: int) -> nn.Module:
        """See NetworkStacker.make_correction."""
        return _MLP(num_models * num_classes + num_extra, self.hidden, num_classes, self.dropout)


class _MLP(nn.Module):
    def __init__(self, num_inputs: int, hidden: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(num_inputs, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, num_classes)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, scores: Tensor, extra: Tensor) -> Tensor:
        """[B, M, C] and [B, E] -> [B, C]."""
        inputs = torch.cat([scores.flatten(1), extra], dim=1)
        return self.out(self.dropout(nn.functional.gelu(self.hidden(inputs))))
