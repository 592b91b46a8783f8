"""Optimizers as settings first, and as torch optimizers once there is a model.

An option of `conf/optimizer` is built before the model, so a wrong value stops the run at once;
calling it with the model makes the optimizer:

    builder = AdamW(lr=3e-4, weight_decay=0.05)
    optimizer = builder(model)
"""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from compkit.optim.groups import param_groups
from compkit.ranges import not_negative

FUSED_DEVICES = ("cpu", "cuda")  # one kernel a step: AdamW on a CPU is about 3 times faster


def fusable(groups: list[dict[str, Any]]) -> bool:
    """Whether all parameters lie where torch's fused Adam and SGD kernels are mature."""
    return all(
        param.device.type in FUSED_DEVICES and param.is_floating_point()
        for group in groups
        for param in group["params"]
    )


class OptimizerBuilder:
    """Learning rate, weight decay and what else an optimizer needs besides the parameters.

    Args:
        lr: base learning rate; the schedule multiplies it.
        weight_decay: pull towards zero, on weight matrices and kernels only (see `param_groups`).

    Attributes:
        needs_closure: whether `optimizer.step` wants a function that computes loss and gradients anew.

    Raises:
        ValueError: lr or weight_decay is negative or not finite.
    """

    needs_closure = False

    def __init__(self, lr: float, weight_decay: float) -> None:
        self.lr = not_negative("lr", lr, "3e-4")
        self.weight_decay = not_negative("optimizer.weight_decay", weight_decay, "0.05")

    def __call__(self, model: nn.Module) -> Optimizer:
        """The optimizer of all trainable parameters of `model`."""
        return self.from_groups(param_groups(model, self.lr, self.weight_decay))

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        """The optimizer of ready-made groups, each with its own `lr` and `weight_decay`."""
        raise NotImplementedError
