"""Schedules that rise again: several cosines in a row, and one cycle of rate and momentum."""

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any

from compkit.optim.schedule import Schedule
from compkit.ranges import above_zero_to_one, inside_zero_to_one, one_of, require, whole, zero_to_one


def cosine_between(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine, `done` of the way, 0-1.

    >>> cosine_between(1.0, 0.0, 0.5)
    0.5
    """
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


class CosineCycles(Schedule):
    """Several cosines in a row; the weights at the end of each are one member of an ensemble.

    Every cycle ends with a whole epoch, where the weights are evaluated (see `cycle_ended`): lengths are
    rounded to that.

    Args:
        cycles: how many, >= 1.
        min_factor: factor at the end of each, 0-1; with cycle_decay, of the cycle's own start.
        cycle_decay: each cycle starts at this factor of the one before, above 0 and at most 1.
        cycle_mult: each cycle is this many times as long as the one before, >= 1.

    Raises:
        ValueError: one of them is outside its range; `check`: two cycles would end with the same epoch.

    Source: Huang et al. 2017, arXiv:1704.00109, eq. 2; Loshchilov and Hutter 2017, arXiv:1608.03983, for
    growing cycles.

    >>> schedule = CosineCycles(cycles=2)
    >>> [round(schedule.factor(epoch, 8), 2) for epoch in (0, 2, 3.99, 4, 6, 8)]
    [1.0, 0.5, 0.0, 1.0, 0.5, 0.0]
    >>> schedule.ends(8), schedule.cycle_ended(4, 8)
    ([4, 8], 1)
    """

    def __init__(
        self,
        cycles: int = 2,
        min_factor: float = 0.0,
        cycle_decay: float = 1.0,
        cycle_mult: float = 1.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.cycles = whole("schedule.cycles", cycles, 1, "3")
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")
        self.cycle_decay = above_zero_to_one("schedule.cycle_decay", cycle_decay, "0.8")
        expected = "a number >= 1, e.g. schedule.cycle_mult=2"
        self.cycle_mult = require("schedule.cycle_mult", cycle_mult, lambda x: x >= 1, expected)

    def check(self, epochs: float) -> None:
        super().check(epochs)
        starts = [self.lead_epochs, *self.ends(epochs)]
        if any(end <= start for start, end in pairwise(starts)):
            raise ValueError(
                f"schedule.cycles: got {self.cycles} for the {epochs - self.lead_epochs:g} epochs after warm-up "
                "and hold; expected so few that each ends with a whole epoch of its own. Set e.g. "
                "schedule.cycles=2, a smaller schedule.cycle_mult, or more epochs."
            )

    def ends(self, epochs: float) -> list[int]:
        """After how many epochs of the run each cycle ends; the last one at the end of the run."""
        weights = [self.cycle_mult**cycle for cycle in range(self.cycles)]
        left = epochs - self.lead_epochs
        done = [sum(weights[: cycle + 1]) / sum(weights) for cycle in range(self.cycles)]
        return [math.floor(self.lead_epochs + left * share + 0.5 + 1e-9) for share in done]

    def decay(self, epoch: float, epochs: float) -> float:
        # the run's own clock minus the lead, as `factor` computes `epoch`: equal there is equal here
        ends = [end - self.lead_epochs for end in self.ends(epochs + self.lead_epochs)]
        cycle = min(bisect_right(ends, epoch), self.cycles - 1)
        start = ends[cycle - 1] if cycle else 0.0
        done = min((epoch - start) / (ends[cycle] - start), 1.0)
        return self.cycle_decay**cycle * cosine_between(1.0, self.min_factor, done)

    def cycle_ended(self, epoch: int, epochs: int) -> int | None:
        ends = self.ends(epochs)
        return ends.index(epoch) + 1 if epoch in ends else None


class OneCycle(Schedule):
    """One rise to the base rate and one long fall far below the start, momentum the other way round.

    Args:
        rise_share: share of the run until the peak, above 0 and below 1.
        start_factor: factor at the start, 0-1.
        end_factor: factor at the end, 0-1.
        shape: "cosine" or "linear", of both flanks.
        momentum_start: momentum at start and end, above 0 and below 1; None leaves the optimizer's alone.
        momentum_peak: momentum at the peak of the rate, below momentum_start.
        warmup_epochs, warmup_start_factor, hold_epochs: of `Schedule`; not needed, as the cycle rises itself.

    Raises:
        ValueError: one of them is outside its range.

    Source: Smith and Topin 2018, arXiv:1708.07120; Smith 2018, arXiv:1803.09820, for the momentum.

    >>> schedule = OneCycle(rise_share=0.5, start_factor=0.1, end_factor=0.0, shape="linear")
    >>> [schedule.factor(epoch, 10) for epoch in (0, 5, 7.5, 10)]
    [0.1, 1.0, 0.5, 0.0]
    >>> [round(schedule.momentum(epoch, 10), 2) for epoch in (0, 5, 10)]
    [0.95, 0.85, 0.95]
    """

    def __init__(
        self,
        rise_share: float = 0.3,
        start_factor: float = 0.04,
        end_factor: float = 4e-6,
        shape: str = "cosine",
        momentum_start: float | None = 0.95,
        momentum_peak: float = 0.85,
        warmup_epochs: float = 0.0,
        warmup_start_factor: float = 0.01,
        hold_epochs: float = 0.0,
    ) -> None:
        super().__init__(warmup_epochs, warmup_start_factor, hold_epochs, momentum_start)
        self.rise_share = inside_zero_to_one("schedule.rise_share", rise_share, "0.3")
        self.start_factor = zero_to_one("schedule.start_factor", start_factor, "0.04")
        self.end_factor = zero_to_one("schedule.end_factor", end_factor, "4e-6")
        self.shape = one_of("schedule.shape", shape, ("cosine", "linear"))
        self.momentum_peak = inside_zero_to_one("schedule.momentum_peak", momentum_peak, "0.85")

    def between(self, values: tuple[float, float, float], epoch: float, epochs: float) -> float:
        """The value at start, peak and end, with the flanks between them."""
        start, peak, end = values
        done = epoch / epochs
        if done < self.rise_share:
            done, ends = done / self.rise_share, (start, peak)
        else:
            done, ends = (done - self.rise_share) / (1 - self.rise_share), (peak, end)
        if self.shape == "cosine":
            return cosine_between(*ends, done)
        return ends[0] + (ends[1] - ends[0]) * done

    def decay(self, epoch: float, epochs: float) -> float:
        return self.between((self.start_factor, 1.0, self.end_factor), epoch, epochs)

    def momentum(self, epoch: float, epochs: float) -> float | None:
        if self.momentum_start is None:
            return None
        since = max(epoch - self.lead_epochs, 0.0)
        values = (self.momentum_start, self.momentum_peak, self.momentum_start)
        return self.between(values, since, epochs - self.lead_epochs)
