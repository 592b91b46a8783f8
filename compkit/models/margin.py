"""Margins on the angle between an embedding and its class: pure functions of cosines."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# of an angle's squared sine, whose root has no finite gradient at 0
SMALLEST_SQUARED_SINE = 1e-6


def cosines(embeddings: Tensor, classes: Tensor) -> Tensor:
    """Cosine of the angle between each embedding and each class vector, [B, C] in [-1, 1].

    In fp32 whatever autocast says: near 0 an angle's cosine changes by less than 16 bit can tell.

    Args:
        embeddings: [B, D]; a vector of zeros is orthogonal to everything.
        classes: [C, D].

    >>> cosines(torch.tensor([[3.0, 0.0]]), torch.tensor([[5.0, 0.0], [0.0, 1.0]]))
    tensor([[1., 0.]])
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        # a shorter vector counts as 1e-6 long: the gradient at a vector of zeros is divided by that
        cosine = F.linear(F.normalize(wide, dim=1, eps=1e-6), F.normalize(classes, dim=1, eps=1e-6))
    return cosine.clamp(-1, 1)


def cos_margin(cosine: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The true class's cosine lowered by a constant: cos - m.

    Args:
        cosine: [B, C].
        labels: class indices, int64 [B].
        margin: m >= 0, a difference of cosines; 0 is NormFace.

    Returns:
        Cosines [B, C], the true class's lowered.

    Source: Wang et al. 2018, arXiv:1801.09414, eq. 4.

    >>> cos_margin(torch.tensor([[0.5, 0.5]]), torch.tensor([1]), margin=0.25)
    tensor([[0.5000, 0.2500]])
    """
    return _with_label(cosine, labels, _of_label(cosine, labels) - margin)


def arc_margin(cosine: Tensor, labels: Tensor, margin: float | Tensor) -> Tensor:
    """The true class's cosine at an angle enlarged by a margin: cos(theta + m).

    Beyond theta = pi - m, where that would rise again, cos - m * sin(pi - m) goes on falling.

    Args:
        cosine: [B, C].
        labels: class indices, int64 [B].
        margin: m in radians, 0 <= m < pi; or one for each class, [C].

    Returns:
        Cosines [B, C], the true class's lowered.

    Source: Deng et al. 2019, arXiv:1801.07698, eq. 3.

    >>> arc_margin(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), margin=math.pi / 6)
    tensor([[ 0.0000, -0.5000]])
    """
    cos = _of_label(cosine, labels)
    m = margin.to(cosine.dtype)[labels] if isinstance(margin, Tensor) else torch.full_like(cos, margin)
    sin = (1 - cos.square()).clamp(min=SMALLEST_SQUARED_SINE).sqrt()
    enlarged = cos * m.cos() - sin * m.sin()
    beyond = cos - m * torch.sin(math.pi - m)
    return _with_label(cosine, labels, torch.where(cos > torch.cos(math.pi - m), enlarged, beyond))


def sphere_margin(cosine: Tensor, labels: Tensor, factor: int, ease: float | Tensor = 0.0) -> Tensor:
    """The true class's cosine at a multiple of its angle, blended with the plain cosine.

    (ease * cos(theta) + psi) / (ease + 1) with psi = (-1)^k cos(factor * theta) - 2k and
    k = floor(factor * theta / pi), which falls all the way from 1 at 0 to 1 - 2 factor at pi.

    Args:
        cosine: [B, C].
        labels: class indices, int64 [B].
        factor: what the angle is multiplied by, >= 1; 1 is no margin.
        ease: weight of the plain cosine, >= 0, the lambda of the paper.

    Returns:
        Cosines [B, C], the true class's lowered.

    Source: Liu et al. 2017, arXiv:1704.08063 (A-softmax); the blend is that of Liu et al. 2016, arXiv:1612.02295.

    >>> sphere_margin(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), factor=2)  # cos(pi), and k = 1
    tensor([[ 0., -1.]])
    """
    cos = _of_label(cosine, labels)
    angle = cos.detach().acos()  # only to find k: its own gradient is infinite at 0 and pi
    k = (factor * angle / math.pi).floor().clamp(max=factor - 1)
    psi = (1 - 2 * (k % 2)) * _cosine_of_multiple(cos, factor) - 2 * k
    return _with_label(cosine, labels, (ease * cos + psi) / (ease + 1))


def sphere_ease(step: int, smallest: float = 5.0) -> float:
    """The weight of the plain cosine after `step` optimizer steps: max(smallest, 1000 / (1 + 0.12 step)).

    Training would not start with the full margin, so it grows in.

    >>> sphere_ease(0), sphere_ease(10_000)
    (1000.0, 5.0)
    """
    return max(smallest, 1000 / (1 + 0.12 * step))


def dynamic_margins(class_counts: np.ndarray, low: float, high: float) -> np.ndarray:
    """A margin for each class, larger for rare ones: n^(-1/4) stretched to the range from low to high.

    Args:
        class_counts: training samples of each class, [C]; 0 counts as 1.
        low: margin of the most frequent class.
        high: margin of the rarest.

    Returns:
        Margins, float [C]; the middle of the range for all when all classes are equally frequent.

    Source: Ha et al. 2020, arXiv:2010.05350 (dynamic margins).

    >>> dynamic_margins(np.array([16, 1]), low=0.05, high=0.5)
    array([0.05, 0.5 ])
    """
    rarity = np.maximum(class_counts, 1).astype(np.float64) ** -0.25
    spread = rarity.max() - rarity.min()
    if spread == 0:
        return np.full(len(rarity), (low + high) / 2)
    return low + (high - low) * (rarity - rarity.min()) / spread


def smallest_scale(num_classes: int, prob: float) -> float:
    """The scale from which on the true class can reach a probability at all.

    (C - 1) / C * ln((C - 1) p / (1 - p)): what C vectors as far apart as possible need.

    Source: Wang et al. 2018, arXiv:1801.09414, section 3.3.

    >>> round(smallest_scale(2, prob=0.99), 4)  # half of logit 0.99
    2.2976
    """
    return (num_classes - 1) / num_classes * math.log((num_classes - 1) * prob / (1 - prob))


def adacos_scale(num_classes: int) -> float:
    """The scale AdaCos starts from, or stays at: sqrt(2) ln(C - 1).

    For two classes that is 0, which cannot train: then the `smallest_scale` for a probability of 0.99.

    Source: Zhang et al. 2019, arXiv:1905.00292, section 4.1.

    >>> round(adacos_scale(10), 4)
    3.1073
    """
    if num_classes == 2:
        return smallest_scale(2, prob=0.99)
    return math.sqrt(2) * math.log(num_classes - 1)


def adacos_next_scale(others: Tensor, median_angle: Tensor) -> Tensor:
    """The scale at which the loss bends most for the batch's typical angle: ln B / cos(min(pi/4, theta)).

    Args:
        others: B, the mean over samples of the sum of exp(scale * cos) over the wrong classes, [].
        median_angle: theta, the median angle to the true class in radians, [].

    Source: Zhang et al. 2019, arXiv:1905.00292, section 4.2.

    >>> adacos_next_scale(torch.tensor(math.e), torch.tensor(0.0))
    tensor(1.)
    """
    return others.log() / median_angle.clamp(max=math.pi / 4).cos()


def _of_label(cosine: Tensor, labels: Tensor) -> Tensor:
    return cosine.gather(1, labels[:, None]).squeeze(1)


def _with_label(cosine: Tensor, labels: Tensor, values: Tensor) -> Tensor:
    return cosine.scatter(1, labels[:, None], values[:, None])


def _cosine_of_multiple(cos: Tensor, factor: int) -> Tensor:
    """cos(factor * angle) as a polynomial of cos(angle) (Chebyshev), whose gradient is finite everywhere."""
    previous, current = torch.ones_like(cos), cos
    for _ in range(factor - 1):
        previous, current = current, 2 * cos * current - previous
    return current
