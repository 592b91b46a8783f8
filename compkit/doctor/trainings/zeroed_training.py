"""The short trainings behind the comparison of pictures with black ones: rows, learning, answers to other rows."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compkit.doctor.best_answers import lowest
from compkit.doctor.trainings.short_training import (
    kinds_of,
    learn,
    load,
    part,
    quick_beginner,
    seconds_at_work,
    simplified,
    small_size,
    spread_rows,
    target_loss,
)
from compkit.engine import MicroBatch, Stepper, network_input
from compkit.losses import Loss, as_outputs
from compkit.optim import batch_norm_reestimation
from compkit.run.trial import Trial
from compkit.types import Task

LR = 1e-3  # of AdamW
WARM_UP = 3  # steps
COOL_DOWN = 4  # steps; the rate falls in the end, as the last few labels would count most at a high one
ROWS, BATCH, CLASSES = 96, 16, 8  # rows learnt from and, once more, held out; of the most frequent classes
ENOUGH = 0.5  # share of all there is to learn at which the first training ends
MOST_STEPS, SECONDS = 150, 10.0  # of one training


class Lesson(NamedTuple):
    """What all of the trainings learn from, and what they are asked afterwards.

    Attributes:
        train, held: their pictures; no row is in both.
        guess: training loss of the best single answer to all rows.
        floor: the smallest training loss there is.
        guess_logits: that answer, [1, C].
    """

    train: MicroBatch
    held: MicroBatch
    guess: float
    floor: float
    guess_logits: Tensor

    def blackened(self) -> "Lesson":
        """The same with black pictures."""
        train, held = (one._replace(images=torch.zeros_like(one.images)) for one in (self.train, self.held))
        return self._replace(train=train, held=held)

    def at(self, share: float) -> float:
        """The training loss at which a share of all there is was learnt."""
        return self.guess - share * (self.guess - self.floor)


class Training(NamedTuple):
    """How one training went.

    Attributes:
        losses: of each step's batch, before the step, [steps].
        logits: what is said of the held-out rows afterwards, in evaluation mode, [N, C].
    """

    losses: np.ndarray
    logits: Tensor

    @property
    def last_loss(self) -> float:
        """The mean over the last steps."""
        return float(self.losses[-COOL_DOWN:].mean())


def lesson_rows(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to hold out: of validation, and unused ones of training where it has too few.

    Of exclusive classes the most frequent ones are taken, equally many rows of each, so that a few rows can teach
    something.
    """
    labels, rng = trial.data.table.labels, np.random.default_rng(trial.seed)
    train = rng.permutation(trial.data.folds.train_rows(trial.fold))
    valid = rng.permutation(trial.fold_data.valid_rows)
    if trial.plan.competition.task == Task.MULTICLASS:
        often = np.argsort(-np.bincount(labels[train]), kind="stable")[:CLASSES]
        train, valid = (rows[np.isin(labels[rows], often)] for rows in (train, valid))
        train, valid = (rows[spread_rows(labels[rows], len(rows), rng)] for rows in (train, valid))
    learnt, rest = train[: min(ROWS, len(train) // 2)], train[min(ROWS, len(train) // 2) :]
    return learnt, np.concatenate([valid, rest])[: len(learnt)]


def is_telling(task: Task, labels: np.ndarray) -> bool:
    """Whether so many rows of each label could teach something: 8 of each class, or with and without some label."""
    if task == Task.REGRESSION:
        return len(labels) >= ROWS // 2
    if task == Task.MULTICLASS:
        counts = np.bincount(kinds_of(labels))
        return len(counts) > 1 and int(counts.min()) >= 8
    present = labels.sum(axis=0)
    return bool((np.minimum(present, len(labels) - present) >= 8).any())


def make_lesson(trial: Trial, rows: np.ndarray, held_rows: np.ndarray) -> Lesson:
    """Load the rows, and find what the loss can come down to on those to learn from."""
    simple, size = simplified(trial), small_size(trial)
    train, held = (load(simple, one, size) for one in (rows, held_rows))
    loss, labels = quick_beginner(trial, LR).learner.loss, train.targets.labels
    task, outputs = trial.plan.competition.task, len(trial.plan.competition.classes)
    _, guess = lowest(loss, labels, task, outputs, rows=1)
    _, best = lowest(loss, labels, task, outputs, rows=len(train.rows))
    images = batch_size(trial.plan.batch_size)
    guess_loss, floor = (loss_in_batches(loss, logits, labels, images) for logits in (guess, best))
    return Lesson(train, held, guess_loss, floor, guess[:1])


def loss_in_batches(loss: Loss, logits: Tensor, labels: Tensor, size: int) -> float:
    """Mean of the loss over batches of a size, which a sum over the batch or a loss of sets depends on."""
    starts = range(0, len(labels) - len(labels) % size, size)
    with torch.no_grad():
        each = [target_loss(loss, logits[at : at + size], labels[at : at + size]) for at in starts]
    return float(torch.stack(each).mean())


def batch_size(planned: int) -> int:
    """Pictures a step, no more than fit the memory that the run was planned for, and two for batch norm."""
    return max(2, min(BATCH, planned))


def train(trial: Trial, lesson: Lesson, seed: int, steps: int | None = None) -> Training:
    """Learn from the lesson by AdamW in random order, and answer to the rows held out.

    Args:
        trial: of the run.
        lesson: with real or black pictures.
        seed: of the weights and of the order.
        steps: how many; None ends when half is learnt, or time or the largest number of steps is over.
    """
    stepper = quick_beginner(simplified(trial, seed=seed), LR)
    losses: list[float] = []
    batches = shuffled_batches(
        lesson.train, batch_size(trial.plan.batch_size), np.random.default_rng([trial.seed, seed])
    )
    end = seconds_at_work() + SECONDS
    last, is_open = (MOST_STEPS, True) if steps is None else (steps, False)
    while len(losses) < last:
        number = len(losses)
        factor = min(1.0, (number + 1) / WARM_UP, (last - number) / COOL_DOWN)
        losses.append(learn(stepper, next(batches), factor).loss)
        is_learnt = number >= COOL_DOWN and np.mean(losses[-COOL_DOWN:]) <= lesson.at(ENOUGH)
        if is_open and (is_learnt or seconds_at_work() > end):
            last, is_open = min(last, number + 1 + COOL_DOWN), False
    return Training(np.array(losses), answers(stepper, lesson))


def shuffled_batches(micro: MicroBatch, size: int, rng: np.random.Generator) -> Iterator[MicroBatch]:
    """Batches of a micro-batch's pictures, pass after pass in another order, without end."""
    count = len(micro.rows)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - count % size, size):
            yield part(micro, torch.from_numpy(np.sort(order[start : start + size])))


def answers(stepper: Stepper, lesson: Lesson) -> Tensor:
    """Logits of the held-out rows in evaluation mode, [N, C], after batch norms have measured the training pictures.

    Their running statistics lag behind so short a training.
    """
    model, device = stepper.learner.model, stepper.ranks.device
    size = batch_size(stepper.data.batch_size)

    def said(micro: MicroBatch) -> list[Tensor]:
        images = network_input(micro.images, stepper.data.preprocessing, stepper.settings)
        with torch.no_grad(), torch.autocast(device.type, stepper.dtype, enabled=stepper.dtype is not None):
            return [as_outputs(model(some)).logits.float() for some in images.split(size)]

    with batch_norm_reestimation(model, model):
        said(lesson.train)
    model.eval()
    return torch.cat(said(lesson.held))


def last_loss(trainings: Sequence[Training]) -> float:
    """Mean over the trainings of the loss of their last steps."""
    return float(np.mean([one.last_loss for one in trainings]))
