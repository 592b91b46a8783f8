"""The terms of a summed loss on one scale: none may drown the others in the gradient."""

from typing import NamedTuple

import torch

from compkit.engine import Stepper
from compkit.findings import Finding, Status
from compkit.losses import as_outputs
from compkit.losses.weighted_sum import RAMPED_UP, weight_key
from compkit.types import Targets

NAME = "initial_loss.terms"
RATIO = 100.0


class TermSize(NamedTuple):
    """How much a term of the loss counts: its value, and the norm of the gradient it sends into the network."""

    value: float
    gradient: float


def term_sizes(stepper: Stepper, images: torch.Tensor, targets: Targets) -> dict[str, TermSize]:
    """The size of every term of the loss, by name."""
    model, loss = stepper.learner.model.train(), stepper.learner.loss.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sizes = {}
    for name, term in loss.terms(as_outputs(model(images, targets)), targets).items():
        value, norm = abs(float(term.detach())), 0.0
        if term.requires_grad:
            found = torch.autograd.grad(term, trained, retain_graph=True, allow_unused=True)
            norm = float(sum(float(one.square().sum()) for one in found if one is not None)) ** 0.5
        sizes[name] = TermSize(value, norm)
    return sizes


def check_terms(terms: dict[str, TermSize]) -> list[Finding]:
    """Whether a term is drowned, by its gradient and by its value.

    By one alone a center loss would be, at its usual weight. Terms of 0 are left out, as they had nothing to
    compare, and so is the consistency, whose weight starts small.

    >>> [finding.message for finding in check_terms({"a": TermSize(2.0, 1.0), "b": TermSize(0.001, 1.0)})]
    []
    """
    sizes = {name: one for name, one in terms.items() if one.gradient > 0 and name != RAMPED_UP}
    largest = max(sizes, key=lambda name: sizes[name].gradient, default="")
    drowned = [
        name
        for name, one in sizes.items()
        if one.gradient * RATIO < sizes[largest].gradient and one.value * RATIO < sizes[largest].value
    ]
    if not drowned:
        return []
    listed = ", ".join(f"{name} ({sizes[name].gradient:.2g})" for name in drowned)
    keys = " or ".join(weight_key(name) for name in drowned if name != "target")
    advice = [f"raise {keys}"] if keys else []
    advice += [f"lower {weight_key(largest)}"] if largest != "target" else []
    return [
        Finding(
            NAME,
            Status.WARN,
            f"beside the gradient of {largest} ({sizes[largest].gradient:.2g}) that of {listed} is over {RATIO:g} "
            "times smaller, so that it hardly counts.",
            value=sizes[largest].gradient / min(sizes[name].gradient for name in drowned),
            expected=f"within {RATIO:g} times of each other",
            remedy=f"Unless this is meant, {', or '.join(advice)}.",
            evidence={"gradient_norms": {name: one.gradient for name, one in terms.items()}},
        )
    ]
