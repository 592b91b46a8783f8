"""Zeroed input: a network that sees the pictures must do better on other rows than one that sees black ones."""

from collections.abc import Sequence

import numpy as np
import torch

from compkit.doctor.check import Check
from compkit.doctor.trainings.short_training import quick_beginner, row_losses, target_loss, undisturbed
from compkit.doctor.trainings.zeroed_score import Gap, label_signal, paired_gap
from compkit.doctor.trainings.zeroed_training import (
    LR,
    Lesson,
    Training,
    is_telling,
    last_loss,
    lesson_rows,
    make_lesson,
    train,
)
from compkit.findings import Finding, Status
from compkit.losses import Loss
from compkit.run.trial import Trial

NAME = "zeroed"
SEEDS = 3
FEWEST = 40  # rows held out
SIGNAL, NO_SIGNAL = 3.0, 2.0  # standard deviations above which labels are known, below which nothing is
FAIR = 0.2  # share of what there is to learn from the training rows above which others are expected to profit
LANDED = 1.05  # times the loss of guessing, which a network of black pictures should not end above
LEAKS = 0.8  # times the loss of guessing: below it, labels were told by something else than pictures
EXPECTED = "lower than with black pictures by more than 2 standard errors"


def zeroed(trial: Trial) -> list[Finding]:
    """Train on some pictures and on black ones with three seeds each, and compare what is said of held-out rows."""
    with undisturbed():
        loss = quick_beginner(trial, LR).learner.loss
        if "logits" not in loss.reads:
            return [_skip("The loss compares features and has no value for a held-out row alone.")]
        rows, held = lesson_rows(trial)
        labels = trial.data.table.labels
        if len(held) < FEWEST or not is_telling(trial.plan.competition.task, labels[rows]):
            return [_skip(f"{len(rows)} rows to learn from and {len(held)} held out are too few to tell.")]
        lesson = make_lesson(trial, rows, held)
        real = [train(trial, lesson, seed=0)]
        steps = len(real[0].losses)
        real += [train(trial, lesson, seed, steps) for seed in range(1, SEEDS)]
        black = [train(trial, lesson.blackened(), seed, steps) for seed in range(SEEDS)]
        return judge(loss, lesson, real, black, trial.seed)


def judge(
    loss: Loss, lesson: Lesson, real: Sequence[Training], black: Sequence[Training], seed: int
) -> list[Finding]:
    """Compare the trainings, seed by seed: one finding, and another where labels are known without pictures."""
    labels = lesson.held.targets.labels
    of_real, of_black = (
        np.stack([row_losses(loss, one.logits, labels) for one in kind]) for kind in (real, black)
    )
    guess = row_losses(loss, lesson.guess_logits.expand(len(labels), -1), labels)
    # batch norms of small maps find no variance in black pictures and make much of rounding: a network that does
    # not even guess would flatter the other
    has_landed = bool(of_black.mean() <= LANDED * guess.mean())
    gap = paired_gap(of_black if has_landed else np.broadcast_to(guess, of_real.shape), of_real)
    signal = label_signal(
        lambda order: _mean_loss(loss, real, labels[torch.from_numpy(order)]), len(labels), seed
    )
    status, message, remedy = verdict(
        lesson, real, gap, signal, float(of_real.mean()), float(of_black.mean())
    )
    numbers = {
        "steps": len(real[0].losses),
        "held_out_rows": len(labels),
        "real_loss": of_real.mean(axis=1).tolist(),
        "black_loss": of_black.mean(axis=1).tolist(),
        "guess_loss": float(guess.mean()),
        "black_over_guess": float(of_black.mean() / guess.mean()) if guess.mean() else None,
        "training_loss": last_loss(real),
        "label_signal": signal,
    }
    found = [Finding(NAME, status, message, gap.in_errors, EXPECTED, remedy, numbers)]
    return found + _told_otherwise(lesson, black)


def verdict(
    lesson: Lesson, real: Sequence[Training], gap: Gap, signal: float, of_real: float, of_black: float
) -> tuple[Status, str, str]:
    """Status, message and remedy.

    Statistics cannot prove that labels are wrong: what is hard to see needs more rows and steps than these. So
    WARN is the most they say, and only of networks that had learnt their rows and still know nothing of others.
    """
    steps, trained = len(real[0].losses), last_loss(real)
    told = f"Held-out loss {of_real:.4g} after {steps} steps with pictures, {of_black:.4g} with black ones"
    apart = f"{abs(gap.in_errors):.1f} standard errors {'lower' if gap.mean > 0 else 'higher'}"
    if gap.in_errors > 2:
        return Status.PASS, f"{told}: {apart}.", ""
    if all(ignores_pictures(one) for one in real):
        return (
            Status.FAIL,
            f"Three networks trained for {steps} steps give the same answer to all {len(real[0].logits)} pictures.",
            "See that model's forward uses its images and that the pictures differ: doctor.only=[proofs,overfit].",
        )
    if signal >= SIGNAL:
        return (
            Status.PASS,
            f"{told}: too sure, but {signal:.1f} deviations better than with labels of other rows.",
            "",
        )
    if trained > lesson.at(FAIR) or signal >= NO_SIGNAL:
        return (
            Status.INFO,
            f"Not long enough to tell: {told}, training loss {trained:.4g}, that of guessing {lesson.guess:.4g}.",
            "",
        )
    return (
        Status.WARN,
        f"{told}, {apart}, while the training loss fell to {trained:.4g}: the rows were learnt by heart, and nothing "
        "of them helps with others.",
        "Look whether labels belong to their pictures (scripts/preview.py): competition.image_column, "
        "competition.target_column, a shifted or shuffled table. If they do, the problem is hard at first: "
        "pretrained weights, more rows.",
    )


def ignores_pictures(training: Training) -> bool:
    """Whether all held-out pictures get the same answer."""
    spread = training.logits.max(dim=0).values - training.logits.min(dim=0).values
    return bool((spread <= 1e-5 * training.logits.abs().max().clamp(min=1e-3)).all())


def _told_otherwise(lesson: Lesson, black: Sequence[Training]) -> list[Finding]:
    """A finding where networks knew training labels of black pictures, which all look the same."""
    # of half the steps: a few rows may cost most of the loss
    trained = float(np.mean([one.losses[len(one.losses) // 2 :].mean() for one in black]))
    span = lesson.guess - lesson.floor
    if trained >= lesson.floor + LEAKS * span:
        return []
    return [
        Finding(
            f"{NAME}.labels",
            Status.WARN,
            f"With black pictures the training loss fell to {trained:.4g}, below the {lesson.guess:.4g} that one "
            "answer to all costs: the network is told labels by something else than pictures.",
            value=trained,
            expected=f"at least about {lesson.guess:.4g}",
            remedy="See that model's forward gives logits without looking at its targets; they are there for margins.",
        )
    ]


def _mean_loss(loss: Loss, trainings: Sequence[Training], labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float(np.mean([target_loss(loss, one.logits, labels).item() for one in trainings]))


def _skip(reason: str) -> Finding:
    return Finding(NAME, Status.SKIP, reason)


ZEROED = Check(NAME, "networks that see pictures do better than ones that see black", zeroed)
