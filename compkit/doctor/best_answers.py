"""What a loss can come down to: with the right answer for each picture, and with one answer for all."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from compkit.doctor.trainings.short_training import target_loss
from compkit.losses import Loss
from compkit.types import Task

STEPS, LONGEST_STEP = 150, 1.0  # of the search by Adam; cross-entropy comes down to 1e-4


class BestAnswers(NamedTuple):
    """A loss's own limits on some labels.

    Attributes:
        floor: the smallest loss when each row has logits of its own.
        guess: the smallest loss of one answer to all rows: what a network reaches that sees nothing.
        logits: those of the floor, [B, C].
    """

    floor: float
    guess: float
    logits: Tensor

    @property
    def span(self) -> float:
        """What there is to learn from the pictures."""
        return self.guess - self.floor


def best_answers(loss: Loss, labels: Tensor, task: Task, num_outputs: int) -> BestAnswers:
    """Look for the limits of a loss by moving the logits themselves.

    It needs to know nothing of the loss, so it serves a user's own.

    Args:
        loss: reads logits.
        labels: int64 [B], or float [B, C].
        task: of the labels; logits of regression are searched in units of the labels' spread.
        num_outputs: C.

    >>> from compkit.losses import CrossEntropy
    >>> best = best_answers(CrossEntropy(), torch.tensor([0, 1, 1, 0]), Task.MULTICLASS, num_outputs=5)
    >>> round(best.floor, 4), round(best.guess, 2)
    (0.0, 0.69)
    """
    floor, logits = lowest(loss, labels, task, num_outputs, rows=len(labels))
    guess, _ = lowest(loss, labels, task, num_outputs, rows=1)
    return BestAnswers(floor, guess, logits)


def lowest(loss: Loss, labels: Tensor, task: Task, num_outputs: int, rows: int) -> tuple[float, Tensor]:
    """The smallest loss found, and its logits [B, C]; with rows=1 all rows have the same."""
    middle, unit = torch.zeros((), device=labels.device), torch.ones((), device=labels.device)
    if task == Task.REGRESSION:
        middle, unit = labels.mean(dim=0), labels.std(dim=0).clamp(min=1e-12)
    free = torch.zeros(rows, num_outputs, device=labels.device, requires_grad=True)
    optimizer = torch.optim.Adam([free], lr=LONGEST_STEP, eps=1e-20)  # however small the loss is by its unit
    best, best_logits = float("inf"), free.detach()
    for number in range(STEPS):
        logits = (middle + unit * free).expand(len(labels), -1)
        value = target_loss(loss, logits, labels)
        if not value.item() >= best:  # NaN is told too
            best, best_logits = value.item(), logits.detach().clone()
        if not (value.requires_grad and math.isfinite(best)):  # or a loss that looks at no answer
            break
        (free.grad,) = torch.autograd.grad(value, [free])
        optimizer.param_groups[0]["lr"] = LONGEST_STEP * (1 - number / STEPS)
        optimizer.step()
    return best, best_logits


def share_right(task: Task, logits: Tensor, labels: Tensor) -> float:
    """Share of rows whose answer is right; for regression the smallest R² of the columns whose labels differ.

    >>> share_right(Task.MULTICLASS, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    0.5
    """
    if task == Task.REGRESSION:
        spread = (labels - labels.mean(dim=0)).square().sum(dim=0)
        error = (logits - labels).square().sum(dim=0)
        return float((1 - error / spread)[spread > 0].min())
    return float(rows_right(task, logits, labels).double().mean())


def rows_right(task: Task, logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the class, or every label, of each row is right, bool [B]."""
    if task == Task.MULTILABEL:
        return ((logits > 0) == (labels > 0.5)).all(dim=1)
    classes = labels.argmax(dim=1) if labels.is_floating_point() else labels
    return logits.argmax(dim=1) == classes
