"""What every loss has: a value and a weight for each sample, and the tasks it trains."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from compkit.losses.reduce import Mean
from compkit.types import Outputs, Targets, Task

# the options of conf/loss that fit each task, for the message below; a test holds them together
OPTIONS = {
    Task.MULTICLASS: (
        "cross_entropy, label_smoothing, ohem, focal, hinge, softmax_fbeta, dice, lovasz_softmax, ce_lovasz, "
        "sum, bag_of_tricks, triplet, circle, center"
    ),
    Task.MULTILABEL: "bce, binary_focal, soft_fbeta, bce_fbeta, binary_dice, lovasz_multilabel",
    Task.REGRESSION: "mse, mae, huber",
}


class Loss(nn.Module):
    """A loss in float32 that keeps samples apart until the end.

    A subclass says what one sample costs (`per_sample`). Mixed images cost the mean of what they cost with
    either label, each by its share of the image.

    The parts of a batch are exact: with w the sum of `weights`, the loss of a large batch is the
    sum over its micro-batches of forward * w(micro-batch) / w(large batch), unless `reduce` picks samples.

    Args:
        reduce: from the samples' losses and weights to one number; None is their weighted mean.
        class_counts: training samples of each class, [C]; None for regression.

    Attributes:
        tasks: the tasks it can train; all unless a subclass says otherwise.
        reads: what it is computed from: the logits, or the pooled features before the neck.
        takes_mixed: whether it is defined for mixed images.
        per_batch: whether it is one value of a whole batch, which cannot be split into samples.
        term_names: the keys of `terms`, in their order.
    """

    tasks: tuple[Task, ...] = tuple(Task)
    reads: tuple[str, ...] = ("logits",)
    takes_mixed = True
    per_batch = False
    term_names: tuple[str, ...] = ("loss",)

    def __init__(self, reduce: nn.Module | None = None, class_counts: np.ndarray | None = None) -> None:
        super().__init__()
        self.reduce = Mean() if reduce is None else reduce
        self.class_counts = class_counts

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Loss of each sample, weights multiplied in, [B], of the model's logits [B, C] or features [B, D]."""
        raise NotImplementedError

    def sample_weight(self, labels: Tensor) -> Tensor:
        """What each sample adds to the denominator of the mean, [B]; 1 unless classes have weights."""
        return torch.ones(len(labels), device=labels.device)

    def weights(self, targets: Targets | Tensor) -> Tensor:
        """`sample_weight` of samples that may be mixed, [B]."""
        parts = as_targets(targets).parts()
        return torch.stack([shared(self.sample_weight(labels), share) for labels, share in parts]).sum(dim=0)

    def values(self, outputs: Outputs, targets: Targets) -> Tensor:
        """`per_sample` of samples that may be mixed, [B]."""
        parts = targets.parts()
        values = [
            shared(self._one_part(outputs, number, labels), share)
            for number, (labels, share) in enumerate(parts)
        ]
        return torch.stack(values).sum(dim=0)

    def _one_part(self, outputs: Outputs, number: int, labels: Tensor) -> Tensor:
        if self.reads == ("features",):
            assert outputs.features is not None, "a network that returns no features"
            return self.per_sample(outputs.features, labels)
        if outputs.margin:
            return self.per_sample(outputs.margin[number], labels)
        views = outputs.views or (outputs.logits,)
        return torch.stack([self.per_sample(view, labels) for view in views]).mean(dim=0)

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        """The scalars whose sum is the loss of a batch, by name, their weights multiplied in."""
        return {"loss": self.reduce(self.values(outputs, targets), self.weights(targets))}

    def forward(self, outputs: Outputs | Tensor, targets: Targets | Tensor) -> Tensor:
        """The loss of a batch, a scalar."""
        terms = self.terms(as_outputs(outputs), as_targets(targets)).values()
        return torch.stack(list(terms)).sum()

    def term_weights(self, targets: Targets | Tensor) -> dict[str, Tensor]:
        """`weights` of each of the `terms`, [B]: by them a term's share of a larger batch is found."""
        return {"loss": self.weights(targets)}

    def prepare(self, num_features: int) -> None:
        """Make what depends on the network: D, the length of its pooled features. Called once."""

    def make_optimizer(self) -> Optimizer | None:
        """What moves the loss's own parameters, such as class centres; None without any."""
        return None

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


class SetLoss(Loss):
    """A loss of a whole batch, which cannot be split into samples: no weights, no choice of samples.

    With accumulation or several ranks it acts within each micro-batch.
    """

    per_batch = True

    def __init__(self, class_counts: np.ndarray | None = None) -> None:
        super().__init__(class_counts=class_counts)

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Loss of the batch, a scalar, of logits [B, C] and labels int64 [B], or float [B, C] (also soft)."""
        raise NotImplementedError

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        assert not outputs.margin, "a set loss behind a margin head is refused when the run is checked"
        labels = soft_labels(targets, outputs.logits.shape[1])
        views = outputs.views or (outputs.logits,)
        return {"loss": torch.stack([self.of_batch(view, labels) for view in views]).mean()}


def soft_labels(targets: Targets, num_classes: int) -> Tensor:
    """The labels of a batch; of mixed images the mean by their shares, float [B, C] or [B, C, ...].

    >>> mixed = Targets(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    >>> soft_labels(mixed, num_classes=2)
    tensor([[0.7500, 0.2500],
            [0.0000, 1.0000]])
    """
    if targets.share is None or targets.other is None:
        return targets.labels
    labels, other = (
        as_shares(part, num_classes, targets.share.dtype) for part in (targets.labels, targets.other)
    )
    share = targets.share.view(-1, *[1] * (labels.dim() - 1))
    return share * labels + (1 - share) * other


def as_shares(labels: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Classes int64 [B] or [B, ...] as one-hot [B, C, ...]; float labels as they are.

    >>> as_shares(torch.tensor([1]), num_classes=3, dtype=torch.float32)
    tensor([[0., 1., 0.]])
    """
    if labels.is_floating_point():
        return labels.to(dtype)
    return nn.functional.one_hot(labels, num_classes).movedim(-1, 1).to(dtype)


def shared(values: Tensor, share: Tensor | None) -> Tensor:
    """Values [B] times the share of each sample [B]; None is all of it."""
    return values if share is None else values * share.to(values.dtype)


def as_outputs(outputs: Outputs | Tensor) -> Outputs:
    """Logits alone are outputs too."""
    return Outputs(outputs) if isinstance(outputs, Tensor) else outputs


def as_targets(targets: Targets | Tensor) -> Targets:
    """Labels alone are targets too."""
    return Targets(targets) if isinstance(targets, Tensor) else targets
