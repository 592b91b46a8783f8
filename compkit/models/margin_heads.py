"""Heads whose true class has to win by a margin."""

import math

import numpy as np
import torch
from torch import Tensor

from compkit.models.angular import MarginHead
from compkit.models.margin import arc_margin, cos_margin, dynamic_margins, sphere_ease, sphere_margin
from compkit.ranges import positive, require, whole, zero_to_one
from compkit.types import Moment


class CosFaceHead(MarginHead):
    """The true class's cosine minus a constant (CosFace, AM-softmax).

    Args:
        in_features, num_outputs, bias, class_counts, scale: see CosineHead.
        margin: difference of cosines, 0 <= margin <= 1.

    Raises:
        ValueError: margin outside [0, 1], or see CosineHead.

    Source: Wang et al. 2018, arXiv:1801.09414, eq. 4.

    >>> from compkit.types import Targets
    >>> head = CosFaceHead(in_features=8, num_outputs=3, scale=10, margin=0.5)
    >>> outputs = head(torch.randn(1, 8), Targets(torch.tensor([2])))
    >>> (outputs.logits - outputs.margin[0]).detach().round(decimals=3)
    tensor([[0., 0., 5.]])
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        margin: float = 0.35,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, scale)
        self.margin = zero_to_one("model.head.margin", margin, "0.35")

    def with_margin(self, cosine: Tensor, labels: Tensor) -> Tensor:
        return cos_margin(cosine, labels, self.margin)


class ArcFaceHead(MarginHead):
    """The true class's angle plus a constant (ArcFace).

    Args:
        in_features, num_outputs, bias, class_counts, scale, k: see CosineHead.
        margin_rad: what is added to the angle, in radians, from 0 to pi/2.

    Raises:
        ValueError: margin_rad out of range, or see CosineHead.

    Source: Deng et al. 2019, arXiv:1801.07698, eq. 3.

    >>> from compkit.types import Targets
    >>> head = ArcFaceHead(in_features=8, num_outputs=3)
    >>> outputs = head(torch.randn(4, 8), Targets(torch.tensor([0, 1, 2, 0])))
    >>> bool((outputs.margin[0] <= outputs.logits).all())
    True
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        margin_rad: float = 0.3,
        k: int = 1,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, scale, k)
        self.margin_rad = radians("model.head.margin_rad", margin_rad, "0.3")

    def with_margin(self, cosine: Tensor, labels: Tensor) -> Tensor:
        return arc_margin(cosine, labels, self.margin_rad)


class SubCenterArcFaceHead(ArcFaceHead):
    """ArcFace with several vectors a class, the nearest of which counts: wrong labels gather at one of them.

    Args:
        in_features, num_outputs, bias, class_counts, scale, margin_rad: see ArcFaceHead.
        k: class vectors a class, >= 1.

    Raises:
        ValueError: see ArcFaceHead.

    Source: Deng et al. 2020, Sub-center ArcFace, ECCV 2020, section 3.2.

    >>> SubCenterArcFaceHead(in_features=8, num_outputs=4).weight.shape
    torch.Size([12, 8])
    """

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        margin_rad: float = 0.3,
        k: int = 3,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, scale, margin_rad, k)


class DynamicMarginHead(MarginHead):
    """ArcFace with a margin for each class: the rarer, the larger.

    Args:
        in_features, num_outputs, bias, scale, k: see CosineHead.
        class_counts: training samples of each class, [C]; without them (a network that only predicts) all
            classes have the middle margin.
        margin_min_rad: margin of the most frequent class, in radians, from 0 to pi/2.
        margin_max_rad: margin of the rarest, not below margin_min_rad.

    Raises:
        ValueError: a margin out of range, or see CosineHead.

    Source: Ha et al. 2020, arXiv:2010.05350; the range and exponent as in `dynamic_margins`.

    >>> DynamicMarginHead(in_features=8, num_outputs=3, class_counts=np.array([16, 1, 16])).margins_rad
    tensor([0.0500, 0.5000, 0.0500])
    """

    margins_rad: Tensor

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        margin_min_rad: float = 0.05,
        margin_max_rad: float = 0.5,
        k: int = 1,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, scale, k)
        low = radians("model.head.margin_min_rad", margin_min_rad, "0.05")
        high = radians("model.head.margin_max_rad", margin_max_rad, "0.5")
        if high < low:
            raise ValueError(
                f"model.head.margin_max_rad: got {high}; expected at least margin_min_rad, which is {low}."
            )
        counts = np.ones(num_outputs) if class_counts is None else class_counts
        margins = torch.from_numpy(dynamic_margins(counts, low, high)).float()
        # of this fold's counts, so it is not taken over with another fold's weights
        self.register_buffer("margins_rad", margins, persistent=False)

    def with_margin(self, cosine: Tensor, labels: Tensor) -> Tensor:
        return arc_margin(cosine, labels, self.margins_rad)


class SphereFaceHead(MarginHead):
    """The true class's angle times a whole number, which grows in over the first steps (SphereFace).

    Early in training the cosine is mostly the plain one, see `sphere_ease`; from step 1660 on it stays a
    blend of `ease_min` parts of it and one part of the margin's.

    Args:
        in_features, num_outputs, bias, class_counts, scale: see CosineHead.
        factor: what the angle is multiplied by, a whole number >= 1.
        ease_min: weight of the plain cosine in the end, > 0; the smaller, the larger the margin.

    Raises:
        ValueError: a number out of range, or see CosineHead.

    Source: Liu et al. 2017, arXiv:1704.08063; Liu et al. 2016, arXiv:1612.02295.

    >>> head = SphereFaceHead(in_features=8, num_outputs=3)
    >>> head.set_moment(Moment(step=75, epoch=1.0, epochs=10))
    >>> head.ease
    tensor(100.)
    """

    ease: Tensor

    def __init__(
        self,
        in_features: int,
        num_outputs: int,
        bias: bool = True,
        class_counts: np.ndarray | None = None,
        scale: float = 30.0,
        factor: int = 4,
        ease_min: float = 5.0,
    ) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts, scale)
        self.factor = whole("model.head.factor", factor, 1, "4")
        self.ease_min = positive("model.head.ease_min", ease_min, "5")
        # a tensor, as torch.compile would compile anew for each value of a number
        self.register_buffer("ease", torch.tensor(sphere_ease(0, self.ease_min)), persistent=False)

    def set_moment(self, moment: Moment) -> None:
        """Lower the weight of the plain cosine; called before each step."""
        self.ease.fill_(sphere_ease(moment.step, self.ease_min))

    def with_margin(self, cosine: Tensor, labels: Tensor) -> Tensor:
        return sphere_margin(cosine, labels, self.factor, self.ease)


def radians(key: str, value: object, usual: str) -> float:
    """`value` as an angle from 0 to pi/2; `usual` names one that works."""
    expected = f"radians from 0 to {math.pi / 2:.2f} (degrees / 57.3), e.g. {key}={usual}"
    return require(key, value, lambda number: 0 <= number <= math.pi / 2, expected)
