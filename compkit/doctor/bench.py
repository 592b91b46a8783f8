"""What the proofs look at: one learner, a few rows, what it says of them, and what a few steps do to it."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Draw, ImageDataset, Loader, NoMixing, Size
from compkit.doctor.insides import leaves_of, multiplied, statistics, tried
from compkit.doctor.slopes import Step, Watched, some_entries, trace
from compkit.doctor.watch import Units, Watch
from compkit.engine import FoldData, Learner, Ranks
from compkit.engine.step import MicroBatch, network_input
from compkit.losses import as_outputs
from compkit.models import Classifier
from compkit.models.weights import pretrained_config
from compkit.optim import set_lr
from compkit.run.trial import Trial
from compkit.types import Batch, Moment, Task

ROWS = 6  # pictures of a batch: enough for batch norm, few enough for a second
JUDGED = 2  # validation pictures beside them
PAIR = torch.tensor([0, 3])  # rows that are shown as a batch of their own too
SMALL = 64  # pixels a side that a network of any size is shown: 10 times faster than 224
STEPS = 3  # zero-initialised parts get their first gradient in the second
LEAST_RATE = 1e-4  # a smaller lr would not move a weight of float32 in so few steps
AMPLIFY = 1000.0  # what the last layer is multiplied with to see how far outputs can go
SHARES = (1e-2, 1e-3, 1e-4)  # of the loss that a step along the gradient should take away


class Evaluated(NamedTuple):
    """What the network says in evaluation, before its first step."""

    images: Tensor  # [B, C, H, W], normalised
    logits: Any  # of the batch: [B, outputs] where all is well
    again: Any  # of the same batch once more
    pair: Any  # of the rows PAIR of it, as a batch of their own
    single: Any  # of its first row, as a batch of one; the error where there is one
    amplified: list[Any]  # with the last layer multiplied by AMPLIFY, and by -AMPLIFY
    watch: Watch
    changed: list[str]  # buffers that looking has changed


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


class Bench:
    """A trial's fold, with a learner of its own in float32, neither clipped nor compiled.

    Pictures are not augmented or mixed, and come from this process: no worker is started.
    """

    def __init__(self, trial: Trial) -> None:
        plan, fold = trial.plan, trial.fold_data
        trainer = replace(plan.trainer, precision="fp32", compile=False, clip_at=None, l1=0.0, accumulate=1)
        quiet = replace(plan, trainer=trainer, num_workers=0)
        self.plan, self.data, self.fold = plan, trial.data, trial.fold
        self._made: dict[str, Any] = {}
        self.trainable: set[str] = set()  # names of what required a gradient before anything ran
        self.ranks = Ranks(device=trial.ranks.device)  # no peers: rank 0 proves alone
        loader = Loader(ImageDataset(fold.table, fold.preprocessing), num_workers=0)
        self.fold_data: FoldData = replace(fold, loader=loader, mixing=NoMixing())
        self.trial = Trial(quiet, trial.data, trial.fold, self.fold_data, self.ranks)
        self.rows = self.some_rows(0)
        self.judged = fold.valid_rows[:: max(1, len(fold.valid_rows) // JUDGED)][:JUDGED]

    def some_rows(self, start: int) -> np.ndarray:
        """Training rows of a batch, two of each class: losses that compare pictures need equal ones too."""
        return spread_rows(self.labels, self.fold_data.train_rows, self.task, ROWS, start, each=2)

    @property
    def labels(self) -> np.ndarray:
        """Of the fold's table."""
        return self.fold_data.table.labels

    @property
    def task(self) -> Task:
        return self.plan.competition.task

    @property
    def num_outputs(self) -> int:
        return len(self.plan.competition.classes)

    @cached_property
    def stepper(self) -> Watched:
        """Makes the bench's steps; decay is off, so that what moves a weight is its gradient."""
        made = self.trial.stepper()
        return Watched(made.learner, made.data, made.settings, made.ranks)

    @property
    def learner(self) -> Learner:
        return self.stepper.learner

    @property
    def model(self) -> nn.Module:
        return self.learner.model

    @cached_property
    def decays(self) -> list[tuple[str, float, float]]:
        """Name, rate and weight decay of each of the optimizer's groups, as the run has them."""
        groups = self.learner.optimizer.param_groups
        names = [str(group.get("name", number)) for number, group in enumerate(groups)]
        return [
            (name, float(group.get("base_lr", group["lr"])), float(group.get("weight_decay") or 0.0))
            for name, group in zip(names, groups, strict=True)
        ]

    @cached_property
    def size(self) -> Size | None:
        """Size of the pictures for the network: smaller than the run's where the network takes any."""
        height, width = self.plan.image_size
        small = [max(32, round(side * SMALL / min(height, width) / 32) * 32) for side in (height, width)]
        if min(height, width) <= SMALL or type(self.model) is not Classifier:
            return None
        backbone = self.model.backbone
        if pretrained_config(backbone.name).fixed_input_size:
            return None
        try:
            backbone.map_shape(small)
        except ValueError:  # it does not go that small
            return None
        return small[0], small[1]

    @cached_property
    def clean(self) -> Batch:
        """Pictures of `rows` and `judged` as in evaluation, at the run's size, not yet normalised."""
        draw = Draw(np.concatenate([self.rows, self.judged]), None)
        return next(self.fold_data.loader.batches([draw]))

    def micro_batch(self, rows: np.ndarray) -> MicroBatch:
        """Rows as the run's lessons would teach them, not augmented."""
        lessons = self.fold_data.lessons.windows(self.stepper, [[Draw(rows, 0, self.size)]], self.moment)
        return next(lessons)[0][0]

    def moment(self) -> Moment:
        """The run's begin."""
        return Moment(0, 0.0, self.plan.epochs)

    @property
    def evaluated(self) -> Evaluated:
        """Look at a batch in evaluation, in several ways."""
        return self._once("evaluated", self._evaluate)

    @property
    def lesson(self) -> Lesson:
        """Take a few steps; what evaluation says of the first weights is asked before."""
        return self._once("lesson", self._learn)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """What is made once; an error ends every further try too."""
        if name not in self._made:
            try:
                self._made[name] = make()
            except Exception as error:
                self._made[name] = error
                raise
        if isinstance(self._made[name], Exception):
            raise self._made[name]
        return self._made[name]

    def _evaluate(self) -> Evaluated:
        self.stepper.learner.set_moment(self.moment())
        batch = self.clean
        if self.size is not None:
            draw = Draw(batch.rows.numpy(), None, self.size)
            batch = next(self.fold_data.loader.batches([draw]))
        preprocessing, settings = self.fold_data.preprocessing, self.stepper.settings
        images = network_input(batch.images.to(self.ranks.device), preprocessing, settings)
        model = self.model
        before = {name: value.clone() for name, value in model.named_buffers()}
        was_training = model.training
        self.trainable = {name for name, one in model.named_parameters() if one.requires_grad}
        model.eval()
        try:
            with torch.no_grad():
                with Watch(model) as watch:
                    logits = model(images)
                again = model(images)
                pair = model(images[PAIR.to(images.device) % len(images)])
                changed = [
                    name
                    for name, value in model.named_buffers()
                    if name in before and not torch.equal(value, before[name])
                ]
                amplified = []
                for factor in (AMPLIFY, -AMPLIFY):
                    with multiplied(watch.last, factor):
                        amplified.append(model(images))
                single = tried(model, images[:1])
        finally:
            model.train(was_training)
        return Evaluated(images, logits, again, pair, single, amplified, watch, changed)

    def _learn(self) -> Lesson:
        _ = self.evaluated, self.decays
        stepper, model, learner = self.stepper, self.model, self.learner
        for group in learner.optimizer.param_groups:
            group["weight_decay"] = 0.0
        batches = [self.micro_batch(self.rows), self.micro_batch(self.some_rows(1))]
        stepper.module.train()
        learner.loss.train()
        before = self.trainable
        frozen = {name: one.clone() for name, one in model.named_parameters() if name not in before}
        norms = statistics(model)
        with Watch(model) as first, Units() as units:
            logits, loss = self._forward(batches[0])
        leaves = leaves_of(loss)
        now = statistics(model)
        moved = {name: not torch.equal(norms[name], now[name]) for name in norms}
        ran = {name for name, trains in first.flags.items() if trains}
        falls = self._falls(batches[0], loss)
        torch.manual_seed(1)
        watches, steps = [first], []
        for number in range(STEPS):
            with Watch(model) as watch:
                steps.append(self._step(batches[number % 2]))
            watches.append(watch)
        after = {name for name, one in model.named_parameters() if one.requires_grad}
        named = dict(model.named_parameters())
        frozen_moves = [name for name, old in frozen.items() if not torch.equal(old, named[name])]
        return Lesson(
            watches[:2],
            units,
            logits,
            leaves,
            falls,
            {name: has_moved for name, has_moved in moved.items() if name in ran},
            steps,
            (before, after),
            frozen_moves,
        )

    def _forward(self, micro: MicroBatch) -> tuple[Tensor, Tensor]:
        """Logits and loss of a training pass, always with the same noise."""
        torch.manual_seed(0)
        images, targets = next(self.stepper._pieces(micro))
        outputs = as_outputs(self.stepper.module(images, targets))
        loss = torch.stack(list(self.learner.loss.terms(outputs, targets).values())).sum()
        return outputs.logits.detach(), loss

    def _falls(self, micro: MicroBatch, loss: Tensor) -> list[float]:
        """How far the loss falls when the weights are moved a little against its gradient."""
        weights = [one for one in self.model.parameters() if one.requires_grad]
        if loss.grad_fn is None:
            return []
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        pairs = [(one, grad) for one, grad in zip(weights, gradients, strict=True) if grad is not None]
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
                falls.append((start - float(self._forward(micro)[1])) / wanted)
                if falls[-1] > 0:
                    break
            for (one, _), old in zip(pairs, kept, strict=True):
                one.copy_(old)
        return falls

    def _step(self, micro: MicroBatch) -> Step:
        learner, named = self.learner, dict(self.model.named_parameters())
        old = {name: some_entries(one).clone() for name, one in named.items() if one.requires_grad}
        rate = max(group["base_lr"] for group in learner.optimizer.param_groups)
        factor = 1.0 if rate >= LEAST_RATE or rate <= 0 else LEAST_RATE / rate
        set_lr(learner.optimizer, factor)
        figures = self.stepper.take([micro])
        held = {id(one) for group in learner.optimizer.param_groups for one in group["params"]}
        left = [
            name
            for name, one in named.items()
            if id(one) in held and one.grad is not None and bool(one.grad.any())
        ]
        traces = {
            name: trace(
                self.stepper.slopes.get(name),
                value,
                some_entries(named[name]),
                factor * rate * (id(named[name]) in held),
            )
            for name, value in old.items()
        }
        return Step(figures, traces, left)


def spread_rows(
    labels: np.ndarray, rows: np.ndarray, task: Task, count: int, start: int = 0, each: int = 1
) -> np.ndarray:
    """Rows of as many classes as there are, in turn; of numbers from the smallest to the largest.

    Args:
        labels: of the table, int64 [N], or float32 [N, C].
        rows: to choose from, int64 [M].
        task: what the labels are.
        count: how many; all where there are no more.
        start: other choices for other starts.
        each: rows of a class before the next class has its turn.

    >>> labels = np.array([0, 0, 0, 1, 1, 2])
    >>> spread_rows(labels, np.arange(6), Task.MULTICLASS, 4).tolist()
    [0, 3, 5, 1]
    >>> spread_rows(labels, np.arange(6), Task.MULTICLASS, 4, each=2).tolist()
    [0, 1, 3, 4]
    """
    own = labels[rows]
    if task == Task.MULTICLASS:
        by_class = np.argsort(own, kind="stable")
        starts = np.searchsorted(own[by_class], own[by_class])
        order = by_class[np.argsort((np.arange(len(own)) - starts) // each, kind="stable")]
        return rows[np.roll(order, -start * count)][:count]
    order = np.argsort(own.sum(axis=1), kind="stable")
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64)
    return rows[order[(places + start) % len(order)]]
