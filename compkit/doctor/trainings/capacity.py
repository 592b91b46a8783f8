"""Capacity: the whole network must fit some pictures better than its last layer alone."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from compkit.doctor.best_answers import BestAnswers, best_answers
from compkit.doctor.check import Check
from compkit.doctor.trainings.short_training import (
    learn,
    load,
    quick_beginner,
    simplified,
    small_size,
    spread_rows,
    undisturbed,
)
from compkit.engine import MicroBatch
from compkit.findings import Finding, Status
from compkit.run.trial import Trial

NAME = "capacity"
SEEDS, ROWS = 3, 8
STEPS, WARM_UP = 10, 4
LR = 3e-4  # of AdamW; at 1e-3 the first steps of large networks may go astray
SAME = 1e-4  # share of what there is to learn: trainings that end so near are the same
EXPECTED = "lower when the whole network learns"


def capacity(trial: Trial) -> list[Finding]:
    """Train the last layer alone and the whole network, a few steps on the same pictures, with three seeds each.

    The two are the only smaller and larger network that every architecture has. The check only warns.
    """
    with undisturbed():
        stepper = quick_beginner(trial, LR)
        model, loss = stepper.learner.model, stepper.learner.loss
        if "logits" not in loss.reads:
            return [
                Finding(NAME, Status.SKIP, "The loss compares features: the last layer is not trained by it.")
            ]
        last = set(last_layer(model))
        if not [one for one in model.parameters() if one.requires_grad and one not in last]:
            return [Finding(NAME, Status.SKIP, "Only the last layer is trained.")]
        rows = trial.data.folds.train_rows(trial.fold)
        rng = np.random.default_rng(trial.seed)
        count = max(2, min(ROWS, trial.plan.batch_size))
        chosen = rows[spread_rows(trial.data.table.labels[rows], count, rng)]
        micro = load(simplified(trial), chosen, small_size(trial))
        competition = trial.plan.competition
        best = best_answers(loss, micro.targets.labels, competition.task, len(competition.classes))
        parts = [final_loss(trial, micro, seed, whole=False) for seed in range(SEEDS)]
        wholes = [final_loss(trial, micro, seed, whole=True) for seed in range(SEEDS)]
        return [judge(best, parts, wholes)]


def final_loss(trial: Trial, micro: MicroBatch, seed: int, whole: bool) -> float:
    """The training loss after some steps of the last layer alone, or of the whole network."""
    stepper = quick_beginner(simplified(trial, seed=seed), LR)
    if not whole:
        last = set(last_layer(stepper.learner.model))
        for parameter in stepper.learner.model.parameters():
            parameter.requires_grad_(parameter.requires_grad and parameter in last)
    answers = [learn(stepper, micro, min(1.0, (step + 1) / WARM_UP)) for step in range(STEPS + 1)]
    return answers[-1].loss


def judge(best: BestAnswers, parts: Sequence[float], wholes: Sequence[float]) -> Finding:
    """Compare the losses of the last layer alone with those of the whole network, seed by seed.

    >>> import torch
    >>> best = BestAnswers(floor=0.0, guess=2.0, logits=torch.zeros(1, 2))
    >>> judge(best, parts=[1.5, 1.6, 1.4], wholes=[0.3, 0.2, 0.4]).status
    <Status.PASS: 'pass'>
    >>> judge(best, parts=[1.5, 1.6, 1.4], wholes=[1.5, 1.6, 1.4]).status
    <Status.WARN: 'warn'>
    """
    gains = np.array(parts) - np.array(wholes)
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    told = (
        f"Training loss after {STEPS} steps {np.mean(wholes):.4g} with the whole network, {np.mean(parts):.4g} with "
        "its last layer alone"
    )
    evidence = {"whole": list(wholes), "last_layer": list(parts), "loss_of_guessing": best.guess}
    value = float(gains.mean())
    if np.abs(gains).max() <= SAME * best.span and np.mean(parts) - best.floor > 0.05 * best.span:
        remedy = (
            "See that gradients reach the layers below the last: no detach or no_grad in forward, nothing frozen by "
            "the model itself; doctor.only=[proofs] names the layers."
        )
        return Finding(NAME, Status.WARN, f"{told}: the same.", value, EXPECTED, remedy, evidence)
    if gains.mean() < -2 * error and gains.mean() < -0.05 * best.span:
        remedy = (
            "More to learn with should help on the same pictures. Look at the layers below the last: their gradients "
            "(doctor.only=[gradients]), their initialisation, a norm that is missing."
        )
        return Finding(NAME, Status.WARN, f"{told}, with {SEEDS} seeds.", value, EXPECTED, remedy, evidence)
    return Finding(NAME, Status.PASS, f"{told}.", value, EXPECTED, evidence=evidence)


def last_layer(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of the head, or without one those of the last module that has any of its own.

    >>> [one.shape[0] for one in last_layer(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 5)))]
    [5, 5]
    """
    head = getattr(model, "head", None)
    if isinstance(head, nn.Module) and any(True for _ in head.parameters()):
        return list(head.parameters())
    own = [list(module.parameters(recurse=False)) for module in model.modules()]
    return [one for one in own if one][-1]


CAPACITY = Check(NAME, "the whole network fits better than its last layer alone", capacity)
