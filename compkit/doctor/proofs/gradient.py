"""Proofs of the gradient: it reaches every weight, can be seen there, and no units are silent from the start."""

import torch
from torch import nn

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.lesson import Lesson
from compkit.doctor.proofs.proof import KEPT, doubted, failed, left_out, listed, noted
from compkit.findings import Finding

VANISHED = 1e-10  # root mean square of a tensor's gradient
DEAD = 0.4  # share of units that are silent for all samples; healthy networks have at most 0.12
SATURATED = 0.5
DROPPED = 0.9  # share that a dropout takes away
CUT_OFF = 0.1  # share of the weights without a gradient that is no matter of a spare layer


def reach(bench: Bench) -> list[Finding]:
    """The gradient reaches every trained weight."""
    largest = largest_gradients(bench.lesson)
    if not all(torch.isfinite(step.figures.grad_norm) for step in bench.lesson.steps):
        return [
            failed(
                "gradient",
                "The gradient of the first steps is not finite.",
                "Lower lr, look at the scale of the pictures, and for divisions and roots of 0 in the model or the "
                "loss.",
            )
        ]
    spared = spare(bench)
    missing = [name for name, value in largest.items() if not value and name not in spared]
    if not missing:
        return []
    shapes = dict(bench.model.named_parameters())
    sizes = {name: one.numel() for name, one in shapes.items()}
    share = sum(sizes[name] for name in missing) / max(sum(sizes[name] for name in largest), 1)
    ran = {name for watch in bench.lesson.watches for name in watch.flags}
    used = [name for name in largest if name.rpartition(".")[0] in ran]
    first = next((name for name in used if shapes[name].ndim >= 2), None)
    lost = sum(sizes[name] for name in missing if name in used)
    if first in missing or lost > CUT_OFF * sum(sizes.values()):
        return [
            failed(
                "gradient",
                f"In {len(bench.lesson.steps)} steps no gradient reaches {len(missing)} of {len(largest)} trained "
                f"tensors, {share:.0%} of the weights, {listed(missing)} among them.",
                "Look for detach(), torch.no_grad(), .data, rounding or dead units on the way from the loss to them "
                "(model._target_, loss._target_). To train the head alone say so: finetune.freeze_stages=all.",
                share,
                "0",
                missing=missing[:KEPT],
            )
        ]
    own = [name for name in missing if not name.startswith("backbone.model.")]
    if own:
        return [
            doubted(
                "gradient",
                f"In {len(bench.lesson.steps)} steps no gradient reaches {listed(own)}.",
                "Use these layers in forward, or remove them (model._target_); if they are spare, "
                "doctor.skip=[proofs.gradient].",
                len(own),
                "0",
                missing=own[:KEPT],
            )
        ]
    return [
        noted("gradient", f"The backbone has {len(missing)} tensors that nothing uses: {listed(missing)}.")
    ]


def largest_gradients(lesson: Lesson) -> dict[str, float]:
    """The largest entry of each tensor's gradient over all steps; 0 where there was none."""
    largest: dict[str, float] = {}
    for step in lesson.steps:
        for name, one in step.traces.items():
            largest[name] = max(largest.get(name, 0.0), one.largest)
    return largest


def spare(bench: Bench) -> set[str]:
    """Parameters that the loss does not ask for by design: the head of losses that read features alone."""
    if "logits" in bench.learner.loss.reads:
        return set()
    return {name for name, _ in bench.model.named_parameters() if name.startswith(("head.", "neck."))}


def vanishing(bench: Bench) -> list[Finding]:
    """The gradient of the first layers is large enough to be seen."""
    sizes: dict[str, list[float]] = {}
    for step in bench.lesson.steps:
        for name, one in step.traces.items():
            if one.largest:
                sizes.setdefault(name, []).append(one.root_mean_square)
    gone = [
        name
        for name, values in sizes.items()
        if len(values) == len(bench.lesson.steps) and max(values) < VANISHED
    ]
    if not gone or (next(iter(sizes)) not in gone and len(gone) < len(sizes) / 2):
        return []
    smallest = max(sizes[gone[0]])
    return [
        doubted(
            "vanishing",
            f"The gradient of {len(gone)} of {len(sizes)} tensors has all but vanished from the start, that of "
            f"{gone[0]} is {smallest:.1g} (root mean square).",
            "Use batch or layer norm, shortcuts, ReLU instead of sigmoid, another model.initialise, and look for tiny "
            "factors in the loss or the model.",
            smallest,
            f"above {VANISHED:g}",
            vanished=gone[:KEPT],
        )
    ]


def units(bench: Bench) -> list[Finding]:
    """Few units are silent for all pictures, or saturated, before the first step."""
    seen, found = bench.lesson.units, dropping(bench)
    if not seen.units and not seen.gated:
        return found or [
            left_out("units", "The network has no ReLU, GELU, SiLU, sigmoid or tanh that could be looked at.")
        ]
    share = seen.dead / max(seen.units, 1)
    if share > DEAD:
        worst = max(
            range(len(seen.layers)), key=lambda number: seen.layers[number][1] / seen.layers[number][0]
        )
        found.append(
            doubted(
                "units",
                f"{share:.0%} of {seen.units} units are silent for all {len(bench.lesson.outputs)} pictures, most "
                f"of all in activation {worst + 1} of {len(seen.layers)}.",
                "Look at biases far below 0 and at the scale of weights: model.initialise, e.g. "
                "model/initialise=he, or a norm before each activation.",
                share,
                f"below {DEAD:.0%}",
                layers=[list(one) for one in seen.layers],
            )
        )
    saturated = seen.saturated / max(seen.gated, 1)
    if saturated > SATURATED:
        found.append(
            doubted(
                "units",
                f"{saturated:.0%} of the values of sigmoid and tanh lie at an end, where their gradient is all but 0.",
                "Start with smaller weights (model.initialise), or put a norm before them.",
                saturated,
                f"below {SATURATED:.0%}",
            )
        )
    return found


def dropping(bench: Bench) -> list[Finding]:
    """Dropout that leaves next to nothing."""
    layers = [one for one in bench.model.modules() if isinstance(one, nn.modules.dropout._DropoutNd)]
    share = max((float(one.p) for one in layers), default=0.0)
    if share <= DROPPED:
        return []
    return [
        doubted(
            "units",
            f"A dropout takes {share:.0%} of the values away, so that hardly anything is learnt from.",
            "Set its share (model.neck.p) to 0.1-0.5.",
            share,
            f"at most {DROPPED:.0%}",
        )
    ]


def descent(bench: Bench) -> list[Finding]:
    """Weights moved a little against the gradient lower the loss of the same pictures."""
    falls = bench.lesson.falls
    if not falls:
        return [
            left_out(
                "descent", "The loss has no gradient, or is not finite: see proofs.loss and proofs.gradient."
            )
        ]
    if falls[-1] > -0.5:  # flat or falling: kinks and rounding do that too
        return []
    return [
        failed(
            "descent",
            f"A small step against the gradient raises the loss, {-falls[-1]:.2f} times as much as it should lower "
            "it.",
            "The gradient has a wrong sign somewhere: look at the backward of every torch.autograd.Function in the "
            "model "
            "or the loss, and run scripts/doctor.py for the layer.",
            falls[-1],
            "near 1",
        )
    ]
