"""A penalty on the weights' absolute values, which drives the useless ones to zero."""

from typing import Any

import torch

from compkit.ranges import not_negative


@torch.no_grad()
def add_l1_gradient(optimizer_groups: list[dict[str, Any]], l1: float) -> None:
    """Add the gradient of l1 * (sum of |w|) to those of the weights that weight decay pulls.

    Biases, norms, tokens and GeM's p (groups whose `decayed` is False) are left alone, as are parameters
    without gradient or with a sparse one. Call it once a step, after the gradients are unscaled and
    before they are clipped. At w = 0 the gradient is 0.

    Args:
        optimizer_groups: `optimizer.param_groups`, made by `param_groups` or `Finetune.groups`.
        l1: weight of the penalty, >= 0; 0 does nothing.

    Raises:
        ValueError: l1 is negative, or the groups do not tell which weights to penalise (L-BFGS, whose
            line search would not see the penalty).

    Source: Tibshirani 1996, J. R. Statist. Soc. B 58:267-288.

    >>> from compkit.optim import SGD
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> layer.weight.data, layer.weight.grad = torch.tensor([[3.0, -2.0]]), torch.zeros(1, 2)
    >>> add_l1_gradient(SGD(lr=0.1)(layer).param_groups, l1=0.01)
    >>> layer.weight.grad
    tensor([[ 0.0100, -0.0100]])
    """
    l1 = not_negative("trainer.l1", l1, "1e-5")
    if l1 == 0:
        return
    if any("decayed" not in group for group in optimizer_groups):
        raise ValueError(
            f"trainer.l1: got {l1:g}, but this optimizer (lbfgs) holds all parameters as one vector; "
            "expected 0. Set trainer.l1=0, or take optimizer=adamw."
        )
    pairs = [
        (param, param.grad)
        for group in optimizer_groups
        if group["decayed"]
        for param in group["params"]
        if param.grad is not None and not param.grad.is_sparse
    ]
    if pairs:
        params, grads = map(list, zip(*pairs, strict=True))
        torch._foreach_add_(grads, torch._foreach_sign(params), alpha=l1)
