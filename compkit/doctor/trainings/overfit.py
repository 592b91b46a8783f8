"""Overfit a few: whatever can learn at all learns a handful of pictures by heart."""

import numpy as np
import torch

from compkit.doctor.best_answers import best_answers
from compkit.doctor.check import Check
from compkit.doctor.trainings.overfit_attempt import Attempt, Goal, attempt
from compkit.doctor.trainings.overfit_verdict import (
    NAME,
    described,
    pictures_alike,
    shown,
    verdict,
    wrong_loss,
)
from compkit.doctor.trainings.short_training import (
    beginner,
    kinds_of,
    load,
    part,
    quick_beginner,
    simplified,
    small_size,
    spread_rows,
    undisturbed,
)
from compkit.engine import MicroBatch, Stepper, network_input
from compkit.findings import Finding, Status
from compkit.losses import Loss
from compkit.models.angular import AngularHead
from compkit.run.trial import Trial

FEW = 8
CANDIDATES = 3 * FEW  # rows that are loaded, in case some show the same picture
COMPARED = 4  # kinds of labels where pictures are compared with each other, so that each has one of its kind
SECOND_LR = 1e-3  # of AdamW
LARGE_SCALE = 8  # of cosines: ten classes at equal angles cost 0.001 with it, and 0.25 with 3


def overfit(trial: Trial) -> list[Finding]:
    """Let a copy of the network learn a few pictures by heart; where it cannot, let another try with AdamW.

    Each kind of label is among the pictures, as far as there is room. They are as in evaluation, and everything is
    off that makes learning harder on purpose. Convolutional networks see them at 64 px.
    """
    with undisturbed():
        simple = simplified(trial)
        stepper = beginner(simple)
        rows = trial.data.folds.train_rows(trial.fold)
        chosen = few_rows(trial.data.table.labels[rows], stepper.learner.loss, trial.seed)
        if len(np.unique(kinds_of(trial.data.table.labels[rows[chosen]]))) < 2:
            reason = "The training rows looked at have one label, so there is nothing to learn by heart."
            return [Finding(NAME, Status.SKIP, reason)]
        loaded = load(simple, rows[chosen], small_size(trial))
        # no more than fit the memory that the run was planned for, and two for batch norm
        few = max(2, min(FEW, trial.plan.batch_size))
        micro = part(loaded, distinct(stepper, loaded)[:few])
        if len(np.unique(kinds_of(micro.targets.labels.cpu().numpy()))) < 2:
            return [pictures_alike(len(chosen), len(micro.rows))]
        return [examine(trial, stepper, micro)]


def examine(trial: Trial, stepper: Stepper, micro: MicroBatch) -> Finding:
    """What comes of the attempts to learn a micro-batch by heart."""
    competition, loss = trial.plan.competition, stepper.learner.loss
    best = None
    if "logits" in loss.reads:
        best = best_answers(loss, micro.targets.labels, competition.task, len(competition.classes))
        wrong = wrong_loss(best, micro.targets.labels, competition.task)
        if wrong is not None:
            return wrong
    goal = Goal(competition.task, micro.targets.labels, best, is_bounded(stepper))
    attempts = [attempt(stepper, micro, goal, is_last=False)]
    if not attempts[0].is_reached:
        stepper = quick_beginner(trial, SECOND_LR)
        attempts.append(attempt(stepper, micro, goal, is_last=True))
    is_frozen = not all(parameter.requires_grad for parameter in stepper.learner.model.parameters())
    status, message, remedy = verdict(goal, attempts, len(competition.classes), is_frozen)
    height, width = micro.images.shape[1:3]
    return Finding(
        NAME,
        status,
        f"{len(micro.rows)} training pictures of {height} x {width} px: {message}",
        value=attempts[-1].losses[-1],
        expected=described(goal),
        remedy=remedy,
        evidence=evidence(trial, loss, micro, goal, attempts),
    )


def is_bounded(stepper: Stepper) -> bool:
    """Whether logits are cosines times so little that cross-entropy cannot come near 0, as AdaCos of few classes."""
    head = getattr(stepper.learner.model, "head", None)
    return isinstance(head, AngularHead) and float(head.scale) < LARGE_SCALE


def few_rows(labels: np.ndarray, loss: Loss, seed: int) -> np.ndarray:
    """Positions of some rows with as many kinds of labels as possible; of four kinds where pictures are compared."""
    rng = np.random.default_rng(seed)
    if "features" not in loss.reads:
        return spread_rows(labels, CANDIDATES, rng)
    kinds = kinds_of(labels)
    often = np.argsort(-np.bincount(kinds), kind="stable")[:COMPARED]
    here = np.flatnonzero(np.isin(kinds, often))
    return here[spread_rows(labels[here], CANDIDATES, rng)]


def distinct(stepper: Stepper, micro: MicroBatch) -> torch.Tensor:
    """Positions of pictures that differ from those before them as the network sees them, int64 in rising order."""
    seen = network_input(micro.images, stepper.data.preprocessing, stepper.settings).flatten(1).cpu().numpy()
    return torch.from_numpy(np.sort(np.unique(seen, axis=0, return_index=True)[1]))


def evidence(
    trial: Trial, loss: Loss, micro: MicroBatch, goal: Goal, attempts: list[Attempt]
) -> dict[str, object]:
    """Labels and answers of the last attempt side by side, and the losses of all."""
    answer = attempts[-1].answer
    assert answer is not None
    logits = answer.outputs.logits if goal.best is not None else None
    ids = trial.fold_data.table.ids[micro.rows.numpy()]
    return {
        "pictures": shown(loss, ids, trial.plan.competition.classes, goal, logits),
        "losses": [one.losses for one in attempts],
        "steps": [one.steps for one in attempts],
        "smallest_loss": None if goal.best is None else goal.best.floor,
        "loss_of_guessing": None if goal.best is None else goal.best.guess,
    }


OVERFIT = Check(NAME, "the network learns a handful of pictures by heart", overfit)
