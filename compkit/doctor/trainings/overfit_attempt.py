"""One attempt to learn a few pictures by heart."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from compkit.doctor.best_answers import BestAnswers, share_right
from compkit.doctor.trainings.short_training import Answer, kinds_of, learn, seconds_at_work
from compkit.engine import MicroBatch, Stepper
from compkit.types import Task

STEPS = 300
SECONDS = 30.0  # of an attempt, for networks whose steps take long
WARM_UP = 10  # steps: a transformer's first steps of Adam at the full rate are too long
# an attempt that has not come so far after so many steps makes room for the next: it would not end in time
EARLY_STEPS, EARLY_SHARE = 100, 0.2
NEAR = 0.05  # nats above the smallest loss that count as learnt; of losses in other units a fortieth of what there is


@dataclass(frozen=True)
class Goal:
    """When some pictures are learnt by heart.

    Attributes:
        task, labels: of the pictures.
        best: the limits of the loss; None where it reads no logits, and nearest neighbours tell.
        is_bounded: logits are cosines, which cannot come down to the floor; then half of the way is enough.
    """

    task: Task
    labels: Tensor
    best: BestAnswers | None
    is_bounded: bool = False

    @property
    def limit(self) -> float | None:
        """The loss below which the pictures are learnt; None where there is none."""
        if self.best is None or self.task == Task.REGRESSION:
            return None
        if self.is_bounded:
            return self.best.guess - self.best.span / 2
        return self.best.floor + (NEAR if 0.5 < self.best.span < 5 else self.best.span / 40)

    def right(self, answer: Answer) -> float:
        """Share of right answers, or of pictures whose nearest neighbour shares their label; R² for regression."""
        if self.best is not None:
            return share_right(self.task, answer.outputs.logits, self.labels)
        assert answer.outputs.features is not None
        return neighbours_right(answer.outputs.features, kinds_of(self.labels.cpu().numpy()))

    def is_reached(self, losses: list[float], right: float) -> bool:
        """Whether the latest loss and answers are what was wanted."""
        if self.best is None:  # neighbours may be right by chance before anything was learnt
            return right == 1 and losses[-1] <= losses[0] / 2
        if self.limit is None:
            return right > 0.99
        return right == 1 and losses[-1] <= self.limit


@dataclass
class Attempt:
    """What came of it.

    Attributes:
        losses: before each step.
        right: as in `Goal.right`, in the end.
        answer: the last one.
        is_reached: the goal was.
        is_out_of_time: it ended before its steps were taken.
    """

    losses: list[float] = field(default_factory=list)
    right: float = 0.0
    answer: Answer | None = None
    is_reached: bool = False
    is_out_of_time: bool = False

    @property
    def steps(self) -> int:
        """How many were taken before the last answer."""
        return len(self.losses) - 1

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, self.losses))

    def share(self, goal: Goal) -> float:
        """How far the loss has come from its start to the smallest there is, at its best; of a loss without a known
        smallest one the share by which it fell."""
        best = min((loss for loss in self.losses if math.isfinite(loss)), default=math.nan)
        floor = 0.0 if goal.best is None else goal.best.floor
        return (self.losses[0] - best) / max(self.losses[0] - floor, 1e-12)

    def share_below_guess(self, goal: Goal) -> float:
        """How far below the loss of one answer to all, in units of what there is to learn from the pictures; as
        `share` where that is not known."""
        if goal.best is None:
            return self.share(goal)
        best = min((loss for loss in self.losses if math.isfinite(loss)), default=math.nan)
        return (min(self.losses[0], goal.best.guess) - best) / goal.best.span


def attempt(stepper: Stepper, micro: MicroBatch, goal: Goal, is_last: bool) -> Attempt:
    """Learn the pictures until the goal is reached, or steps or seconds are over.

    Args:
        stepper: with a learner at its start.
        micro: the pictures.
        goal: ends it.
        is_last: nothing comes after it, so it warms up and takes all its steps.
    """
    done, end = Attempt(), seconds_at_work() + SECONDS
    for number in range(STEPS + 1):
        answer = learn(stepper, micro, min(1.0, (number + 1) / WARM_UP) if is_last else 1.0)
        done.losses.append(answer.loss)
        done.answer = answer
        if not math.isfinite(answer.loss):
            break
        done.right = goal.right(answer)
        if goal.is_reached(done.losses, done.right):
            done.is_reached = True
            break
        if not is_last and number >= EARLY_STEPS and done.share(goal) < EARLY_SHARE:
            break
        if seconds_at_work() > end:
            done.is_out_of_time = True
            break
    return done


def neighbours_right(features: Tensor, kinds: np.ndarray) -> float:
    """Share of rows whose nearest other row, by cosine, is of their kind.

    >>> neighbours_right(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), np.array([0, 0, 1]))
    0.6666666666666666
    """
    unit = torch.nn.functional.normalize(features.float(), dim=1)
    likeness = unit @ unit.T
    likeness.fill_diagonal_(-math.inf)
    nearest = likeness.argmax(dim=1).cpu().numpy()
    return float((kinds[nearest] == kinds).mean())
