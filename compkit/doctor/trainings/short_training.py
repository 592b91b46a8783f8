"""Short trainings of a run's own network on a few pictures, with everything off that makes learning by heart harder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Draw, Size
from compkit.engine import Lessons, MicroBatch, Stepper
from compkit.losses import Loss, as_outputs
from compkit.optim import AdamW, OptimizerBuilder
from compkit.randomness import derive_seed, restore_rng, rng_state
from compkit.run.trial import Trial
from compkit.semi import LabelsAlone
from compkit.types import Moment, Outputs

SMALL = 64  # px of the shorter side: a convolutional network learns by heart there at a twelfth of the cost of 224
KNOWN = 2000  # rows among which kinds of labels are looked for


class Answer(NamedTuple):
    """What a network said of a micro-batch just before it learnt from it."""

    loss: float  # of the target's labels as evaluation computes it: without margins, teachers and picked samples
    outputs: Outputs  # without gradient


@contextmanager
def undisturbed() -> Iterator[None]:
    """Afterwards every generator is as it was."""
    before = rng_state()
    try:
        yield
    finally:
        restore_rng(before)


def simplified(trial: Trial, optimizer: OptimizerBuilder | None = None, seed: int = 0) -> Trial:
    """The trial without teachers, penalties and compilation; with another optimizer or seed where they are given.

    Args:
        trial: of the run.
        optimizer: instead of the run's own.
        seed: 0 is the run's own, further numbers are others.
    """
    plan = trial.plan
    plan = replace(
        plan,
        semi=LabelsAlone(),
        optimizer=optimizer or plan.optimizer,
        trainer=replace(plan.trainer, compile=False, l1=0.0),
        seed=derive_seed(plan.seed, seed) if seed else plan.seed,
    )
    teacherless = trial.data.table.take(np.empty(0, dtype=np.int64))
    data = replace(trial.data, teachers=[], unlabelled=teacherless)
    return trial._replace(plan=plan, data=data, fold_data=replace(trial.fold_data, lessons=Lessons()))


def beginner(trial: Trial) -> Stepper:
    """A learner at its start that trains all the run ever trains, without dropout, decay and label smoothing."""
    stepper = trial.stepper(epoch=trial.plan.epochs)
    silence(stepper.learner.model)
    for module in stepper.learner.loss.modules():
        if isinstance(getattr(module, "smoothing", None), float):
            module.smoothing = 0.0  # type: ignore[assignment]
    for group in stepper.learner.optimizer.param_groups:
        group["weight_decay"] = 0.0
    return stepper


def quick_beginner(trial: Trial, lr: float) -> Stepper:
    """As `beginner`, but learning by AdamW at one rate for all parameters, whatever the run's own optimizer is.

    Gradients are not clipped either.
    """
    simple = simplified(trial, AdamW(lr=lr, weight_decay=0.0))
    plan = simple.plan
    stepper = beginner(simple._replace(plan=replace(plan, trainer=replace(plan.trainer, clip_at=None))))
    for group in stepper.learner.optimizer.param_groups:
        group["base_lr"] = lr
    return stepper


def silence(model: nn.Module) -> None:
    """Switch off dropout, skipped branches and the like, in place; whatever has `drop` in its name counts.

    >>> model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)).train()
    >>> silence(model)
    >>> model[0].p
    0.0
    """
    for module in model.modules():
        if "drop" in type(module).__name__.lower():
            for name in ("p", "prob", "drop_prob"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0


def small_size(trial: Trial) -> Size | None:
    """Height and width of small pictures of the run's shape, where the network takes them; else None, image_size."""
    shorter = min(trial.plan.image_size)
    if shorter <= SMALL:
        return None
    height, width = (max(32, round(side * SMALL / shorter / 32) * 32) for side in trial.plan.image_size)
    model = trial.stepper().learner.model.eval()
    pictures = torch.zeros(
        2, trial.fold_data.preprocessing.channels, height, width, device=trial.ranks.device
    )
    try:
        with torch.no_grad():
            model(pictures)
    except (AssertionError, IndexError, RuntimeError, ValueError):  # what networks of one size answer with
        return None
    return height, width


def load(trial: Trial, rows: np.ndarray, size: Size | None) -> MicroBatch:
    """Rows of the fold's table as evaluation sees them, at a size, as one micro-batch."""
    batch = next(trial.fold_data.loader.batches([Draw(rows, None, size)]))
    device = trial.ranks.device
    return MicroBatch(batch.images.to(device), trial.fold_data.targets(batch, device), None, batch.rows)


def seconds_at_work() -> float:
    """Seconds that this process has computed for, on all its threads at once: other programs' load does not count."""
    return time.process_time() / torch.get_num_threads()


def part(micro: MicroBatch, chosen: Tensor) -> MicroBatch:
    """Some of a micro-batch's pictures, int64 [B'] in rising order."""
    here = chosen.to(micro.images.device)
    return micro._replace(
        images=micro.images[here], targets=micro.targets.take(here), rows=micro.rows[chosen]
    )


def learn(stepper: Stepper, micro: MicroBatch, factor: float = 1.0) -> Answer:
    """One step from unmixed pictures, at a factor of the base rates.

    The network's answer is that of the step's own pass: in training mode, by this batch's statistics.
    """
    seen: list[Outputs] = []
    learner = stepper.learner

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        outputs = as_outputs(output)
        features = None if outputs.features is None else outputs.features.detach().float()
        seen.append(Outputs(outputs.logits.detach().float(), features))

    hook = learner.model.register_forward_hook(keep)
    try:
        # what is warmed up (margins, picked samples) stays where it begins
        figures = stepper.step([micro], Moment(0, 0.0, 1), factor)
    finally:
        hook.remove()
    if "logits" in learner.loss.reads:
        loss = target_loss(learner.loss, seen[0].logits, micro.targets.labels).item()
    else:
        loss = figures.terms.sum().item()
    return Answer(loss, seen[0])


def target_loss(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of the target's labels as evaluation computes it, a scalar."""
    was_training = loss.training
    loss.eval()
    value = loss(logits, labels)
    loss.train(was_training)
    return value


def row_losses(loss: Loss, logits: Tensor, labels: Tensor) -> np.ndarray:
    """`target_loss` of each row alone, float64 [N]."""
    with torch.no_grad():
        alone = [
            target_loss(loss, logits[row : row + 1], labels[row : row + 1]) for row in range(len(logits))
        ]
    return torch.stack(alone).double().cpu().numpy()


def kinds_of(labels: np.ndarray) -> np.ndarray:
    """Equal numbers for equal labels, int64 [N]: classes, sets of labels, or values of labels [N] or [N, C].

    >>> kinds_of(np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0]]))
    array([0, 1, 0])
    """
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)


def spread_rows(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of up to `count` rows, as many kinds of labels among them as possible, int64.

    >>> chosen = spread_rows(np.array([0, 0, 0, 0, 0, 1, 2]), 3, np.random.default_rng(0))
    >>> sorted(np.array([0, 0, 0, 0, 0, 1, 2])[chosen].tolist())
    [0, 1, 2]
    """
    some = rng.permutation(len(labels))[:KNOWN]
    kinds = kinds_of(labels[some])
    order = np.argsort(kinds, kind="stable")
    first = np.searchsorted(kinds[order], kinds[order])  # where each kind begins
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - first
    return some[np.lexsort((rng.random(len(some)), rank))][:count]
