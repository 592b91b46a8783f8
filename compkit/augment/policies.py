"""Policies: which operations a picture goes through, and how far. Each is one albumentations transform.

Everything random comes from the transform's own generator, so that the seed that travels with a draw decides it.
A picture keeps its size, dtype and channels.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import albumentations as A
import numpy as np

from compkit.augment.operations import (
    DRAWN,
    NOTHING,
    OPERATIONS,
    Extent,
    Step,
    apply_step,
    check_names,
    extents,
    paper_extents,
    possible,
    wide_extents,
)
from compkit.augment.tables import POLICIES
from compkit.ranges import interval, one_of, require, whole, zero_to_one

GREY = 0.5  # what comes in from outside in the papers


class Policy(A.ImageOnlyTransform):
    """Draws steps and applies them one after another.

    Args:
        fill: value of what comes in from outside the picture, as a share of white.
        leave_out: operations never done.
        p: share of pictures the policy is applied to.

    Attributes:
        extents: how far operations go, a function of height and width in pixels.
    """

    extents: Callable[[int, int], dict[str, Extent]]

    def __init__(self, fill: float = GREY, leave_out: Sequence[str] = (), p: float = 1.0):
        super().__init__(p=p)
        self.fill = zero_to_one("augment.policy.fill", fill, "0.5")
        self.leave_out = check_names("augment.policy.leave_out", leave_out)

    def draw(self, channels: int) -> list[Step]:
        """The steps of one picture."""
        raise NotImplementedError

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Called by albumentations, once a picture."""
        return {"steps": self.draw(channels=params["shape"][2])}

    def apply(self, img: np.ndarray, steps: Sequence[Step] = (), **params: Any) -> np.ndarray:
        """Called by albumentations: uint8 or float32 [H, W, C] to the same."""
        ranges = self.extents(*img.shape[:2])
        for step in steps:
            img = apply_step(img, step, ranges.get(step.name, NOTHING), self.fill)
        return img


class AutoAugment(Policy):
    """One of 25 pairs of operations that a search found best on a well-known data set.

    A level may weaken or strengthen a colour, and posterizes and solarizes the more the higher it is.
    An operation that a picture's channels rule out, or that is left out, is skipped.

    Args:
        policy: imagenet, cifar10 or svhn.
        fill, leave_out, p: see Policy.

    Raises:
        ValueError: no such policy.

    Source: Cubuk et al. 2019, arXiv:1805.09501.
    """

    extents = staticmethod(paper_extents)

    def __init__(
        self, policy: str = "imagenet", fill: float = GREY, leave_out: Sequence[str] = (), p: float = 1.0
    ):
        super().__init__(fill, leave_out, p)
        self.names = [name for name in OPERATIONS if name not in leave_out]
        self.policy = one_of("augment.policy.policy", policy, tuple(POLICIES))

    def draw(self, channels: int) -> list[Step]:
        pair = self.py_random.choice(POLICIES[self.policy])
        done = [(name, strength) for name, p, strength in pair if self.py_random.random() < p]
        allowed = set(possible(self.names, channels))
        return [draw_step(name, strength, self.py_random) for name, strength in done if name in allowed]


class RandAugment(Policy):
    """A few operations drawn at random, all at the same strength.

    Args:
        num_operations: N, how many follow each other; drawn with repetition.
        magnitude: M from 0 (no change) to 10 (AutoAugment's furthest).
        fill, leave_out, p: see Policy.

    Raises:
        ValueError: an argument outside its range, or every operation left out.

    Source: Cubuk et al. 2020, arXiv:1909.13719.
    """

    extents = staticmethod(extents)

    def __init__(
        self,
        num_operations: int = 2,
        magnitude: float = 9,
        fill: float = GREY,
        leave_out: Sequence[str] = (),
        p: float = 1.0,
    ):
        super().__init__(fill, leave_out, p)
        self.num_operations = whole("augment.policy.num_operations", num_operations, 1, "2")
        self.magnitude = require(
            "augment.policy.magnitude",
            magnitude,
            lambda number: 0 <= number <= 10,
            "a number >= 0 and <= 10, e.g. augment.policy.magnitude=9",
        )
        self.names = remaining(leave_out)

    def draw(self, channels: int) -> list[Step]:
        names = self.py_random.choices(possible(self.names, channels), k=self.num_operations)
        return [draw_step(name, self.magnitude / 10, self.py_random) for name in names]


class TrivialAugment(Policy):
    """One operation drawn at random, at a random one of 31 strengths: nothing to tune.

    Args:
        fill, leave_out, p: see Policy.

    Raises:
        ValueError: every operation left out.

    Source: Müller and Hutter 2021, arXiv:2103.10158, the "wide" space.
    """

    extents = staticmethod(wide_extents)

    def __init__(self, fill: float = GREY, leave_out: Sequence[str] = (), p: float = 1.0):
        super().__init__(fill, leave_out, p)
        self.names = remaining(leave_out)

    def draw(self, channels: int) -> list[Step]:
        name = self.py_random.choice(possible(self.names, channels))
        return [draw_step(name, self.py_random.randint(0, 30) / 30, self.py_random)]


class Operation(Policy):
    """One operation by its name; a policy of your own, or one that was searched, is a list of these.

    Args:
        name: such as Rotate; one of `compkit.augment.OPERATIONS`.
        strength: [smallest, largest] share of AutoAugment's furthest, drawn for each picture.
        fill, p: see Policy.

    Raises:
        ValueError: no such operation, or a strength outside 0 to 1.

    >>> double = Operation("Invert", p=1.0)
    >>> double(image=np.zeros((1, 1, 1), np.uint8))["image"]
    array([[[255]]], dtype=uint8)
    """

    extents = staticmethod(extents)

    def __init__(self, name: str, strength: Sequence[float] = (0, 1), fill: float = GREY, p: float = 0.5):
        super().__init__(fill, p=p)
        self.name = check_names("augment: an Operation's name", [name])[0]
        self.strength = interval(f"augment: strength of {name}", strength, 0, 1)

    def draw(self, channels: int) -> list[Step]:
        strength = self.py_random.uniform(*self.strength)
        return [draw_step(name, strength, self.py_random) for name in possible([self.name], channels)]


def draw_step(name: str, strength: float, rng: random.Random) -> Step:
    """The operation with its sign and place drawn."""
    return Step(name, strength, rng.choice((-1, 1)), (rng.random(), rng.random()))


def remaining(leave_out: Sequence[str]) -> list[str]:
    """What is drawn from, without what is left out.

    Raises:
        ValueError: only Color remains, or nothing: a grey picture would have no operation.
    """
    names = [name for name in DRAWN if name not in leave_out]
    if not possible(names, channels=1):
        raise ValueError(
            f"augment.policy.leave_out={list(leave_out)} leaves nothing to draw from. Leave fewer out."
        )
    return names
