"""Crops and flips that keep the picture's size, whatever it is: under `scale=multi` it changes between batches."""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import albumentations as A
import cv2
import numpy as np

from compkit.ranges import interval


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


WHOLE = Box(0, 0, 2**31, 2**31)


class ResizedCrop(A.ImageOnlyTransform):
    """A random part of the picture, enlarged to the size of the whole.

    Args:
        scale: [smallest, largest] share of the picture's area.
        ratio: [smallest, largest] width / height of the part, relative to the picture's own.
        p: share of pictures it is applied to.

    Raises:
        ValueError: a range that is none, or lies outside its bounds.

    Source: Szegedy et al. 2015, arXiv:1409.4842, section 6.
    """

    def __init__(
        self, scale: Sequence[float] = (0.35, 1), ratio: Sequence[float] = (0.75, 4 / 3), p: float = 1.0
    ):
        super().__init__(p=p)
        self.scale = interval("augment.crop.scale", scale, 0.01, 1)
        self.ratio = interval("augment.crop.ratio", ratio, 0.1, 10)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Called by albumentations, once a picture."""
        height, width = params["shape"][:2]
        return {"box": draw_box(height, width, self.scale, self.ratio, self.py_random)}

    def apply(self, img: np.ndarray, box: Box = WHOLE, **params: Any) -> np.ndarray:
        """Called by albumentations: uint8 or float32 [H, W, C] to the same."""
        height, width, channels = img.shape
        part = img[box.top : box.top + box.height, box.left : box.left + box.width]
        larger = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return larger.reshape(height, width, channels)


def draw_box(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float], rng: random.Random
) -> Box:
    """A part of a picture of `height` x `width`: its area's share uniform, its ratio log-uniform.

    A part that would stick out is drawn again, ten times; then the largest with that ratio that fits is taken.
    """
    for _ in range(10):
        share, stretch = rng.uniform(*scale), math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        part_height = round(height * math.sqrt(share / stretch))
        part_width = round(width * math.sqrt(share * stretch))
        if 0 < part_height <= height and 0 < part_width <= width:
            break
    else:
        part_height = max(1, round(height * min(1.0, 1 / stretch)))
        part_width = max(1, round(width * min(1.0, stretch)))
    top, left = rng.randint(0, height - part_height), rng.randint(0, width - part_width)
    return Box(top, left, part_height, part_width)


class Symmetry(A.ImageOnlyTransform):
    """A random symmetry of the square: quarter turns and mirror images, all eight equally often.

    A picture that is no square keeps its size, so it gets the four of the rectangle: no turn by 90 degrees.

    Args:
        p: share of pictures it is applied to.
    """

    def __init__(self, p: float = 1.0):
        super().__init__(p=p)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Called by albumentations, once a picture."""
        height, width = params["shape"][:2]
        turns = self.py_random.choice((0, 1, 2, 3) if height == width else (0, 2))
        return {"turns": turns, "mirror": self.py_random.choice((False, True))}

    def apply(self, img: np.ndarray, turns: int = 0, mirror: bool = False, **params: Any) -> np.ndarray:
        """Called by albumentations: uint8 or float32 [H, W, C] to the same."""
        turned = np.rot90(img, turns)
        return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)
