"""Losses of sets of labels: those of one sample, or those of one class over a batch."""

import numpy as np
from torch import Tensor, nn

from compkit.losses.loss import Loss, SetLoss
from compkit.losses.reduce import Mean
from compkit.ranges import one_of
from compkit.types import Outputs, Targets, Task

AXES = ("sample", "class", "all")


class LabelSetLoss(SetLoss):
    """A multilabel loss that judges a set of labels as a whole.

    A subclass says what sets cost (`of_sets`). Along `sample` a set is a sample's labels, which gives one
    value a sample like any other loss. Along `class` a set is a class's labels in the batch, and along
    `all` the batch is one set: one value a batch, see SetLoss.

    Args:
        axis: sample, class or all.
        reduce: from the samples' losses to one number, for axis sample; see Loss.
        class_counts: not used; every loss is offered it.

    Raises:
        ValueError: another axis, or a `reduce` other than the mean along another axis than sample.
    """

    tasks = (Task.MULTILABEL,)

    def __init__(
        self, axis: str = "sample", reduce: nn.Module | None = None, class_counts: np.ndarray | None = None
    ) -> None:
        super().__init__(class_counts)
        self.axis = one_of("loss.axis", axis, AXES)
        self.per_batch = axis != "sample"
        self.reduce = self.reduce if reduce is None else reduce
        if self.per_batch and not isinstance(self.reduce, Mean):
            raise ValueError(
                f"loss.reduce: {type(self.reduce).__name__} picks samples, but loss.axis={axis} gives one value "
                "a batch. Set loss.axis=sample or loss/reduce=mean."
            )

    def of_sets(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each set, [S], of logits and labels [S, N], a set a row."""
        raise NotImplementedError

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return self.of_sets(inputs, labels)

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        if self.axis == "class":
            return self.of_sets(inputs.T, labels.T).mean()
        return self.of_sets(inputs.reshape(1, -1), labels.reshape(1, -1)).mean()

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        return super().terms(outputs, targets) if self.per_batch else Loss.terms(self, outputs, targets)
