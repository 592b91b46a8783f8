"""From an embedding to one number a class."""

from torch import Tensor, nn


class LinearHead(nn.Module):
    """One linear layer, [B, D] -> [B, num_outputs].

    Args:
        in_features: D.
        num_outputs: number of classes, or of regression targets.
        bias: whether there is an additive constant a class; it starts at 0. Without one (behind a
            BNNeck) the weights start near 0, from N(0, 0.001).

    Source of the initialisation without bias: Luo et al. 2019, arXiv:1903.07071, section 3.5.

    >>> import torch
    >>> LinearHead(in_features=8, num_outputs=3)(torch.zeros(1, 8)).detach()
    tensor([[0., 0., 0.]])
    """

    def __init__(self, in_features: int, num_outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, num_outputs, bias=bias)
        if bias:
            nn.init.zeros_(self.linear.bias)
        else:
            nn.init.normal_(self.linear.weight, std=0.001)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.linear(embeddings)
