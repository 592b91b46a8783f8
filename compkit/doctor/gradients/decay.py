"""Weight decay and L1: whether they pull towards zero, and whether the data can still be heard beside them."""

import torch
from torch import Tensor

from compkit.findings import Finding, Status
from compkit.optim import OptimizerBuilder
from compkit.run.trial import Trial

NAME = "gradients.regulariser"
TRIED = 0.1  # rate and decay of the step that is tried out


def moved(builder: OptimizerBuilder, weight: Tensor, gradient: Tensor, decay: float) -> Tensor:
    """A weight after one step of a rate of 0.1, of the gradient and a weight decay.

    >>> from compkit.optim import SGD
    >>> moved(SGD(lr=1.0), torch.tensor([[2.0]]), torch.tensor([[1.0]]), decay=0.5)
    tensor([[1.8000]])
    """
    parameter = torch.nn.Parameter(weight.clone())
    group = {"params": [parameter], "name": "decay", "lr": TRIED, "base_lr": TRIED, "weight_decay": decay}
    optimizer = builder.from_groups([group | {"decayed": True}])
    parameter.grad = gradient.clone()
    optimizer.step()
    return parameter.detach()


def decay_is_gradient(builder: OptimizerBuilder) -> bool:
    """Whether weight decay is a part of the gradient: a step with both is that of their sum.

    >>> from compkit.optim import AdamW, SGD
    >>> decay_is_gradient(SGD(lr=0.1)), decay_is_gradient(AdamW(lr=0.1))
    (True, False)
    """
    weight, gradient = trial_weights()
    apart = moved(builder, weight, gradient, TRIED)
    return torch.allclose(apart, moved(builder, weight, gradient + TRIED * weight, 0.0), rtol=1e-5, atol=1e-7)


def decay_grows(builder: OptimizerBuilder) -> bool:
    """Whether weights without any gradient get longer by weight decay."""
    weight, gradient = trial_weights()
    after = moved(builder, weight, 0 * gradient, TRIED)
    return bool(after.norm() > weight.norm() * (1 + 1e-5))


def trial_weights() -> tuple[Tensor, Tensor]:
    """A weight and a gradient, [4, 3] each."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)


def pull(groups: list[dict], l1: float, in_gradient: bool) -> float:
    """Norm of the gradient that weight decay and L1 add."""
    total = 0.0
    for group in groups:
        decay = float(group["weight_decay"]) if in_gradient else 0.0
        for parameter in group["params"]:
            penalty = l1 * parameter.detach().sign() if group.get("decayed") else 0.0
            total += float((decay * parameter.detach() + penalty).square().sum())
    return total**0.5


def check_regulariser(trial: Trial, groups: list[dict], data_norm: float) -> list[Finding]:
    """What there is to say of weight decay and L1, beside a gradient of the data of this norm."""
    builder, l1 = trial.plan.optimizer, float(trial.plan.trainer.l1)
    if builder.needs_closure or not (builder.weight_decay or l1):
        return []
    if builder.weight_decay and decay_grows(builder):
        return [
            Finding(
                NAME,
                Status.FAIL,
                f"weight decay of optimizer {type(builder).__name__} pushes weights away from zero: without any "
                "gradient they get longer.",
                expected="weights that shrink",
                remedy="Turn the sign of the decay in the optimizer's step, or set optimizer.weight_decay=0.",
            )
        ]
    in_gradient = bool(builder.weight_decay) and decay_is_gradient(builder)
    if not in_gradient and not l1:
        why = "weight decay acts beside the gradient, in the optimizer's step: there is none to compare."
        return [Finding(NAME, Status.SKIP, why)]
    norm = pull(groups, l1, in_gradient)
    if norm <= data_norm:
        return []
    keys = " and ".join(
        key for key, used in (("optimizer.weight_decay", in_gradient), ("trainer.l1", l1)) if used
    )
    return [
        Finding(
            NAME,
            Status.WARN,
            f"the gradient of {keys} is {norm:.3g} long and that of the data only {data_norm:.3g}: weights will "
            "rather shrink than learn.",
            value=norm / data_norm if data_norm else None,
            expected="less than the data's",
            remedy=f"Lower {keys}, to about a tenth; or take optimizer=adamw, whose decay is no part of the gradient.",
        )
    ]
