"""What can still be predicted in the time that is left: forecast from the speed measured on this machine."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from compkit.bundle.recipe import Unit

MARGIN = 0.05  # share of the time that is kept back: machines slow down, and files must be written
CHECK_SECONDS = 10.0  # between looks at the clock


class Cost(NamedTuple):
    """What a unit takes.

    Attributes:
        fixed: seconds to load it.
        per_view: seconds for one view of all pictures.
        views: that it was made for.
    """

    fixed: float
    per_view: float
    views: int

    def seconds(self, views: int) -> float:
        """With so many views at most."""
        return self.fixed + self.per_view * min(views, self.views)


def views_that_fit(costs: Sequence[Cost], seconds: float, devices: int) -> int:
    """The most views with which all units are done in time; 1 where not even one view of each fits.

    >>> views_that_fit([Cost(1, 10, 4), Cost(1, 10, 4)], seconds=65, devices=1)
    3
    >>> views_that_fit([Cost(1, 10, 4), Cost(1, 10, 4)], seconds=5, devices=2)
    1
    """
    for views in range(max((cost.views for cost in costs), default=1), 1, -1):
        if sum(cost.seconds(views) for cost in costs) / devices <= seconds:
            return views
    return 1


class Budget:
    """The units still to do, handed out to devices in their order as long as they fit into the time.

    Safe to be used by several threads.

    Args:
        units: in the order of their worth.
        views: of each unit.
        max_seconds: from the start to the end of all work; None is no limit.
        started: time.monotonic() at the start.
        devices: that work at the same time.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        views: dict[Unit, int],
        max_seconds: float | None,
        started: float,
        devices: int,
    ) -> None:
        self.waiting, self.views, self.devices = list(units), views, devices
        self.deadline = None if max_seconds is None else started + max_seconds * (1 - MARGIN)
        self.costs: dict[str, Cost] = {}  # of one unit of each run whose speed is known
        self.write_seconds = 0.0  # to write a submission
        self._lock = threading.Lock()

    @property
    def seconds_left(self) -> float:
        """Until the deadline, less what writing takes; infinite without a limit."""
        return (
            float("inf") if self.deadline is None else self.deadline - time.monotonic() - self.write_seconds
        )

    def next_unit(self) -> Unit | None:
        """The best waiting unit that fits with one view; one of unknown speed fits while there is time at all."""
        with self._lock:
            for unit in self.waiting:
                cost = self._cost(unit)
                if self.seconds_left > (0.0 if cost is None else cost.seconds(1)):
                    self.waiting.remove(unit)
                    return unit
            return None

    def measured(self, unit: Unit, fixed: float, per_view: float) -> None:
        """Remember what a unit of this run takes."""
        with self._lock:
            self.costs[unit.run] = Cost(fixed, per_view, self.views[unit])

    def choose_views(self, unit: Unit) -> int:
        """How many views this unit gets, so that all that wait can have as many."""
        if self.deadline is None:
            return self.views[unit]
        with self._lock:
            costs = [cost for one in (unit, *self.waiting) if (cost := self._cost(one)) is not None]
            return min(self.views[unit], views_that_fit(costs, self.seconds_left, self.devices))

    def fits(self, unit: Unit, views: int) -> bool:
        """Whether a unit that is loaded can be done in time."""
        cost = self._cost(unit)
        return cost is None or cost.per_view * views <= self.seconds_left

    def _cost(self, unit: Unit) -> Cost | None:
        """Of a run of unknown speed, that of the slowest known; None while none is known."""
        if unit.run in self.costs:
            return self.costs[unit.run]._replace(views=self.views[unit])
        slowest = max(self.costs.values(), key=lambda cost: cost.per_view, default=None)
        return None if slowest is None else slowest._replace(views=self.views[unit])
