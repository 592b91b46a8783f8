"""Heads of more than one layer, and the layer that lets its input pass."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from compkit.models.head import Head, LinearHead
from compkit.ranges import below_one, one_of, whole
from compkit.types import Outputs, Targets

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Gate(nn.Linear):
    """The linear layer whose sigmoid says how much of a highway layer's input is changed, [B, D] -> [B, D].

    Attributes:
        keeps_bias: its bias is no neutral zero, so an initialisation draws the weights anew and leaves it.
    """

    keeps_bias = True

    def __init__(self, features: int, bias: float) -> None:
        super().__init__(features, features)
        nn.init.constant_(self.bias, bias)


class HighwayLayer(nn.Module):
    """A layer that starts by letting its input pass and learns where to change it, [B, D] -> [B, D].

    y = T(x) * H(x) + (1 - T(x)) * x, with H an activated linear layer and T = sigmoid(linear layer).

    Args:
        features: D.
        activation: of H, a key of ACTIVATIONS.
        gate_bias: bias of T at the start; negative, so that at -2 about an eighth of y is H(x).

    Source: Srivastava, Greff and Schmidhuber 2015, arXiv:1505.00387, eq. 3 and section 2.2.

    >>> layer = HighwayLayer(features=2, gate_bias=-100.0)
    >>> layer(torch.tensor([[1.0, -3.0]])).detach()
    tensor([[ 1., -3.]])
    """

    def __init__(self, features: int, activation: str = "relu", gate_bias: float = -2.0) -> None:
        super().__init__()
        self.change = nn.Sequential(nn.Linear(features, features), ACTIVATIONS[activation]())
        self.gate = Gate(features, gate_bias)

    def forward(self, inputs: Tensor) -> Tensor:
        gate = self.gate(inputs).sigmoid()
        return gate * self.change(inputs) + (1 - gate) * inputs


class MLPHead(Head):
    """Hidden layers in front of the linear one, [B, D] -> [B, C].

    `layers` times linear -> (batch norm) -> activation -> dropout, then the highway layers, then one linear
    layer as in LinearHead.

    Args:
        in_features: D.
        num_outputs: C, the number of classes, or of regression targets.
        bias: of the last layer, see LinearHead.
        class_counts: not used.
        hidden: width of the hidden layers, >= 1.
        layers: their number, >= 0; with 0 the highway layers are as wide as the embedding.
        highway: number of highway layers behind them, >= 0.
        dropout: share of hidden features switched off in training, 0 <= dropout < 1.
        activation: relu, gelu, silu or tanh.
        batch_norm: whether hidden layers are batch-normalised (and then have no bias of their own).

    Raises:
        ValueError: a number is out of range, the activation is unknown, or there is no hidden layer at all.

    >>> MLPHead(in_features=8, num_outputs=3, hidden=16, highway=1)(torch.zeros(2, 8)).logits.shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        hidden: int = 512,
        layers: int = 1,
        highway: int = 0,
        dropout: float = 0.0,
        activation: str = "relu",
        batch_norm: bool = False,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        hidden = whole("model.head.hidden", hidden, 1, "512")
        layers = whole("model.head.layers", layers, 0, "1")
        highway = whole("model.head.highway", highway, 0, "1")
        dropout = below_one("model.head.dropout", dropout, "0.2")
        one_of("model.head.activation", activation, tuple(ACTIVATIONS))
        if layers + highway == 0:
            raise ValueError(
                "model.head.layers: got 0, and model.head.highway is 0 too; expected a layer in one of them. "
                "Set model.head.layers=1, or choose model/head=linear."
            )
        widths = [in_features] + [hidden] * layers
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            norm = nn.BatchNorm1d(after) if batch_norm else nn.Identity()
            linear = nn.Linear(before, after, bias=not batch_norm)
            blocks.append(nn.Sequential(linear, norm, ACTIVATIONS[activation](), nn.Dropout(dropout)))
        blocks += [HighwayLayer(widths[-1], activation) for _ in range(highway)]
        self.hidden = nn.Sequential(*blocks)
        self.last = LinearHead(widths[-1], num_outputs, bias)

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        return self.last(self.hidden(embeddings))

    def start_at(self, logits: Sequence[float] | Tensor) -> None:
        self.last.start_at(logits)


class MultiSampleDropoutHead(LinearHead):
    """One linear layer that sees each embedding under several dropout masks, [B, D] -> [B, C].

    In training the losses under the masks are averaged, which costs little, as the network in front runs
    only once, and acts like a larger batch. In evaluation it is a LinearHead.

    Args:
        in_features: D.
        num_outputs: C, the number of classes, or of regression targets.
        bias: see LinearHead.
        class_counts: not used.
        masks: number of dropout masks, >= 1.
        dropout: share of the embedding switched off by each, 0 <= dropout < 1.

    Raises:
        ValueError: a number is out of range.

    Source: Inoue 2019, arXiv:1905.09788.

    >>> head = MultiSampleDropoutHead(in_features=8, num_outputs=3, masks=4)
    >>> outputs = head(torch.zeros(2, 8), Targets(torch.tensor([0, 1])))
    >>> len(outputs.views), outputs.logits.shape
    (4, torch.Size([2, 3]))
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        masks: int = 5,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.masks = whole("model.head.masks", masks, 1, "5")
        self.drop = nn.Dropout(below_one("model.head.dropout", dropout, "0.5"))

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        if not self.training:
            return Outputs(self.linear(embeddings))
        views = tuple(self.linear(self.drop(embeddings)) for _ in range(self.masks))
        logits = torch.stack(views).mean(dim=0)
        return Outputs(logits) if targets is None else Outputs(logits, views=views)
