"""Consistency: what a network says of a picture should not depend on how the picture was augmented."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from compkit.losses.auxiliary import named
from compkit.losses.loss import Loss
from compkit.losses.reduce import at_least_float32
from compkit.types import Moment, Outputs, Targets, Task

CONSISTENCY = "consistency"  # name of its term


def consistency_loss(
    logits: Tensor, teacher_logits: Tensor, task: Task, spread: Tensor | None = None
) -> Tensor:
    """Mean squared difference between what two networks say of the same images, [B], float32 at least.

    Args:
        logits: of the one that learns, [B, C]; numbers in target units for regression.
        teacher_logits: of the other, [B, C]; no gradient flows to it.
        task: classes are compared by their softmax, labels by their sigmoid, numbers in units of `spread`.
        spread: standard deviation of each target column, > 0, [C]; for regression only.

    Source: Tarvainen & Valpola 2017, arXiv:1703.01780, section 2; the mean over classes.

    >>> consistency_loss(torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]]), Task.MULTICLASS)
    tensor([1.])
    """
    logits = at_least_float32(logits)
    wanted = teacher_logits.detach().to(logits.dtype)
    if task == Task.MULTICLASS:
        difference = logits.softmax(dim=1) - wanted.softmax(dim=1)
    elif task == Task.MULTILABEL:
        difference = logits.sigmoid() - wanted.sigmoid()
    else:
        assert spread is not None, "a regression without the spread of its targets"
        difference = (logits - wanted) / spread.to(logits.dtype)
    return difference.square().mean(dim=1)


def ramp_up(progress: float, length: float) -> float:
    """exp(-5 (1 - t)^2) with t = progress / length, at most 1: a weight that grows while the teacher gets better.

    Source: Laine & Aila 2017, arXiv:1610.02242, section 2.1.

    >>> round(ramp_up(0.0, 0.3), 4), round(ramp_up(0.15, 0.3), 4), ramp_up(0.3, 0.3)
    (0.0067, 0.2865, 1.0)
    """
    time = 1.0 if progress >= length else progress / length
    return math.exp(-5 * (1 - time) ** 2)


class WithConsistency(Loss):
    """A loss of the labelled images, and how far the network is from its teacher on all images.

    Evaluation looks at the labels alone.

    Args:
        main: the loss of the labels; it never sees the images without one.
        task: see `consistency_loss`.
        weight: of the consistency once it has grown to its full size, >= 0.
        ramp_up: share of the run over which it grows, 0-1.
        spread: standard deviation of the targets, [C]; for regression only.

    >>> from compkit.losses import CrossEntropy
    >>> from compkit.types import Taught
    >>> loss = WithConsistency(CrossEntropy(), Task.MULTICLASS, weight=2.0, ramp_up=0.0)
    >>> taught = Taught(torch.tensor([[[50.0, 0.0], [0.0, 0.0]]]))
    >>> loss.terms(Outputs(torch.zeros(2, 2)), Targets(torch.tensor([0, 0]), taught=taught, unlabelled=1))
    {'target': tensor(0.6931), 'consistency': tensor(0.2500)}
    """

    spread: Tensor | None

    def __init__(
        self, main: Loss, task: Task, weight: float, ramp_up: float, spread: np.ndarray | None = None
    ) -> None:
        super().__init__(class_counts=main.class_counts)
        self.main, self.task, self.weight, self.length = main, task, weight, ramp_up
        self.progress = 0.0  # share of the run that is over
        given = None if spread is None else torch.as_tensor(spread, dtype=torch.float32)
        self.register_buffer("spread", given, persistent=False)
        self.tasks, self.reads, self.takes_mixed = main.tasks, main.reads, False
        self.per_batch = main.per_batch
        self.term_names = (*(named(name) for name in main.term_names), CONSISTENCY)

    def set_moment(self, moment: Moment) -> None:
        """Set how far the weight has grown; the loop calls it before every step."""
        self.progress = moment.epoch / moment.epochs

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        if not self.training:
            return self.main.terms(outputs, targets)
        assert targets.taught is not None and targets.share is None, "no teacher's answer, or a mixed one"
        labelled = len(targets.labels) - targets.unlabelled
        if labelled:
            terms = self.main.terms(outputs.first(labelled), targets.labelled())
        else:  # a piece of a batch that was cut for want of memory: it costs nothing, and its share is 0
            terms = dict.fromkeys(self.main.term_names, 0 * outputs.logits.sum())
        terms = {named(name): term for name, term in terms.items()}
        difference = consistency_loss(outputs.logits, targets.taught.logits[0], self.task, self.spread)
        terms[CONSISTENCY] = self.weight * ramp_up(self.progress, self.length) * difference.mean()
        return terms

    def term_weights(self, targets: Targets | Tensor) -> dict[str, Tensor]:
        labelled = targets.labelled() if isinstance(targets, Targets) else targets
        labels = targets.labels if isinstance(targets, Targets) else targets
        weights = {named(name): weight for name, weight in self.main.term_weights(labelled).items()}
        return weights | {CONSISTENCY: torch.ones(len(labels), device=labels.device)}

    def weights(self, targets: Targets | Tensor) -> Tensor:
        return self.main.weights(targets.labelled() if isinstance(targets, Targets) else targets)

    def check_task(self, task: Task) -> None:
        self.main.check_task(task)

    def prepare(self, num_features: int) -> None:
        self.main.prepare(num_features)

    def make_optimizer(self) -> Optimizer | None:
        return self.main.make_optimizer()
