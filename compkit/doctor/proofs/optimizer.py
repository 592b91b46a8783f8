"""Proofs of the optimizer: it holds what it should, clears gradients, and steps downhill."""

import math
from collections import Counter

import torch

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import KEPT, doubted, failed, left_out, listed
from compkit.doctor.proofs.slopes import Step
from compkit.findings import Finding
from compkit.optim import LBFGS

SHRINKS = 0.1  # share of each weight that decay takes away in a step
CLIPPED = 1e-4  # share of the gradient that clipping leaves
UPHILL = 1e-3  # cosine between gradient and move; rounding stays far below


def coverage(bench: Bench) -> list[Finding]:
    """Every trained weight is in the optimizer once, and nothing else is."""
    lesson, learner = bench.lesson, bench.learner
    name = "optimizer"
    named = dict(bench.model.named_parameters())
    never = {
        id(one)
        for part in learner.finetune.parts(bench.model)
        if part.frozen_epochs == math.inf
        for one in part.params
    }
    wanted = {id(one): key for key, one in named.items() if one.requires_grad and id(one) not in never}
    held = Counter(id(one) for group in learner.optimizer.param_groups for one in group["params"])
    known = {id(one) for one in bench.model.parameters()}
    of_loss = {id(one): key for key, one in learner.loss.named_parameters() if one.requires_grad}
    if learner.loss_optimizer is not None:
        held.update(id(one) for group in learner.loss_optimizer.param_groups for one in group["params"])
    found = []
    missing = [key for one, key in wanted.items() if one not in held]
    if missing:
        found.append(
            failed(
                name,
                f"{len(missing)} of {len(wanted)} trained tensors are not in the optimizer: {listed(missing)}.",
                "They would keep their first values. Make layers in the constructor, not in forward, and give the "
                "optimizer (optimizer._target_) all groups that it gets.",
                len(missing),
                "0",
                missing=missing[:KEPT],
            )
        )
    twice = [
        named_or_not for one, count in held.items() if count > 1 for named_or_not in [wanted.get(one, "?")]
    ]
    if twice:
        found.append(
            failed(
                name,
                f"{len(twice)} tensors are in the optimizer more than once: {listed(twice)}.",
                "They would be moved twice a step. Give each parameter to one group (optimizer._target_).",
                len(twice),
                "0",
            )
        )
    strangers = [one for one in held if one not in known and one not in of_loss]
    if strangers:
        found.append(
            failed(
                name,
                f"{len(strangers)} tensors in the optimizer are not the model's: copies, or layers that were "
                "replaced.",
                "The optimizer would move what the network does not use. Hand over the parameters themselves "
                "(optimizer._target_, model._target_).",
                len(strangers),
                "0",
            )
        )
    lost = [key for one, key in of_loss.items() if one not in held]
    if lost:
        found.append(
            failed(
                name,
                f"{len(lost)} weights of the loss are in no optimizer: {listed(lost)}.",
                "They would never learn. Return an optimizer of them from the loss's make_optimizer().",
                len(lost),
                "0",
            )
        )
    orphans = [one for one in lesson.leaves if id(one) not in known and id(one) not in of_loss]
    if orphans:
        shapes = [str(tuple(one.shape)) for one in orphans]
        found.append(
            failed(
                name,
                f"The loss depends on {len(orphans)} tensors with gradients that are no parameters of the model, of "
                f"shapes {listed(shapes)}.",
                "Nothing would train, save or move them. Keep layers as attributes or in nn.ModuleList, not in a "
                "plain "
                "list, and make none in forward (model._target_, model.head._target_).",
                len(orphans),
                "0",
                shapes=shapes[:KEPT],
            )
        )
    return found


def rates(bench: Bench) -> list[Finding]:
    """Every group has a rate above 0, and decay takes little of a weight in a step."""
    found = []
    still = [name for name, rate, _ in bench.decays if not rate > 0]
    if still:
        found.append(
            failed(
                "rates",
                f"The learning rate of {listed(still)} is 0 or not a number.",
                "Set lr, e.g. lr=3e-4; to leave layers as they are say so with finetune.freeze_stages.",
                0.0,
                "above 0",
            )
        )
    share, name = max((rate * decay, name) for name, rate, decay in bench.decays)
    if share > SHRINKS:
        found.append(
            doubted(
                "rates",
                f"lr x weight decay of {name} is {share:.2g}: each step shrinks its weights by that share.",
                "Set a smaller optimizer.weight_decay, e.g. optimizer.weight_decay=0.05, or a smaller lr.",
                share,
                f"below {SHRINKS}",
            )
        )
    changed = [(old, new) for step in bench.lesson.steps for old, new in step.rates if new != old]
    if changed:
        found.append(
            doubted(
                "rates",
                f"A step of the optimizer sets a learning rate of {changed[0][0]:.3g} to {changed[0][1]:.3g}: lr and "
                "schedule have no say.",
                'Leave the groups\' "lr" alone in step() (optimizer._target_), or multiply with it.',
                changed[0][1],
                f"{changed[0][0]:.3g}, as set",
            )
        )
    return found + clipping(bench)


def clipping(bench: Bench) -> list[Finding]:
    """A limit so low that it, not the rate, decides how long steps are."""
    settings = bench.plan.trainer
    norm = min(step.gradient_norm for step in bench.lesson.steps)
    if settings.clip_at is None or settings.clip != "norm" or not norm * CLIPPED > settings.clip_at:
        return []
    return [
        doubted(
            "rates",
            f"trainer.clip_at={settings.clip_at:g} leaves {settings.clip_at / norm:.1g} of the gradient of the first "
            f"steps, whose norm is {norm:.3g}.",
            "Set trainer.clip_at near the usual norm, e.g. trainer.clip_at=1, or null.",
            settings.clip_at / norm,
            f"above {CLIPPED:g}",
        )
    ]


def zero_grad(bench: Bench) -> list[Finding]:
    """Gradients are cleared after each step: a batch shown twice has its own gradient twice."""
    left = [name for step in bench.lesson.steps for name in step.left]
    if not left:
        return []
    return [
        failed(
            "zero_grad",
            f"After a step the gradients of {len(set(left))} tensors are not cleared, so that they add up from step "
            "to "
            f"step: {listed(sorted(set(left)))}.",
            "Let zero_grad() of the optimizer (optimizer._target_) reset every parameter's grad.",
            len(set(left)),
            "0",
        )
    ]


def steps(bench: Bench) -> list[Finding]:
    """Each step moves every weight that has a gradient, and against it."""
    optimizer, found = bench.learner.optimizer, []
    rate = max(group["lr"] for group in optimizer.param_groups)
    if not rate > 0:
        return [left_out("steps", "The learning rate is 0.")]
    for number, step in enumerate(bench.lesson.steps):
        stuck = [name for name, one in step.traces.items() if one.is_stuck]
        if stuck:
            found.append(
                failed(
                    "steps",
                    f"Step {number + 1} left {len(stuck)} of {len(step.traces)} tensors as they were, though they "
                    "have a "
                    f"gradient: {listed(stuck)}.",
                    "Look at step() of the optimizer (optimizer._target_), and at its learning rate (lr).",
                    len(stuck),
                    "0",
                    stuck=stuck[:KEPT],
                )
            )
            break
    first = bench.lesson.steps[0]
    cosine = _cosine(first)
    if (
        not isinstance(optimizer, torch.optim.LBFGS)
        and not isinstance(bench.plan.optimizer, LBFGS)
        and cosine > UPHILL
    ):
        found.append(
            failed(
                "steps",
                f"The first step goes up the slope: the cosine between gradient and move is {cosine:+.2f}.",
                "Look at the sign in step() of the optimizer (optimizer._target_), and for maximize=true.",
                cosine,
                "below 0",
            )
        )
    return found


def _cosine(step: Step) -> float:
    """Between the gradient and what the optimizer made of it; -1 is plain descent."""
    traces = [one for one in step.traces.values() if one.norm]
    lengths = [
        math.sqrt(sum(length**2 for length in side))
        for side in zip(*[(one.sampled, one.move) for one in traces], strict=True)
    ]
    return sum(one.product for one in traces) / math.prod(lengths) if lengths and all(lengths) else 0.0
