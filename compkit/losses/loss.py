"""What every loss has: a value and a weight for each sample, and the tasks it trains."""

import torch
from torch import Tensor, nn

from compkit.losses.reduce import weighted_mean
from compkit.types import Task

# the options of conf/loss that fit each task, for the message below; a test holds them together
OPTIONS = {
    Task.MULTICLASS: "cross_entropy, label_smoothing",
    Task.MULTILABEL: "bce",
    Task.REGRESSION: "mse, mae, huber",
}


class Loss(nn.Module):
    """A loss in float32 that keeps samples apart until the end.

    The parts of a batch are exact: with w the sum of sample_weight, the loss of a large batch is the
    sum over its micro-batches of forward * w(micro-batch) / w(large batch).

    Attributes:
        tasks: the tasks it can train.
    """

    tasks: tuple[Task, ...]

    def per_sample(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each sample, weights multiplied in, [B], of the model's outputs [B, C]."""
        raise NotImplementedError

    def sample_weight(self, targets: Tensor) -> Tensor:
        """What each sample adds to the denominator of the mean, [B]; 1 unless classes have weights."""
        return torch.ones(len(targets), device=targets.device)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch, a scalar."""
        return weighted_mean(self.per_sample(logits, targets), self.sample_weight(targets))

    def check_task(self, task: Task) -> None:
        """Refuse a task that this loss cannot train.

        Raises:
            ValueError: with the options that fit the task.
        """
        if task not in self.tasks:
            raise ValueError(
                f"loss {type(self).__name__}: trains {' and '.join(self.tasks)}, but the competition's task "
                f"is {task}. Choose loss= one of {OPTIONS[task]}."
            )
