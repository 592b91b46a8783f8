"""One fold set up as a run would set it up, for everything that tries steps out before a run."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from compkit.data import Draw, Preprocessing, Size
from compkit.engine import (
    Console,
    FoldData,
    MicroBatch,
    Ranks,
    Stepper,
    choose_device,
    choose_threads,
    epoch_windows,
    use_channels_last,
)
from compkit.randomness import derive_seed, restore_rng, rng_state, seed_everything
from compkit.run.assemble import (
    fold_table,
    make_fold_data,
    make_learner,
    make_loader,
    try_parts,
    wanted_folds,
)
from compkit.run.plan import Plan
from compkit.run.prepare import Prepared, prepare
from compkit.types import Moment, Targets


class Trial(NamedTuple):
    """The first fold of a run, with nothing of it on disk."""

    plan: Plan
    data: Prepared
    fold: int
    fold_data: FoldData
    ranks: Ranks

    @property
    def seed(self) -> int:
        """Of the fold's order and augmentation, as in the run."""
        return derive_seed(self.plan.seed, self.fold)

    def stepper(self, epoch: int = 0) -> Stepper:
        """A learner as it is before the fold's first step, of its own; frozen as after `epoch` epochs."""
        seed_everything(self.seed)
        train_rows = self.data.folds.train_rows(self.fold)  # without pseudo-labelled ones
        learner = make_learner(self.plan, self.data, train_rows, self.ranks)
        if use_channels_last(self.plan.trainer, self.fold_data.preprocessing, self.ranks.device):
            learner.model.to(memory_format=torch.channels_last)
        seed_everything(derive_seed(self.plan.seed, self.fold, 1))
        stepper = Stepper(learner, self.fold_data, self.plan.trainer, self.ranks)
        if learner.finetune.apply(learner.model, epoch):
            stepper.wrap()
        stepper.module.train()  # norms of what is frozen keep their statistics, as in the run
        return stepper

    def windows(self, stepper: Stepper) -> Iterator[tuple[list[MicroBatch], Moment]]:
        """The run's own steps and their moments, epoch after epoch, without end."""
        plan, epoch, step = self.plan, 0, 0
        while True:
            windows = epoch_windows(self.fold_data, plan.trainer.accumulate, 1, self.seed, epoch, plan.epochs)
            if not windows:
                raise ValueError(
                    f"{len(self.fold_data.train_rows)} training rows are too few for a step. "
                    "Set a smaller batch_size, fewer folds or a larger limit."
                )
            # beyond its last epoch a trial goes on as in it
            begun = min(epoch, plan.epochs - 1)
            moments = (
                Moment(step + number, begun + number / len(windows), plan.epochs)
                for number in range(len(windows))
            )
            mine = [window[0] for window in windows]
            yield from self.fold_data.lessons.windows(stepper, mine, functools.partial(next, moments))
            step += len(windows)
            epoch += 1

    def first_batch(self, stepper: Stepper, rows: int, size: Size | None = None) -> MicroBatch:
        """The first `rows` training pictures as one micro-batch at a size, unmixed; repeated when there are fewer."""
        positions = self.fold_data.train_rows[np.arange(rows) % len(self.fold_data.train_rows)]
        draw = Draw(positions, 0, size)
        begin = Moment(0, 0.0, self.plan.epochs)
        micro = next(self.fold_data.lessons.windows(stepper, [[draw]], lambda: begin))[0][0]
        return micro._replace(mix=None, targets=unmixed(micro.targets))


def unmixed(targets: Targets) -> Targets:
    """The targets of the same images before they were mixed."""
    further = {name: unmixed(one) for name, one in (targets.auxiliary or {}).items()}
    return targets._replace(other=None, share=None, auxiliary=further or None)


def trial_of(plan: Plan, data: Prepared, preprocessing: Preprocessing, ranks: Ranks) -> Trial:
    """The first fold of a run whose data is prepared.

    Args:
        preprocessing: of that fold, with what `scaling` measured.
    """
    fold = wanted_folds(plan, data)[0]
    table, _ = fold_table(plan, data, fold)
    loader = make_loader(plan, table, preprocessing, ranks, augment=True)
    return Trial(plan, data, fold, make_fold_data(plan, data, preprocessing, fold, loader), ranks)


@contextmanager
def open_trial(plan: Plan, console: Console) -> Iterator[Trial]:
    """Prepare the run's first fold; afterwards every generator is as it was, and nothing was written."""
    before, threads = rng_state(), torch.get_num_threads()
    ranks = Ranks(device=choose_device(plan.trainer.device))
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    try:
        data = prepare(plan, ranks, console)
        yield trial_of(plan, data, try_parts(plan, data).scaled, ranks)
    finally:
        restore_rng(before)
        torch.set_num_threads(threads)
