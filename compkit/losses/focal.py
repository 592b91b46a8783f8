"""Focal losses: what is classified well already counts less, so that the hard cases decide."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit.losses.classification import BCE, CrossEntropy
from compkit.losses.loss import as_shares
from compkit.losses.reduce import at_least_float32, column_mean
from compkit.ranges import inside_zero_to_one, not_negative


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    gamma: float = 2.0,
    class_weight: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy that pays less for samples already classified well.

    -(1 - p_y)^gamma w_y ln p_y; of soft or smoothed targets t: -sum_c w_c t_c (1 - p_c)^gamma ln p_c.

    Args:
        logits: unnormalised scores, [B, C].
        targets: class indices, int64 [B], or probabilities, float [B, C].
        gamma: focusing exponent >= 0; 0 is cross-entropy.
        class_weight: weight of each class, [C].
        smoothing: share of the target spread evenly over all classes, in [0, 1).

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Source: Lin et al. 2017, arXiv:1708.02002, eq. 4 and 5, with softmax probabilities.

    >>> focal_loss(torch.zeros(1, 2), torch.tensor([0]), gamma=1.0)
    tensor([0.3466])
    """
    log_probs = at_least_float32(logits).log_softmax(dim=1)
    num_classes = logits.shape[1]
    shares = as_shares(targets, num_classes, log_probs.dtype) * (1 - smoothing) + smoothing / num_classes
    # at p = 1 the slope of (1 - p)^gamma is infinite for gamma < 1; clamp gives such samples a gradient of 0
    rest = (-log_probs.expm1()).clamp_min(torch.finfo(log_probs.dtype).tiny)
    values = shares * rest.pow(gamma) * -log_probs
    return (values if class_weight is None else values * class_weight).sum(dim=1)


def binary_focal_loss(
    logits: Tensor,
    targets: Tensor,
    gamma: float = 2.0,
    alpha: float | None = None,
    class_weight: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Binary cross-entropy that pays less for labels already right; the mean over labels.

    With p the probability of a label and t its target from 0 to 1:
    -alpha t (1 - p)^gamma ln p - (1 - alpha) (1 - t) p^gamma ln(1 - p).

    Args:
        logits: unnormalised scores, [B, C].
        targets: labels from 0 to 1, float [B, C].
        gamma: focusing exponent >= 0; 0 is binary cross-entropy.
        alpha: factor of present labels, 1 - alpha that of absent ones; None leaves both factors out.
        class_weight: weight of each label in the mean, [C].
        smoothing: each label is pulled towards 0.5: 0 becomes smoothing / 2, in [0, 1).

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Source: Lin et al. 2017, arXiv:1708.02002, eq. 5.

    >>> binary_focal_loss(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), gamma=1.0)
    tensor([0.3466])
    """
    logits = at_least_float32(logits)
    targets = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    present, absent = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    log_yes, log_no = F.logsigmoid(logits), F.logsigmoid(-logits)
    # powers as exponentials of logarithms, whose slope is finite everywhere
    values = present * targets * (gamma * log_no).exp() * -log_yes
    values = values + absent * (1 - targets) * (gamma * log_yes).exp() * -log_no
    return column_mean(values, class_weight)


class FocalLoss(CrossEntropy):
    """Focal loss of softmax probabilities; see focal_loss.

    Args:
        gamma: focusing exponent >= 0.
        smoothing, class_weight, beta, reduce, class_counts: see CrossEntropy.

    Raises:
        ValueError: an argument out of range.

    >>> FocalLoss(gamma=1)(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.3466)
    """

    def __init__(
        self,
        gamma: float = 2.0,
        smoothing: float = 0.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(smoothing, class_weight, beta, reduce, class_counts)
        self.gamma = not_negative("loss.gamma", gamma, "2")

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return focal_loss(inputs, labels, self.gamma, self.class_weight, self.smoothing)


class BinaryFocalLoss(BCE):
    """Focal loss of sigmoid probabilities, for any number of labels; see binary_focal_loss.

    Args:
        gamma: focusing exponent >= 0.
        alpha: factor of present labels in (0, 1), 1 - alpha that of absent ones; None leaves both out.
        smoothing, class_weight, beta, reduce, class_counts: see BCE.

    Raises:
        ValueError: an argument out of range.

    >>> BinaryFocalLoss(gamma=1, alpha=0.25)(torch.zeros(1, 2), torch.tensor([[1.0, 1.0]]))
    tensor(0.0866)
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        smoothing: float = 0.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.999,
        reduce: nn.Module | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(smoothing, class_weight, None, beta, reduce, class_counts)
        self.gamma = not_negative("loss.gamma", gamma, "2")
        self.alpha = None if alpha is None else inside_zero_to_one("loss.alpha", alpha, "0.25")

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return binary_focal_loss(inputs, labels, self.gamma, self.alpha, self.class_weight, self.smoothing)
