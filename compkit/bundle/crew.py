"""The workers of a prediction, one a device: each takes unit after unit."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compkit.bundle.budget import CHECK_SECONDS, Budget
from compkit.bundle.opened import Bundle
from compkit.bundle.pictures import Pictures
from compkit.bundle.recipe import Unit
from compkit.bundle.running import Running
from compkit.data import Loader
from compkit.engine import Console, Ranks, choose_workers
from compkit.inference import InferenceSettings
from compkit.run.assemble import make_loader
from compkit.run.plan import Plan
from compkit.run.predict_table import CHUNK, predict_rows
from compkit.run.trained_fold import TrainedFold, load_fold

PROBE_SECONDS = 1.0  # a trial of the speed that takes so long is long enough


class Crew:
    """What the workers share; each takes the next unit, predicts it and writes the submission anew.

    Args:
        bundle: the runs.
        running: the submission.
        budget: the units that are still to do.
        pictures: the test rows.
        console: told of all that happens.
    """

    def __init__(
        self, bundle: Bundle, running: Running, budget: Budget, pictures: Pictures, console: Console
    ) -> None:
        self.bundle, self.running, self.budget = bundle, running, budget
        self.pictures, self.console = pictures, console
        self.seen: dict[Unit, dict[str, Any]] = {}  # how each unit was predicted
        self.partial: Unit | None = None  # in running.found without all of its pictures
        self.batch_size: dict[str, int] = {}  # that fits into the memory, where the run's own does not
        self.lock = threading.Lock()

    def work_on(self, places: Sequence[torch.device]) -> None:
        """One worker a device, in threads of their own; the first error of any of them is raised at the end."""
        errors: list[BaseException] = []

        def work(device: torch.device) -> None:
            try:
                self.work(device)
            except BaseException as error:  # of whatever kind: a thread's own would be lost
                errors.append(error)
                self.budget.waiting.clear()

        threads = [threading.Thread(target=work, args=(device,)) for device in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def work(self, device: torch.device) -> None:
        """Predict unit after unit on one device, until none is left that fits into the time."""
        while (unit := self.budget.next_unit()) is not None:
            start = time.monotonic()
            plan = self._plan_of(unit)
            trained = load_fold(plan, unit.fold, Ranks(device=device))
            loader = make_loader(
                plan,
                self.pictures.table(unit.run),
                trained.preprocessing,
                Ranks(device=device),
                augment=False,
            )
            self._measure(unit, plan, trained, loader, device, time.monotonic() - start)
            views = self.budget.choose_views(unit)
            if self.running.found and not self.budget.fits(unit, views):
                self.console.warn(f"{unit.run} fold {unit.fold}: left out, the time is too short for it")
                continue
            self._predict(unit, plan, with_views(trained, views), loader, device)

    def _plan_of(self, unit: Unit) -> Plan:
        """The plan of a unit, whose loading processes are its device's share of them."""
        plan = self.bundle.plans[unit.run]
        workers = choose_workers(plan.num_workers, self.budget.devices, torch.device("cpu"))
        return replace(plan, num_workers=workers)

    def _measure(
        self,
        unit: Unit,
        plan: Plan,
        trained: TrainedFold,
        loader: Loader,
        device: torch.device,
        loading: float,
    ) -> None:
        """Find out how fast a run is on this machine, from its first pictures, if time matters."""
        if self.budget.deadline is None or unit.run in self.budget.costs:
            return
        one, batch = with_views(trained, 1), int(trained.settings.batch_size)
        size, seconds = 1, 0.0
        while size < 2 * batch and seconds < PROBE_SECONDS:  # the first ones warm up, the last one counts
            rows = self.pictures.readable(unit.run, np.arange(size))
            start = time.monotonic()
            self._say(unit, plan, rows, one, loader, device)
            seconds, size = time.monotonic() - start, 2 * size
        seconds *= len(self.pictures.table(unit.run)) / max(len(rows), 1)
        self.budget.measured(unit, loading, seconds)
        speed = len(self.pictures.table(unit.run)) / max(seconds, 1e-9)
        self.console.say(
            f"{unit.run}: {speed:.0f} images/s with one view, so {seconds:.0f} s a fold; "
            f"{self.budget.seconds_left:.0f} s are left"
        )

    def _predict(
        self, unit: Unit, plan: Plan, trained: TrainedFold, loader: Loader, device: torch.device
    ) -> None:
        """Predict all pictures, as far as time allows, and write the submission anew."""
        table, start = self.pictures.table(unit.run), time.monotonic()
        columns = self.bundle.columns(trained.classes)
        values = np.tile(trained.prior[columns], (len(table), 1))
        done = 0
        views = len(trained.settings.ordered_views)
        for rows in self._chunks(len(table), unit, views):
            readable = self.pictures.readable(unit.run, rows)
            values[readable] = self._say(unit, plan, readable, trained, loader, device)[:, columns]
            done += len(rows)
        seconds = time.monotonic() - start
        with self.lock:
            if done == len(table) and self.partial is not None:
                del self.running.found[self.partial]
                self.partial = None
            if done == len(table) or (done and not self.running.found):
                self.partial = None if done == len(table) else unit
                self.running.found[unit] = values
                self.budget.write_seconds = 2 * self.running.write()
            self.seen[unit] = {"pictures": done, "views": views, "seconds": seconds, "device": str(device)}
        self.console.say(
            f"{unit.run} fold {unit.fold}: {done} of {len(table)} pictures x {views} view(s) on {device}, "
            f"{done / max(seconds, 1e-9):.0f} images/s" + ("" if done == len(table) else "; the time is over")
        )

    def _say(
        self,
        unit: Unit,
        plan: Plan,
        rows: np.ndarray,
        trained: TrainedFold,
        loader: Loader,
        device: torch.device,
    ) -> np.ndarray:
        """What a fold says of some rows, [n, C]; in smaller batches where the memory is too small for the run's own."""
        size = self.batch_size.get(unit.run, int(trained.settings.batch_size))
        trained = replace(trained, settings=replace(trained.settings, batch_size=size))
        try:
            table = self.pictures.table(unit.run)
            return predict_rows(plan, table, rows, trained, Ranks(device=device), loader).values
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        self.console.warn(
            f"{unit.run}: {size} images do not fit into the memory of {device}; trying {size // 2}"
        )
        self.batch_size[unit.run] = size // 2
        return self._say(unit, plan, rows, trained, loader, device)

    def _chunks(self, count: int, unit: Unit, views: int) -> Iterator[np.ndarray]:
        """Rows in parts, until there is no time for another."""
        size, per_row = CHUNK, 0.0
        if self.budget.deadline is not None:
            per_row = self.budget.costs[unit.run].per_view * views / count
            size = int(np.clip(CHECK_SECONDS / max(per_row, 1e-9), 1, CHUNK))
        for start in range(0, count, size):
            rows = np.arange(start, min(start + size, count))
            if self.budget.seconds_left < len(rows) * per_row:
                return
            yield rows


def with_views(trained: TrainedFold, views: int) -> TrainedFold:
    """The same fold with so many of its views: the picture as it is first, then those that weigh most."""
    settings: InferenceSettings = trained.settings
    if views >= len(settings.ordered_views):
        return trained
    plain = InferenceSettings().ordered_views[0][1]
    order = sorted(settings.ordered_views, key=lambda named: (named[1] != plain, -named[1].weight))
    return replace(trained, settings=replace(settings, views=dict(order[:views])))
