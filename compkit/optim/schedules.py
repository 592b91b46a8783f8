"""Schedules that only fall: constant, cosine, step, list of steps, exponential, 1/t, polynomial."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from compkit.optim.schedule import Schedule
from compkit.ranges import above_zero_to_one, not_negative, positive, require, zero_to_one

# 4.1 - 1.1 is 2.9999999999999996: a drop must not come a step late for that
ROUNDING = 1e-9


class Constant(Schedule):
    """The base rate all along, after warm-up.

    >>> Constant().factor(3, 10)
    1.0
    """

    def decay(self, epoch: float, epochs: float) -> float:
        return 1.0


class Cosine(Schedule):
    """Half a cosine from the base rate down to `min_factor` of it at the very end.

    factor = min + (1 - min) * (1 + cos(pi * epoch / epochs)) / 2

    Args:
        min_factor: factor at the end, 0-1.

    Raises:
        ValueError: min_factor outside [0, 1].

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5, one cycle.

    >>> [round(Cosine(min_factor=0.1).factor(epoch, 10), 2) for epoch in (0, 5, 10)]
    [1.0, 0.55, 0.1]
    """

    def __init__(self, min_factor: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")

    def decay(self, epoch: float, epochs: float) -> float:
        return self.min_factor + (1 - self.min_factor) * (1 + math.cos(math.pi * epoch / epochs)) / 2


class Step(Schedule):
    """The rate times `gamma` after every `step_epochs` epochs.

    Args:
        step_epochs: epochs between two drops, > 0.
        gamma: factor of a drop, 0-1.

    Raises:
        ValueError: step_epochs not positive, or gamma outside [0, 1].

    >>> [Step(step_epochs=4, gamma=0.5).factor(epoch, 12) for epoch in (0, 3.9, 4, 8)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, step_epochs: float, gamma: float = 0.1, **common: Any) -> None:
        super().__init__(**common)
        self.step_epochs = positive("schedule.step_epochs", step_epochs, "4")
        self.gamma = zero_to_one("schedule.gamma", gamma, "0.1")

    def decay(self, epoch: float, epochs: float) -> float:
        return self.gamma ** math.floor(epoch / self.step_epochs + ROUNDING)


class MultiStep(Schedule):
    """A list of rates, one after the other, each from its own point of the run on.

    The points are shares of the epochs after warm-up and hold, not epochs, so that they follow when the
    run's length changes.

    Args:
        at_shares: where each drop comes, above 0 and below 1, growing.
        factors: factor of the base rate (not of the rate before) from there on, as many, each >= 0.

    Raises:
        ValueError: the two lists differ in length or are empty, a share is out of range or order, or a
            factor is negative.

    >>> schedule = MultiStep(at_shares=[0.5, 0.75], factors=[0.2, 0.02])
    >>> [schedule.factor(epoch, 20) for epoch in (0, 9.9, 10, 15)]
    [1.0, 1.0, 0.2, 0.02]
    """

    def __init__(self, at_shares: Sequence[float], factors: Sequence[float], **common: Any) -> None:
        super().__init__(**common)
        if len(at_shares) != len(factors) or not factors:
            raise ValueError(
                f"schedule.factors: got {list(factors)} for schedule.at_shares={list(at_shares)}; expected "
                "one factor for each share, e.g. schedule.at_shares=[0.5,0.75] schedule.factors=[0.1,0.01]."
            )
        expected = "shares of the run > 0 and < 1, each above the one before, e.g. [0.5,0.75,0.9]"
        self.at_shares = [
            require("schedule.at_shares", share, lambda number: 0 < number < 1, expected)
            for share in at_shares
        ]
        if any(later <= earlier for earlier, later in pairwise(self.at_shares)):
            raise ValueError(f"schedule.at_shares: got {list(at_shares)}; expected {expected}.")
        self.factors = [not_negative("schedule.factors", factor, "[0.1,0.01]") for factor in factors]

    def decay(self, epoch: float, epochs: float) -> float:
        drops = bisect_right(self.at_shares, epoch / epochs + ROUNDING)
        return self.factors[drops - 1] if drops else 1.0


class Exponential(Schedule):
    """The rate times `gamma` every epoch, smoothly: factor = max(gamma^epoch, min).

    Args:
        gamma: factor of one epoch, above 0 and at most 1.
        min_factor: the factor never falls below it, 0-1.

    Raises:
        ValueError: one of them is outside its range.

    >>> [Exponential(gamma=0.5, min_factor=0.2).factor(epoch, 10) for epoch in (0, 1, 2, 9)]
    [1.0, 0.5, 0.25, 0.2]
    """

    def __init__(self, gamma: float = 0.8, min_factor: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.gamma = above_zero_to_one("schedule.gamma", gamma, "0.8")
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")

    def decay(self, epoch: float, epochs: float) -> float:
        return max(self.gamma**epoch, self.min_factor)


class InverseTime(Schedule):
    """The rate falls like one over time: factor = max(1 / (1 + k * epoch), min).

    Args:
        k: how fast, per epoch, >= 0: after 1/k epochs the rate has halved.
        min_factor: the factor never falls below it, 0-1.

    Raises:
        ValueError: one of them is outside its range.

    Source: Robbins and Monro 1951 for steps that shrink like 1/t.

    >>> [InverseTime(k=0.5).factor(epoch, 10) for epoch in (0, 2, 6)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, k: float = 1.0, min_factor: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.k = not_negative("schedule.k", k, "1")
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")

    def decay(self, epoch: float, epochs: float) -> float:
        return max(1 / (1 + self.k * epoch), self.min_factor)


class Polynomial(Schedule):
    """A power of the share that is left: factor = min + (1 - min) * (1 - epoch / epochs)^power.

    Args:
        power: 1 is a straight line, > 1 falls fast first and flat at the end; > 0.
        min_factor: factor at the end, 0-1.

    Raises:
        ValueError: one of them is outside its range.

    Source: Chen et al. 2017, arXiv:1606.00915, section 4.1.1 ("poly", power 0.9).

    >>> [Polynomial(power=2).factor(epoch, 10) for epoch in (0, 5, 10)]
    [1.0, 0.25, 0.0]
    """

    def __init__(self, power: float = 0.9, min_factor: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.power = positive("schedule.power", power, "0.9")
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")

    def decay(self, epoch: float, epochs: float) -> float:
        return self.min_factor + (1 - self.min_factor) * (1 - epoch / epochs) ** self.power
