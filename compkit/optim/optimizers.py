"""Optimizers as settings first, and as torch optimizers once there is a model.

An option of `conf/optimizer` is built before the model, so a wrong value stops the run at once;
calling it with the model makes the optimizer:

    builder = AdamW(lr=3e-4, weight_decay=0.05)
    optimizer = builder(model)
"""

import difflib
from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch import nn
from torch.optim import Optimizer

from compkit.optim.groups import param_groups
from compkit.optim.ranges import below_one, not_negative

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

    Raises:
        ValueError: lr or weight_decay is negative or not finite.
    """

    def __init__(self, lr: float, weight_decay: float) -> None:
        self.lr = not_negative("lr", lr, "3e-4")
        self.weight_decay = not_negative("optimizer.weight_decay", weight_decay, "0.05")

    def __call__(self, model: nn.Module) -> Optimizer:
        """The optimizer of all trainable parameters of `model`."""
        return self.from_groups(param_groups(model, self.lr, self.weight_decay))

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        """The optimizer of ready-made groups, each with its own `lr` and `weight_decay`."""
        raise NotImplementedError


class SGD(OptimizerBuilder):
    """Stochastic gradient descent: plain, with momentum, or with Nesterov's momentum.

    v = momentum * v + g;  w = w - lr * v  (torch's form: the rate stays outside the velocity).

    Raises:
        ValueError: momentum outside [0, 1), or nesterov without momentum.

    Source: Polyak 1964; Nesterov 1983; the form of Sutskever et al. 2013 as torch has it.

    >>> optimizer = SGD(lr=0.1, momentum=0.9, nesterov=True)(nn.Linear(2, 1))
    >>> optimizer.defaults["momentum"], optimizer.defaults["nesterov"]
    (0.9, True)
    """

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.momentum = below_one("optimizer.momentum", momentum, "0.9")
        self.nesterov = nesterov
        if nesterov and self.momentum == 0:
            raise ValueError("optimizer.nesterov=true needs optimizer.momentum > 0, got 0; usually 0.9.")

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            fused=fusable(groups),
        )


class Adam(OptimizerBuilder):
    """Steps scaled by running means of the gradient and of its square; weight decay inside the gradient.

    Args:
        betas: share of the past kept in the two running means, each in [0, 1).
        eps: added to the root of the second mean, keeps the step finite.

    Raises:
        ValueError: a beta outside [0, 1), or eps negative.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.

    >>> type(Adam(lr=3e-4)(nn.Linear(2, 1))).__name__
    'Adam'
    """

    torch_class: type[torch.optim.Adam] = torch.optim.Adam

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(lr, weight_decay)
        if len(betas) != 2:
            raise ValueError(f"optimizer.betas: got {list(betas)}; expected two numbers, e.g. [0.9,0.999].")
        first, second = (below_one("optimizer.betas", beta, "[0.9,0.999]") for beta in betas)
        self.betas = (first, second)
        self.eps = not_negative("optimizer.eps", eps, "1e-8")

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return self.torch_class(groups, lr=self.lr, betas=self.betas, eps=self.eps, fused=fusable(groups))


class AdamW(Adam):
    """Adam with weight decay outside the gradient: w = w - lr * weight_decay * w beside each step.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2.

    >>> [group["weight_decay"] for group in AdamW(lr=3e-4, weight_decay=0.05)(nn.Linear(2, 1)).param_groups]
    [0.05, 0.0]
    """

    torch_class = torch.optim.AdamW


class TimmOptimizer(OptimizerBuilder):
    """Any optimizer of timm by its name: lamb, lion, adan, muon, rmsprop, ...

    Args:
        name: as in `timm.optim.list_optimizers()`; `lookahead_<name>` wraps it in Lookahead.
        options: further arguments of that optimizer, e.g. {momentum: 0.95}.

    Raises:
        ValueError: the name is unknown (with the closest ones), needs second derivatives, is not
            installed, or does not take an option.

    >>> type(TimmOptimizer("lamb", lr=1e-3)(nn.Linear(2, 1))).__name__
    'Lamb'
    """

    def __init__(
        self,
        name: str,
        lr: float,
        weight_decay: float = 0.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.name = name.lower()
        self.options = options or {}
        plain = self.name.removeprefix("lookahead_")
        names = [str(known) for known in list_optimizers()]
        if plain not in names:
            close = difflib.get_close_matches(plain, names, n=5) or names
            raise ValueError(
                f"optimizer.name: timm has no optimizer {name!r}. Close ones: {', '.join(close)}. "
                f"Set e.g. optimizer.name={close[0]}."
            )
        if get_optimizer_info(plain).second_order:
            raise ValueError(
                f"optimizer.name: {name!r} needs second derivatives, which the training loop does not "
                "compute. Choose a first-order one, e.g. optimizer.name=lamb."
            )

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        try:
            return create_optimizer_v2(groups, opt=self.name, lr=self.lr, **self.options)
        except (ImportError, AssertionError, TypeError, ValueError) as error:
            raise ValueError(
                f"optimizer.name={self.name} with optimizer.options={self.options}: {error}. "
                "Correct the options, install what it asks for, or choose another name."
            ) from error
