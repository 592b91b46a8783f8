"""The gradient of the network alone, as a function of its weights."""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from compkit.doctor.gradients.finding import ON_PURPOSE, misfit
from compkit.doctor.gradients.modes import Smooth
from compkit.doctor.gradients.network import (
    SteadyNetwork,
    choose_tensors,
    move_all,
    outputs_of,
    somebodys_classes,
)
from compkit.doctor.gradients.slopes import (
    DIRECTIONS,
    ENTRIES,
    SHARE,
    STEP,
    TOGETHER,
    WRONG,
    Fit,
    compare,
    compare_together,
    gradients_of,
    relative_error,
    slope_along,
)
from compkit.findings import Finding, Status
from compkit.losses import Loss

SECONDS, PATIENCE = 8.0, 60.0  # for all slopes, by fewer entries; and what even the fewest may take
DEEP = 50


def check_network(loss: Loss, network: SteadyNetwork) -> list[Finding]:
    """The network alone, as a function of its weights, at random weights of its outputs."""
    reads = _reads(loss, network)
    objective = network.objective(reads)
    with torch.no_grad():
        start = time.perf_counter()
        first = objective()
        seconds = time.perf_counter() - start
        if not torch.equal(first, objective()):
            why = "the network gives other answers to the same pictures each time, so slopes cannot be measured."
            return [Finding("gradients.network", Status.SKIP, why)]
    chosen, others = choose_tensors(network.model)
    entries = int(np.clip(SECONDS / (2 * seconds * max(len(chosen), 1)), 2, ENTRIES))
    expected = 2 * seconds * entries * len(chosen)
    if expected > PATIENCE:
        why = f"one pass of this network in 64 bit takes {seconds:.0f} s, all slopes {expected:.0f} s: too long."
        return [Finding("gradients.network", Status.SKIP, why)]
    deep = sum(one.ndim > 1 for one in network.model.parameters()) > DEEP
    factor = 10.0 if deep else 1.0
    # kinks alone make more entries wrong than are allowed in many a network: the rest would not change that
    fit, together = _fit(objective, chosen, others, entries, STEP, SHARE * entries * len(chosen))
    if fit.is_good(factor) and together <= TOGETHER * factor:
        return []
    move_all(network.model)  # a correct network has kinks: without them it must fit
    with Smooth():
        smoothed = network.objective(reads)
        again, together = _fit(smoothed, chosen, others, entries, STEP / 10)
        far = together > TOGETHER * factor
        if again.is_good(factor) and not far:
            return []
        wrong = again.wrong(factor)
        wrong += _wrong_ones(smoothed, others, factor) if far else []
    is_wrong = bool(wrong) or again.median > WRONG * factor or again.share > SHARE
    return [
        misfit(
            "gradients.network",
            Status.FAIL if is_wrong else Status.WARN,
            _where(network.model, wrong),
            again,
            "Correct the backward there, or write the forward with torch's own functions and let autograd derive it. "
            + ON_PURPOSE,
        )
    ]


def _fit(
    objective: Callable[[], Tensor],
    chosen: dict[str, Tensor],
    others: dict[str, Tensor],
    entries: int,
    step: float,
    most_wrong: float = math.inf,
) -> tuple[Fit, float]:
    """How well the chosen tensors' gradients fit, and the error of all others together."""
    found = gradients_of(objective(), chosen | others)
    fit = compare(objective, chosen, found, entries, step, most_wrong)
    errors = compare_together(objective, others, found, DIRECTIONS, step)
    return fit, float(np.median(errors)) if len(errors) else 0.0


def _wrong_ones(objective: Callable[[], Tensor], tensors: dict[str, Tensor], factor: float) -> list[str]:
    """Which tensors' gradients are wrong, each tried along a random direction of its own."""
    found, wrong = gradients_of(objective(), tensors), []
    for name, tensor in tensors.items():
        direction = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0))
        slope = slope_along(objective, [tensor], [direction / direction.norm()], STEP)
        gradient = float((found[name] * direction).sum() / direction.norm())
        error = relative_error(slope, gradient)
        if error is not None and error > WRONG * factor:
            wrong.append(name)
    return wrong


def _where(model: nn.Module, wrong: list[str]) -> str:
    """What to say of a network some of whose gradients are wrong."""
    names = [name for name, one in model.named_parameters() if one.requires_grad]
    places = sorted(names.index(name) for name in wrong)
    said = "the network's gradient is not the slope of its output"
    if places:
        listed = ", ".join(names[place] for place in places[-3:])
        behind = [name for name in names[places[-1] + 1 :]][:1]
        said += f": wrong in {len(wrong)} of the tensors looked at, the last of them {listed}"
        said += f", and right again from {behind[0]} on" if behind else ""
    own = somebodys_classes(model)
    return said + (f"; look first at {', '.join(own[:5])}" if own else "")


def _reads(loss: Loss, network: SteadyNetwork) -> list[str]:
    """Which of the network's outputs the loss looks at."""
    with torch.no_grad():
        inputs = network.outputs()
    inputs = {name: one.detach().requires_grad_() for name, one in inputs.items()}
    value = torch.stack(list(loss.train().terms(outputs_of(inputs), network.targets).values())).sum()
    if not value.requires_grad:
        return ["logits"]
    found = torch.autograd.grad(value, list(inputs.values()), allow_unused=True)
    return [name for name, one in zip(inputs, found, strict=True) if one is not None] or ["logits"]
