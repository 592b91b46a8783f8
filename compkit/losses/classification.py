"""Losses of class labels: cross-entropy for one of C classes, binary cross-entropy for any of them."""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from compkit.losses.class_weights import given_weights, resolve_class_weight
from compkit.losses.loss import Loss
from compkit.losses.reduce import at_least_float32, column_mean
from compkit.ranges import below_one
from compkit.types import Task


def cross_entropy(
    logits: Tensor, targets: Tensor, class_weight: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """How surprised the model is by the true class: -w_y ln p_y.

    With smoothing, or soft targets t: -sum_c w_c t_c ln p_c, where t is (1 - smoothing) t + smoothing / C.

    Args:
        logits: unnormalised scores, [B, C].
        targets: class indices, int64 [B], or probabilities, float [B, C].
        class_weight: weight of each class, [C].
        smoothing: share of the target spread evenly over all classes, in [0, 1).

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Source: smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.

    >>> import torch
    >>> cross_entropy(torch.zeros(1, 2), torch.tensor([0]))
    tensor([0.6931])
    """
    logits = at_least_float32(logits)
    if targets.is_floating_point():
        targets = targets.to(logits.dtype)
    weight = None if class_weight is None else class_weight.to(logits.dtype)
    return F.cross_entropy(logits, targets, weight, reduction="none", label_smoothing=smoothing)


def binary_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    class_weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """How surprised the model is by each label, present or not; the mean over labels.

    Args:
        logits: unnormalised scores, [B, C].
        targets: labels from 0 to 1, float [B, C].
        class_weight: weight of each label in the mean, [C].
        pos_weight: factor on the loss of present labels, [C] or [1].
        smoothing: each label is pulled towards 0.5: 0 becomes smoothing / 2, in [0, 1).

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Raises:
        ValueError: not one class_weight a label.

    >>> import torch
    >>> binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
    tensor([0.6931])
    """
    logits = at_least_float32(logits)
    targets = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    values = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight, reduction="none")
    return column_mean(values, class_weight)


class ClassLoss(Loss):
    """A loss of exactly one class a sample, with a weight for each class.

    A batch of class indices is divided by the sum of its samples' weights, one of soft targets by
    its size, as torch does.

    Args:
        class_weight: None, a weight for each class, inverse_frequency or effective_number.
        beta: of effective_number, see class_weights.
        reduce: from the samples' losses and weights to one number; see Loss.
        class_counts: training samples of each class, [C].

    Raises:
        ValueError: see resolve_class_weight.
    """

    tasks = (Task.MULTICLASS,)
    class_weight: Tensor | None

    def __init__(
        self,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(reduce, class_counts)
        weight = resolve_class_weight(class_weight, class_counts, beta)
        self.register_buffer("class_weight", weight, persistent=False)

    def sample_weight(self, labels: Tensor) -> Tensor:
        if self.class_weight is None or labels.is_floating_point():
            return super().sample_weight(labels)
        return self.class_weight[labels]


class CrossEntropy(ClassLoss):
    """Softmax cross-entropy, equal to torch's own; see cross_entropy.

    Args:
        smoothing: label smoothing, in [0, 1).
        class_weight, beta, reduce, class_counts: see ClassLoss.

    Raises:
        ValueError: an argument out of range; see resolve_class_weight too.

    >>> import torch
    >>> loss = CrossEntropy(class_weight=[1, 3])
    >>> loss(torch.zeros(2, 2), torch.tensor([0, 1])), loss.sample_weight(torch.tensor([0, 1]))
    (tensor(0.6931), tensor([1., 3.]))
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_weight, beta, reduce, class_counts)
        self.smoothing = below_one("loss.smoothing", smoothing, "0.1")

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(inputs, labels, self.class_weight, self.smoothing)


class BCE(Loss):
    """Sigmoid cross-entropy of each label, the mean over labels; see binary_cross_entropy.

    Args:
        smoothing: label smoothing, in [0, 1).
        class_weight: weight of each label in the mean: None, a list, inverse_frequency or
            effective_number.
        pos_weight: factor on present labels: None, one number, or a list of one a label.
        beta: of effective_number, see class_weights.
        reduce: from the samples' losses to one number; see Loss.
        class_counts: training samples with each label, [C].

    Raises:
        ValueError: an argument out of range; see resolve_class_weight too.

    >>> import torch
    >>> BCE(pos_weight=2)(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
    tensor(1.0397)
    """

    tasks = (Task.MULTILABEL,)
    class_weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        smoothing: float = 0.0,
        class_weight: str | Sequence[float] | None = None,
        pos_weight: float | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(reduce, class_counts)
        self.smoothing = below_one("loss.smoothing", smoothing, "0.1")
        weight = resolve_class_weight(class_weight, class_counts, beta)
        self.register_buffer("class_weight", weight, persistent=False)
        positive = None
        if isinstance(pos_weight, int | float):
            positive = given_weights("loss.pos_weight", [pos_weight], num_classes=1)
        elif pos_weight is not None:
            num_classes = None if class_counts is None else len(class_counts)
            positive = given_weights("loss.pos_weight", pos_weight, num_classes)
        self.register_buffer("pos_weight", positive, persistent=False)

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy(inputs, labels, self.class_weight, self.pos_weight, self.smoothing)
