"""What the proofs look at: one learner, a few rows, what it says of them, and what a few steps do to it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from compkit.data import Draw, ImageDataset, Loader, NoMixing, Size
from compkit.doctor.proofs.evaluated import Evaluated, evaluate
from compkit.doctor.proofs.lesson import Lesson, learn
from compkit.doctor.proofs.slopes import Watched
from compkit.doctor.proofs.spread import spread_rows
from compkit.engine import FoldData, Learner, Ranks
from compkit.engine.step import MicroBatch, network_input
from compkit.models import Classifier
from compkit.models.weights import pretrained_config
from compkit.run.trial import Trial
from compkit.types import Batch, Moment, Task

ROWS = 6  # pictures of a batch at most: enough for batch norm, few enough for a second
JUDGED = 2  # validation pictures beside them
SMALL = 64  # pixels a side that a network of any size is shown: 10 times faster than 224


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
        self.ranks = Ranks(device=trial.ranks.device)  # no peers: each rank proves alone
        loader = Loader(ImageDataset(fold.table, fold.preprocessing), num_workers=0)
        self.fold_data: FoldData = replace(fold, loader=loader, mixing=NoMixing())
        self.trial = Trial(quiet, trial.data, trial.fold, self.fold_data, self.ranks)
        self.rows = self.some_rows(0)
        self.judged = fold.valid_rows[:: max(1, len(fold.valid_rows) // JUDGED)][:JUDGED]

    def some_rows(self, start: int) -> np.ndarray:
        """Training rows of a batch, two of each class: losses that compare pictures need equal ones too."""
        count = min(ROWS, max(2, self.plan.batch_size))  # what the run's memory was planned for
        return spread_rows(self.labels, self.fold_data.train_rows, self.task, count, start, each=2)

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
        """Makes the bench's steps."""
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
        self.learner.set_moment(self.moment())
        batch = self.clean
        if self.size is not None:
            draw = Draw(batch.rows.numpy(), None, self.size)
            batch = next(self.fold_data.loader.batches([draw]))
        preprocessing, settings = self.fold_data.preprocessing, self.stepper.settings
        images = network_input(batch.images.to(self.ranks.device), preprocessing, settings)
        self.trainable = {name for name, one in self.model.named_parameters() if one.requires_grad}
        return evaluate(self.model, images)

    def _learn(self) -> Lesson:
        _ = self.evaluated, self.decays
        batches = [self.micro_batch(self.rows), self.micro_batch(self.some_rows(1))]
        return learn(self.stepper, batches, self.trainable)
