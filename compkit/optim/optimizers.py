"""Torch's first-order optimizers: plain and with momentum, and those with a rate for every weight."""

from typing import Any

import torch
from torch.optim import Optimizer

from compkit.optim.builder import OptimizerBuilder, fusable
from compkit.ranges import below_one, not_negative


class SGD(OptimizerBuilder):
    """Stochastic gradient descent: plain, with momentum, or with Nesterov's momentum.

    v = momentum * v + g;  w = w - lr * v  (torch's form: the rate stays outside the velocity).

    Raises:
        ValueError: momentum outside [0, 1), or nesterov without momentum.

    Source: Polyak 1964; Nesterov 1983; the form of Sutskever et al. 2013 as torch has it.

    >>> optimizer = SGD(lr=0.1, momentum=0.9, nesterov=True)(torch.nn.Linear(2, 1))
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

    >>> type(Adam(lr=3e-4)(torch.nn.Linear(2, 1))).__name__
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

    >>> [group["weight_decay"] for group in AdamW(lr=3e-4, weight_decay=0.05)(torch.nn.Linear(2, 1)).param_groups]
    [0.05, 0.0]
    """

    torch_class = torch.optim.AdamW


class Adagrad(OptimizerBuilder):
    """Each weight's rate shrinks with the squares of all its gradients so far; for rare features.

    w = w - lr * g / (sqrt(sum of g^2) + eps)

    Args:
        initial_accumulator: where the sum of squares starts, >= 0; above 0 the first steps are smaller.
        eps: added to the root, keeps the step finite.

    Raises:
        ValueError: one of them is negative.

    Source: Duchi, Hazan and Singer 2011, JMLR 12:2121-2159.

    >>> type(Adagrad(lr=0.01)(torch.nn.Linear(2, 1))).__name__
    'Adagrad'
    """

    def __init__(
        self, lr: float, weight_decay: float = 0.0, initial_accumulator: float = 0.0, eps: float = 1e-10
    ) -> None:
        super().__init__(lr, weight_decay)
        self.initial_accumulator = not_negative("optimizer.initial_accumulator", initial_accumulator, "0.1")
        self.eps = not_negative("optimizer.eps", eps, "1e-10")

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return torch.optim.Adagrad(
            groups, lr=self.lr, initial_accumulator_value=self.initial_accumulator, eps=self.eps
        )


class Adadelta(OptimizerBuilder):
    """Steps in the unit of the weights themselves: their own running size over that of the gradients.

    Args:
        rho: share of the past kept in both running means of squares, in [0, 1).
        eps: added inside both roots; it sets the size of the first steps.

    Raises:
        ValueError: rho outside [0, 1), or eps negative.

    Source: Zeiler 2012, arXiv:1212.5701, algorithm 1 (there lr = 1).

    >>> type(Adadelta(lr=1.0)(torch.nn.Linear(2, 1))).__name__
    'Adadelta'
    """

    def __init__(self, lr: float, weight_decay: float = 0.0, rho: float = 0.9, eps: float = 1e-6) -> None:
        super().__init__(lr, weight_decay)
        self.rho = below_one("optimizer.rho", rho, "0.9")
        self.eps = not_negative("optimizer.eps", eps, "1e-6")

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return torch.optim.Adadelta(groups, lr=self.lr, rho=self.rho, eps=self.eps)


class RMSprop(OptimizerBuilder):
    """The gradient over the root of a running mean of its square, optionally with momentum.

    Args:
        alpha: share of the past kept in the running mean, in [0, 1).
        momentum: share of the last step that is kept, in [0, 1).
        eps: added to the root, keeps the step finite.
        centered: whether the running mean of the gradient is taken out of that of its square.

    Raises:
        ValueError: alpha or momentum outside [0, 1), or eps negative.

    Source: Tieleman and Hinton 2012, lecture 6.5; centred: Graves 2013, arXiv:1308.0850, section 4.2.

    >>> RMSprop(lr=1e-4, momentum=0.9)(torch.nn.Linear(2, 1)).defaults["momentum"]
    0.9
    """

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        alpha: float = 0.99,
        momentum: float = 0.0,
        eps: float = 1e-8,
        centered: bool = False,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.alpha = below_one("optimizer.alpha", alpha, "0.99")
        self.momentum = below_one("optimizer.momentum", momentum, "0.9")
        self.eps = not_negative("optimizer.eps", eps, "1e-8")
        self.centered = centered

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return torch.optim.RMSprop(
            groups,
            lr=self.lr,
            alpha=self.alpha,
            momentum=self.momentum,
            eps=self.eps,
            centered=self.centered,
        )
