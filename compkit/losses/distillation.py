"""Distillation: a student learns from what a trained network says, beside the labels."""

import torch.nn.functional as F
from torch import Tensor

from compkit.losses.classification import cross_entropy
from compkit.losses.reduce import at_least_float32


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0, alpha: float = 0.9
) -> Tensor:
    """How far the student is from its teachers, and from the labels.

    alpha T^2 KL(q || p) + (1 - alpha) cross-entropy, where p is the softmax of the student's logits / T and
    q the mean of the teachers'. T^2 keeps the gradient's size whatever the temperature.

    Args:
        logits: the student's, [B, C].
        teacher_logits: of the same images, [B, C], or [K, B, C] of K teachers; no gradient flows to them.
        labels: class indices, int64 [B], or probabilities, float [B, C].
        temperature: T > 0; higher shows more of what the teachers think of the wrong classes.
        alpha: share of the teachers, in [0, 1].

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.

    >>> import torch
    >>> teacher = torch.tensor([[3.0, 1.0]]).log()
    >>> distillation_loss(torch.zeros(1, 2), teacher, torch.tensor([0]), temperature=1.0, alpha=1.0)
    tensor([0.1308])
    """
    assert temperature > 0 and 0 <= alpha <= 1, (temperature, alpha)
    logits = at_least_float32(logits)
    teachers = teacher_logits.detach().to(logits.dtype).reshape(-1, *logits.shape)
    wanted = (teachers / temperature).softmax(dim=-1).mean(dim=0)
    student = (logits / temperature).log_softmax(dim=1)
    divergence = F.kl_div(student, wanted, reduction="none").sum(dim=1)
    return alpha * temperature**2 * divergence + (1 - alpha) * cross_entropy(logits, labels)
