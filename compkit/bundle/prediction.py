"""From a bundle and a competition's folder to a submission: early, in time, on all devices."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from compkit.bundle.budget import Budget
from compkit.bundle.crew import Crew
from compkit.bundle.opened import describe_bundle, open_bundle
from compkit.bundle.order import order_units
from compkit.bundle.pictures import Pictures
from compkit.bundle.running import Running
from compkit.engine import Console, choose_device, choose_threads
from compkit.files import write_text
from compkit.ranges import positive
from compkit.run.folder import json_text


def predict(
    bundle: str | Path,
    data: str | Path,
    output: str | Path,
    max_minutes: float | None = None,
    devices: Sequence[str] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Predict a competition's test set with a bundle; a valid submission is there from the start on.

    It holds the training prior first, and after each fold what is known then. With too little time for all, it is
    made with fewer views of each picture, then with fewer folds, those left out first that matter least.

    Args:
        bundle: the folder that scripts/bundle.py made.
        data: the competition's folder, as it is on this machine; how many rows it has is looked up here.
        output: where submission.csv, predictions/<run>.parquet and prediction.json are written.
        max_minutes: for everything, from now on; None is no limit.
        devices: such as ["cuda:0", "cuda:1"]; None is all GPUs, else the CPU. Each predicts other folds.
        changes: dotted keys of the runs' configs and their new values, such as {"num_workers": 0}.

    Returns:
        the path of submission.csv.

    Raises:
        FileNotFoundError, ValueError: a bundle that was changed, or data that is not this competition's.
    """
    started = time.monotonic()
    seconds = None if max_minutes is None else positive("max_minutes", max_minutes, "480") * 60
    opened = open_bundle(Path(bundle), Path(data), changes)
    with Console() as console:
        running = Running(opened, Path(output), console)
        places = _devices(devices)
        torch.set_num_threads(choose_threads(opened.plan.trainer.threads, 1))
        units = order_units(opened.node)
        views = {unit: len(opened.plans[unit.run].inference.ordered_views) for unit in units}
        budget = Budget(units, views, seconds, started, len(places))
        budget.write_seconds = 2 * running.write()
        console.say(
            f"{describe_bundle(opened)}\n{running.path}: the training prior for {len(running.ids)} ids"
        )
        pictures = Pictures({name: opened.plans[name] for name in opened.runs}, console)
        running.table = pictures.table(units[0].run)
        running.say_strangers()
        crew = Crew(opened, running, budget, pictures, console)
        crew.work_on(places)
        running.write_predictions()
        write_text(running.output / "prediction.json", json_text(_record(crew, started)))
        console.say(
            f"{running.path}: {len(running.found)} of {len(units)} folds, {time.monotonic() - started:.0f} s"
        )
    return running.path


def _devices(names: Sequence[str] | None) -> list[torch.device]:
    """All GPUs, else the CPU, or those of these names."""
    if names is None:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        names = [f"cuda:{number}" for number in range(count)] or ["cpu"]
    return [choose_device(name) for name in names]


def _record(crew: Crew, started: float) -> dict[str, Any]:
    """What prediction.json holds."""
    found = sorted(crew.running.found)
    return {
        "ids": len(crew.running.ids),
        "folds": {f"{unit.run}/fold_{unit.fold}": crew.seen[unit] for unit in found},
        "left_out": [f"{unit.run}/fold_{unit.fold}" for unit in sorted(set(crew.budget.views) - set(found))],
        "unreadable": sorted(crew.pictures.unreadable),
        "seconds": time.monotonic() - started,
    }
