"""What it means how learning a few pictures by heart has ended."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from compkit.doctor.best_answers import BestAnswers, rows_right, share_right
from compkit.doctor.trainings.overfit_attempt import Attempt, Goal
from compkit.doctor.trainings.short_training import row_losses
from compkit.findings import Finding, Status
from compkit.losses import Loss
from compkit.types import Task

NAME = "overfit"
FLAT = 1e-3  # share of the way below which nothing was learnt
SLOW = 0.05  # share of the way below which the rate is too small: Adam at 2e-6 came 3 %, at 1e-5 about 15 %
ENOUGH = 50  # steps after which something can be said of a network that had no time for more

Verdict = tuple[Status, str, str]  # status, message, remedy


def verdict(goal: Goal, attempts: Sequence[Attempt], num_outputs: int, is_frozen: bool) -> Verdict:
    """Judge the attempts: the run's own optimizer at its rate, and where that did not do AdamW.

    Args:
        goal: of the attempts.
        attempts: one or two.
        num_outputs: C.
        is_frozen: part of the network is not trained, by the run's settings or its own.
    """
    first, last = attempts[0], attempts[-1]
    if first.is_reached:
        return Status.PASS, f"learnt by heart in {first.steps} steps, {_course(first)}.", ""
    if last.is_reached:
        return _of_the_rate(goal, first, last)
    told = f"{_course(first)} with the run's own optimizer, {_course(last)} with AdamW at 1e-3"
    if goal.best is None:
        return Status.INFO, f"nearest neighbours by features are not all of one label; loss {told}.", ""
    if not math.isfinite(last.losses[0]):
        message = f"the untrained network's loss is {last.losses[0]}."
        return Status.FAIL, message, "Look at what the network returns for these pictures, and at the loss."
    if any(one.is_out_of_time and one.steps < ENOUGH for one in attempts):
        return Status.INFO, f"too slow here to tell, {told}.", ""
    if all(are_probabilities(goal, one, num_outputs) for one in attempts):
        return Status.FAIL, *_of_probabilities(goal.task, last, num_outputs)
    if max(one.share_below_guess(goal) for one in attempts) < FLAT:
        return Status.FAIL, *_of_nothing(goal, told)
    if last.right == 1 and goal.task != Task.REGRESSION:
        return _of_sure_enough(goal, last, told)
    if is_frozen:
        return Status.INFO, f"not learnt by heart, {told}; most of the network is frozen.", ""
    return (
        Status.WARN,
        f"not learnt by heart, {told}; {last.right:.0%} right.",
        "Look at the evidence: labels that fit no picture, or a network too small for them? Own layers: see that none "
        "is detached or without gradient (doctor.only=[proofs,gradients]). Deep ones without normalisation need it.",
    )


def _of_the_rate(goal: Goal, first: Attempt, second: Attempt) -> Verdict:
    told = f"AdamW at 1e-3 learns them by heart in {second.steps} steps, the run's own optimizer at its rate"
    if not first.is_finite:
        remedy = (
            "Lower the rate, lr=…, by 10, clip gradients, trainer.clip_at=1, or choose another optimizer."
        )
        return Status.WARN, f"{told} makes the loss {first.losses[-1]} after {first.steps} steps.", remedy
    if first.share(goal) < SLOW:
        rises = first.losses[-1] > first.losses[0]
        remedy = (
            f"{'Lower' if rises else 'Raise'} lr; scripts/lr_find.py finds one. Or choose another optimizer, and see "
            "that trainer.clip_at leaves enough of the gradient."
        )
        return Status.WARN, f"{told} does not, {_course(first)}.", remedy
    return Status.INFO, f"{told} takes longer, {_course(first)}.", ""


def _of_sure_enough(goal: Goal, last: Attempt, told: str) -> Verdict:
    """All right, but never sure: cosines and temperatures hold logits back on purpose, a stray tanh by mistake."""
    assert last.answer is not None
    largest = float(last.answer.outputs.logits.abs().max())
    message = f"all right, but the loss stays above {goal.limit:.3g}, {told}"
    if largest > 1.001:
        return Status.INFO, f"{message}.", ""
    remedy = "Let the last layer return any number: take tanh, sigmoid, softmax or a norm behind it out of the model."
    return Status.WARN, f"{message}; no logit is above 1 or below -1.", remedy


def _of_nothing(goal: Goal, told: str) -> tuple[str, str]:
    assert goal.best is not None
    return (
        f"nothing was learnt from the pictures, {told}; one answer to all of them costs {goal.best.guess:.4g}.",
        "See that model's forward uses its images, that no layer is detached, dead or under no_grad, and that labels "
        "reach the loss: doctor.only=[proofs] names the place.",
    )


def _of_probabilities(task: Task, last: Attempt, num_outputs: int) -> tuple[str, str]:
    function = "softmax" if task == Task.MULTICLASS else "sigmoid"
    stall = (
        f" ln(e+C-1)-1 = {softmax_stall(num_outputs):.4g}" if task == Task.MULTICLASS else " its floor then"
    )
    return (
        f"the network returns probabilities, and the loss takes the {function} of them again: it stalls at "
        f"{last.losses[-1]:.4g};{stall}, whatever is learnt.",
        f"Return logits: take the {function} out of the model. Predictions get theirs from compkit.",
    )


def wrong_loss(best: BestAnswers, labels: Tensor, task: Task) -> Finding | None:
    """What is wrong with a loss whose own limits, found without any network, are not those of the right answers."""
    expected = "smallest for the right answers, and larger for one answer to all pictures"
    if not (math.isfinite(best.floor) and math.isfinite(best.guess)):
        message = f"The loss is {best.floor} for finite logits."
    elif best.span <= FLAT * abs(best.guess):
        message = (
            f"The loss gains nothing by telling pictures apart: logits chosen for each bring it to {best.floor:.4g}, "
            f"one answer to all to {best.guess:.4g}."
        )
    elif share_right(task, best.logits, labels) < (0.99 if task == Task.REGRESSION else 1):
        right = share_right(task, best.logits, labels)
        how = f"R² {right:.3g}" if task == Task.REGRESSION else f"{right:.0%} right"
        message = f"The loss is smallest, {best.floor:.4g}, where the answers are wrong: {how}."
    elif abs(best.floor - probability_floor(task, labels, best.logits.shape[1])) < 1e-3 and best.floor > 0.05:
        message = (
            f"The loss cannot fall below {best.floor:.4g}, which is that of a softmax (sigmoid) taken twice: it takes "
            "probabilities for logits."
        )
    else:
        return None
    remedy = (
        "Correct loss._target_: the sign, the labels it reads, and that it takes logits, not probabilities."
    )
    return Finding(NAME, Status.FAIL, message, value=best.floor, expected=expected, remedy=remedy)


def softmax_stall(num_classes: int) -> float:
    """Cross-entropy of a softmax's softmax at its best, ln(e + C - 1) - 1, in nats.

    >>> round(softmax_stall(10), 4)
    1.4612
    """
    return math.log(math.e + num_classes - 1) - 1


def probability_floor(task: Task, labels: Tensor, num_outputs: int) -> float:
    """Cross-entropy where a softmax (sigmoid) is taken of probabilities, at its best; NaN for regression."""
    if task == Task.REGRESSION:
        return math.nan
    if task == Task.MULTICLASS:
        return softmax_stall(num_outputs)
    present = float(labels.double().mean())
    return present * math.log1p(math.exp(-1)) + (1 - present) * math.log(2)


def are_probabilities(goal: Goal, one: Attempt, num_outputs: int) -> bool:
    """Whether the network's last answers are probabilities already: they sum to 1, or stall where such do."""
    if goal.task == Task.REGRESSION or one.answer is None:
        return False
    logits = one.answer.outputs.logits
    if not bool(((logits >= 0) & (logits <= 1)).all()):
        return False
    sums = goal.task == Task.MULTICLASS and bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all())
    floor = probability_floor(goal.task, goal.labels, num_outputs)
    return sums or abs(one.losses[-1] / floor - 1) < 0.05


def pictures_alike(rows: int, kinds: int) -> Finding:
    """Pictures with different labels that are one and the same for the network."""
    return Finding(
        NAME,
        Status.FAIL,
        f"Of {rows} training pictures with different labels only {kinds} differ(s) for the network; what looks the "
        "same cannot be told apart.",
        value=float(kinds),
        expected="different pictures",
        remedy="Look at them with scripts/preview.py: are the files what their names say, does reading or scaling "
        "(competition.max_value, scaling=…) make them all black or white?",
    )


def described(goal: Goal) -> str:
    """The goal in words."""
    if goal.best is None:
        return "nearest neighbours of the same label, and half of the loss gone, within 300 steps"
    if goal.limit is None:
        return "R² above 0.99 within 300 steps"
    return f"all right and a loss below {goal.limit:.3g} within 300 steps"


def shown(
    loss: Loss, ids: np.ndarray, classes: Sequence[str], goal: Goal, logits: Tensor | None
) -> list[dict[str, object]]:
    """A line for each picture: id, truth, what the network says, and its loss; without logits id and truth."""
    truth = in_words(goal.task, goal.labels, classes, is_truth=True)
    if logits is None:
        return [{"id": str(id), "truth": label} for id, label in zip(ids, truth, strict=True)]
    said = in_words(goal.task, logits, classes, is_truth=False)
    losses = row_losses(loss, logits, goal.labels).tolist()
    right = (
        [None] * len(ids)
        if goal.task == Task.REGRESSION
        else rows_right(goal.task, logits, goal.labels).tolist()
    )
    lines = zip(ids, truth, said, losses, right, strict=True)
    names = ("id", "truth", "prediction", "loss", "right")
    return [dict(zip(names, (str(line[0]), *line[1:]), strict=True)) for line in lines]


def in_words(task: Task, values: Tensor, classes: Sequence[str], is_truth: bool) -> list[str]:
    """Labels or logits as a table shows them.

    >>> import torch
    >>> in_words(Task.MULTILABEL, torch.tensor([[2.0, -1.0, 3.0]]), ["a", "b", "c"], is_truth=False)
    ['a, c']
    """
    if task == Task.REGRESSION:
        return [", ".join(f"{value:.4g}" for value in row) for row in values.tolist()]
    if task == Task.MULTILABEL:
        there = values > (0.5 if is_truth else 0)
        return [", ".join(np.array(classes)[row].tolist()) or "none" for row in there.cpu().numpy()]
    numbers = values.argmax(dim=1) if values.is_floating_point() else values
    return [str(classes[number]) for number in numbers.tolist()]


def _course(one: Attempt) -> str:
    return f"loss {one.losses[0]:.3g} to {one.losses[-1]:.3g} in {one.steps} steps"
