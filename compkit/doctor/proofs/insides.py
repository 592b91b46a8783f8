"""What can be asked of a network and its loss: leaves, statistics, louder weights, a batch of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The tensors that a backward pass would leave gradients in.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> leaves_of((weight * 2).sum())[0] is weight
    True
    """
    found, seen, waiting = [], set(), [loss.grad_fn]
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting += [following for following, _ in node.next_functions]
    return found


def statistics(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the running mean and variance, together [2 C], of each batch norm that keeps them."""
    return {
        name: torch.cat([module.running_mean, module.running_var])
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
    }


@contextmanager
def multiplied(module: nn.Module | None, factor: float) -> Iterator[None]:
    """Inside it a module's own weights are multiplied by the factor."""
    weights = [] if module is None else list(module.parameters(recurse=False))
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            weight.mul_(factor)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)


def tried(model: nn.Module, images: Tensor) -> Any:
    """Outputs, or the error: batch norms without running statistics refuse a batch of one."""
    try:
        return model(images)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        return error
