"""The network's last layer, through which any answer can be put in its mouth."""

from typing import Any

import torch
from torch import Tensor, nn

from compkit.losses import as_outputs


class Mouth:
    """A network whose last linear layer says the same to every picture: its bias.

    Args:
        model: the network; its last layer is as it was after each `say`.
        layer: that layer, with a bias.
        images: two pictures or more, [B, C, H, W].

    An output layer with weights of 0 has only its bias to say.
    """

    def __init__(self, model: nn.Module, layer: nn.Linear, images: Tensor) -> None:
        self.model, self.layer, self.images = model, layer, images

    @torch.no_grad()
    def outputs(self, bias: Tensor) -> Tensor:
        """What the network says of the pictures when the layer says `bias` [C], float32 [B, C]."""
        parameters = (self.layer.weight, self.layer.bias)
        before = [parameter.detach().clone() for parameter in parameters]
        modes = {module: module.training for module in self.model.modules()}
        try:
            self.layer.weight.zero_()
            self.layer.bias.copy_(bias)
            self.model.eval()
            return as_outputs(self.model(self.images)).logits.float()
        finally:
            for parameter, kept in zip(parameters, before, strict=True):
                parameter.copy_(kept)
            for module, mode in modes.items():
                module.training = mode

    def say(self, biases: Tensor) -> Tensor:
        """What comes out for each of the biases [K, C], [K, C]."""
        return torch.stack([self.outputs(bias)[0] for bias in biases])


def find_mouth(model: nn.Module, images: Tensor, num_outputs: int) -> Mouth | None:
    """The network with its last linear layer; None where the answers are not that of such a layer with a bias.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> mouth = find_mouth(model, torch.randn(2, 1, 2, 2), 2)
    >>> mouth.say(torch.tensor([[3.0, -1.0]]))
    tensor([[ 3., -1.]])
    """
    head: Any = getattr(model, "head", None)
    where = head if isinstance(head, nn.Module) else model
    for layer in reversed(list(where.modules())):
        if not isinstance(layer, nn.Linear) or layer.bias is None or layer.out_features != num_outputs:
            continue
        mouth = Mouth(model, layer, images)
        one = torch.linspace(-1, 2, num_outputs, device=images.device) + 0.5
        first, second = mouth.outputs(one), mouth.outputs(-3 * one)
        is_same = torch.allclose(first, first[:1].expand_as(first), atol=1e-5, equal_nan=True)
        if is_same and not torch.allclose(first, second, atol=1e-6, equal_nan=True):
            return mouth
    return None
