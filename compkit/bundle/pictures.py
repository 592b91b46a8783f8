"""The test pictures as each run sees them, and which of them cannot be read."""

import json
import threading
from collections.abc import Mapping

import numpy as np

from compkit.data import find_bad_images
from compkit.engine import Console, cpu_cores
from compkit.run.plan import Plan
from compkit.run.prepare import list_bad
from compkit.types import Table

UNKNOWN, GOOD, BAD = 0, 1, 2


class Pictures:
    """Tables of test rows, read once for all runs that read them alike; each picture is tried out once.

    Args:
        plans: of the runs, by name.
        console: told of pictures that cannot be read.

    Raises:
        ValueError: runs whose tables name other rows.
    """

    def __init__(self, plans: Mapping[str, Plan], console: Console) -> None:
        self.plans, self.console = plans, console
        self._key = {
            name: json.dumps(plan.config["competition"], sort_keys=True) for name, plan in plans.items()
        }
        self._tables: dict[str, Table] = {}
        self._state: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()
        self.unreadable: list[str] = []
        for name in plans:
            self._read(name)
        first = self.table(next(iter(plans)))
        for name in plans:
            if not np.array_equal(self.table(name).ids, first.ids):
                raise ValueError(
                    f"{name}: its config names other test rows than the first run's. Bundle it alone."
                )

    def table(self, run: str) -> Table:
        """The test rows of a run."""
        return self._tables[self._key[run]]

    def readable(self, run: str, rows: np.ndarray) -> np.ndarray:
        """Those of these rows whose picture can be read; rows beyond the table are left out."""
        table, key, plan = self.table(run), self._key[run], self.plans[run]
        rows = rows[rows < len(table)]
        with self._lock:
            state = self._state[key]
            unknown = rows[state[rows] == UNKNOWN]
            if len(unknown):
                competition = plan.competition
                threads = cpu_cores()
                bad = find_bad_images(
                    table.take(unknown), competition.channels, competition.max_value, threads
                )
                is_bad = np.isin(table.ids[unknown], [image.id for image in bad])
                state[unknown] = np.where(is_bad, BAD, GOOD)
                if bad:
                    self.unreadable += [image.id for image in bad if image.id not in self.unreadable]
                    told = f"{len(bad)} test picture(s) cannot be read and get the training prior"
                    self.console.warn(f"{told}:\n{list_bad(bad)}")
        return rows[state[rows] == GOOD]

    def _read(self, run: str) -> None:
        key = self._key[run]
        if key not in self._tables:
            table = self.plans[run].competition.read_test()
            self._tables[key], self._state[key] = table, np.zeros(len(table), dtype=np.int8)
