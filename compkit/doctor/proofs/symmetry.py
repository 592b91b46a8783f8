"""Proof that units can learn different things: equal ones with equal inputs stay copies of each other."""

from torch import Tensor, nn

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import KEPT, failed, listed
from compkit.findings import Finding

LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
SAME = 1e-5  # of the largest weight; rounding stays below


def symmetry(bench: Bench) -> list[Finding]:
    """No trained layer has units that are all the same after a few steps."""
    _ = bench.lesson  # layers that start at 0 tell their units apart in their first step
    layers = {
        name: module
        for name, module in bench.model.named_modules()
        if isinstance(module, LAYERS) and module.weight.requires_grad and getattr(module, "groups", 1) == 1
    }
    copies = [name for name, module in layers.items() if are_copies(module.weight.detach())]
    if not copies:
        return []
    units = len(layers[copies[0]].weight)
    return [
        failed(
            "symmetry",
            f"In {len(copies)} of {len(layers)} layers all units have the same weights, and still after some steps: "
            f"{listed(copies)}. The {units} units of {copies[0]} can do no more than one.",
            "Start with random weights: model/initialise=he, or nn.init.kaiming_normal_ instead of constants.",
            len(copies),
            "0",
            layers=copies[:KEPT],
        )
    ]


def are_copies(weight: Tensor) -> bool:
    """Whether all rows of a weight [units, ...] are the same, and not 0.

    >>> import torch
    >>> are_copies(torch.ones(3, 2)), are_copies(torch.eye(2)), are_copies(torch.ones(1, 2))
    (True, False, False)
    """
    largest = float(weight.abs().max())
    return len(weight) > 1 and largest > 0 and float((weight - weight[:1]).abs().max()) <= SAME * largest
