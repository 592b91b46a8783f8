"""What a few steps of a learner show."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from compkit.doctor.proofs.insides import leaves_of, statistics
from compkit.doctor.proofs.slopes import Step, Watched, some_entries, trace
from compkit.doctor.proofs.watch import Units, Watch
from compkit.engine.step import MicroBatch
from compkit.losses import as_outputs
from compkit.optim import set_lr
from compkit.randomness import seed_everything

STEPS = 3  # zero-initialised parts get their first gradient in the second
LEAST_RATE = 1e-4  # a smaller lr would not move a weight of float32 in so few steps
SHARES = (1e-2, 1e-3, 1e-4)  # of the loss that a step along the gradient should take away


class Lesson(NamedTuple):
    """A few steps of a learner."""

    watches: list[Watch]  # of the first passes
    units: Units
    outputs: Tensor  # logits of the first pass, in training
    leaves: list[Tensor]  # what the loss's graph ends in
    falls: list[
        float
    ]  # of the loss along its gradient, in units of what it should be, for SHARES until it falls
    statistics: dict[
        str, bool
    ]  # running statistics of each batch norm that ran in training mode: did they move?
    steps: list[Step]
    trainable: tuple[set[str], set[str]]  # names of what required a gradient before and after
    frozen_moves: list[str]


def learn(stepper: Watched, batches: Sequence[MicroBatch], trainable: set[str]) -> Lesson:
    """Take a few steps, without weight decay, so that what moves a weight is its gradient.

    Args:
        stepper: of the network that takes them.
        batches: what it learns from in turn.
        trainable: names of what required a gradient before anything ran.
    """
    learner = stepper.learner
    model = learner.model
    for group in learner.optimizer.param_groups:
        group["weight_decay"] = 0.0
    stepper.module.train()
    learner.loss.train()
    frozen = {name: one.clone() for name, one in model.named_parameters() if name not in trainable}
    norms = statistics(model)
    units = Units()
    with Watch(model) as first:
        images, logits, loss = _forward(stepper, batches[0], units)
    # checkpointed networks ask for a gradient of their pictures
    leaves = [one for one in leaves_of(loss) if isinstance(one, nn.Parameter) or one.shape != images.shape]
    now = statistics(model)
    moved = {name: not torch.equal(norms[name], now[name]) for name in norms}
    ran = {name for name, trains in first.flags.items() if trains}
    falls = _falls(stepper, batches[0], loss)
    torch.manual_seed(1)
    watches, steps = [first], []
    for number in range(STEPS):
        with Watch(model) as watch:
            steps.append(_step(stepper, batches[number % len(batches)]))
        watches.append(watch)
    named = dict(model.named_parameters())
    after = {name for name, one in named.items() if one.requires_grad}
    frozen_moves = [name for name, old in frozen.items() if not torch.equal(old, named[name])]
    return Lesson(
        watches[:2],
        units,
        logits,
        leaves,
        falls,
        {name: has_moved for name, has_moved in moved.items() if name in ran},
        steps,
        (trainable, after),
        frozen_moves,
    )


def _forward(
    stepper: Watched, micro: MicroBatch, units: Units | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, logits and loss of a training pass, always with the same noise; the network's units are counted."""
    seed_everything(0)
    images, targets = next(stepper._pieces(micro))
    with units or nullcontext():
        outputs = as_outputs(stepper.module(images, targets))
    loss = torch.stack(list(stepper.learner.loss.terms(outputs, targets).values())).sum()
    return images, outputs.logits.detach(), loss


def _falls(stepper: Watched, micro: MicroBatch, loss: Tensor) -> list[float]:
    """How far the loss falls when the weights are moved a little against its gradient."""
    weights: list[nn.Parameter] = [one for one in stepper.learner.model.parameters() if one.requires_grad]
    if loss.grad_fn is None:
        return []
    loss.backward()  # checkpointed networks refuse torch.autograd.grad
    pairs = [(one, one.grad) for one in weights if one.grad is not None]
    for one in weights:
        one.grad = None
    square = sum(float(grad.square().sum()) for _, grad in pairs)
    start, falls = float(loss.detach()), []
    if not 0 < square < math.inf or not 0 < abs(start) < math.inf:
        return []
    kept = [one.detach().clone() for one, _ in pairs]
    with torch.no_grad():
        for share in SHARES:
            wanted = share * abs(start)
            for (one, grad), old in zip(pairs, kept, strict=True):
                one.copy_(old - wanted / square * grad)
            falls.append((start - float(_forward(stepper, micro)[2])) / wanted)
            if falls[-1] > 0:
                break
        for (one, _), old in zip(pairs, kept, strict=True):
            one.copy_(old)
    return falls


def _step(stepper: Watched, micro: MicroBatch) -> Step:
    learner = stepper.learner
    named = dict(learner.model.named_parameters())
    old = {name: some_entries(one).clone() for name, one in named.items() if one.requires_grad}
    groups = learner.optimizer.param_groups
    rate = max(group["base_lr"] for group in groups)
    factor = 1.0 if rate >= LEAST_RATE or rate <= 0 else LEAST_RATE / rate
    set_lr(learner.optimizer, factor)
    by_weight = {id(one): float(group["lr"]) for group in groups for one in group["params"]}
    given = [float(group["lr"]) for group in groups]
    figures = stepper.take([micro])
    rates = [(old, float(group["lr"])) for old, group in zip(given, groups, strict=True)]
    left = [
        name
        for name, one in named.items()
        if id(one) in by_weight and one.grad is not None and bool(one.grad.any())
    ]
    traces = {
        name: trace(
            stepper.slopes.get(name),
            value,
            some_entries(named[name]),
            by_weight.get(id(named[name]), 0.0),
        )
        for name, value in old.items()
    }
    return Step(figures, traces, left, rates)
