"""The gradient of the loss alone, as a function of what the network says."""

import functools

import numpy as np
import torch
from torch import Tensor

from compkit.doctor.gradients.finding import ON_PURPOSE, misfit
from compkit.doctor.gradients.network import SteadyNetwork, loss_value, own_weights, stopped_terms
from compkit.doctor.gradients.slopes import (
    DIRECTIONS,
    SHARE,
    STEP,
    TOGETHER,
    WRONG,
    compare,
    compare_together,
    gradients_of,
)
from compkit.findings import Finding, Status
from compkit.losses import Loss
from compkit.types import Targets

MANY = 64  # entries of each output: the loss alone costs next to nothing


def check_loss(loss: Loss, network: SteadyNetwork) -> list[Finding]:
    """The loss alone, as a function of what the network says."""
    name = type(loss).__name__
    stopped = stopped_terms(loss)
    if len(stopped) == len(loss.term_names):
        why = f"loss {name} lets no gradient flow through its paces, on purpose."
        return [Finding("gradients.loss", Status.SKIP, why)]
    loss.train()
    with torch.no_grad():
        said = network.outputs()
    fits = []
    for number in range(2):  # on a kink the one, hardly the other
        noise = torch.Generator().manual_seed(number)
        inputs = {
            key: one + (0.1 + one.std()) * 0.3 * torch.randn(one.shape, generator=noise)
            for key, one in said.items()
        }
        tensors = {key: one.requires_grad_() for key, one in inputs.items()} | own_weights(loss)
        value = loss_value(loss, inputs, network.targets)
        scale = max(float(value.detach().abs()), 1e-300)
        found = gradients_of(value / scale, tensors)
        if float(value.detach()) != 0 and not any(bool(one.any()) for one in found.values()):
            return [_no_gradient(name, float(value.detach()))]
        objective = functools.partial(_scaled_loss, loss, inputs, network.targets, scale)
        step = STEP * (1, 0.1)[number]
        together = compare_together(objective, tensors, found, DIRECTIONS, step)
        is_off = len(together) > 0 and float(np.median(together)) > TOGETHER
        fits.append((is_off, compare(objective, tensors, found, MANY, step)))
    is_off, fit = min(fits, key=lambda one: (one[0], one[1].share, one[1].median))
    if fit.is_good() and not is_off:
        return []
    is_wrong = is_off or bool(fit.wrong()) or fit.median > WRONG or fit.share > SHARE
    return [
        misfit(
            "gradients.loss",
            Status.FAIL if is_wrong else Status.WARN,
            f"the gradient of loss {name} is not the slope of its value",
            fit,
            f"Correct the backward of {name}, or write its forward with torch's own functions and let autograd "
            "derive it. " + ON_PURPOSE,
        )
    ]


def _scaled_loss(loss: Loss, inputs: dict[str, Tensor], targets: Targets, scale: float) -> Tensor:
    return loss_value(loss, inputs, targets) / scale


def _no_gradient(name: str, value: float) -> Finding:
    return Finding(
        "gradients.loss",
        Status.FAIL,
        f"loss {name} is {value:.3g} and gives the network no gradient at all.",
        value=0.0,
        expected="a gradient that is not 0",
        remedy=f"Look in {name} for detach(), item(), numpy(), round(), argmax() or a comparison between the "
        "network's output and the result, and compute with the output itself. " + ON_PURPOSE,
    )
