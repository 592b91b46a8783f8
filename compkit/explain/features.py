"""What a network's head sees of a picture."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Answer(NamedTuple):
    """What a network says of a batch, and the features that it says it from."""

    logits: Tensor  # float32 [B, C]
    features: Tensor | None  # float32 [B, D]; None when they were not found


@torch.inference_mode()
def penultimate_features(model: nn.Module, images: Tensor) -> Answer:
    """Logits, and what enters the network's `head`; without one, its last linear layer as wide as the logits.

    In whatever mode and number format the network is called in.

    Args:
        model: images -> logits [B, C].
        images: normalised, [B, in_chans, H, W].

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> penultimate_features(model, torch.rand(2, 1, 2, 2)).features.shape
    torch.Size([2, 8])
    """
    seen: list[tuple[nn.Module, Tensor]] = []

    def hook(module: nn.Module, inputs: tuple) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim == 2:
            seen.append((module, inputs[0].float().clone()))  # a head may work in place

    head = getattr(model, "head", None)
    linear = [one for one in model.modules() if isinstance(one, nn.Linear)]
    watched = [*linear, head] if isinstance(head, nn.Module) and head not in linear else linear
    hooks = [one.register_forward_pre_hook(hook) for one in watched]
    try:
        logits = model(images).float()
    finally:
        for one in hooks:
            one.remove()
    of_head = [features for module, features in seen if module is head]
    last = [features for module, features in seen if getattr(module, "out_features", 0) == logits.shape[1]]
    found = of_head or last
    return Answer(logits, found[-1] if found else None)
