"""What a network says of a batch in evaluation, before its first step, asked in several ways."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from compkit.doctor.proofs.insides import multiplied, tried
from compkit.doctor.proofs.watch import Watch

PAIR = torch.tensor([0, 3])  # rows that are shown as a batch of their own too
AMPLIFY = 1000.0  # what the last layer is multiplied with to see how far outputs can go


class Evaluated(NamedTuple):
    """What the network says in evaluation, before its first step."""

    images: Tensor  # [B, C, H, W], normalised
    logits: Any  # of the batch: [B, outputs] where all is well
    again: Any  # of the same batch once more
    pair: Any  # of the rows PAIR of it, as a batch of their own
    single: Any  # of its first row, as a batch of one; the error where there is one
    amplified: list[Any]  # with the last layer multiplied by AMPLIFY, and by -AMPLIFY
    watch: Watch
    changed: list[str]  # buffers that looking has changed


def evaluate(model: nn.Module, images: Tensor) -> Evaluated:
    """Look at normalised pictures [B, C, H, W] in evaluation mode; the network's mode is left as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            with Watch(model) as watch:
                logits = model(images)
            before = {name: value.clone() for name, value in model.named_buffers()}  # some are filled once
            again = model(images)
            pair = model(images[PAIR.to(images.device) % len(images)])
            changed = [
                name
                for name, value in model.named_buffers()
                if name in before and not torch.equal(value.nan_to_num(), before[name].nan_to_num())
            ]
            amplified = []
            for factor in (AMPLIFY, -AMPLIFY):
                with multiplied(watch.last, factor):
                    amplified.append(model(images))
            single = tried(model, images[:1])
    finally:
        model.train(was_training)
    return Evaluated(images, logits, again, pair, single, amplified, watch, changed)
