"""A bundle, checked and opened: its tree of runs, and the plans to predict with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compkit.build import load_plan
from compkit.bundle.level2 import SavedLevel2
from compkit.bundle.manifest import inside, read_manifest
from compkit.bundle.recipe import Blend, Node, Trained, Unit, node_of, trained_runs
from compkit.bundle.scrub import check_config, read_yaml
from compkit.engine import read_metadata
from compkit.postprocess import Learned, Postprocess
from compkit.run.plan import Plan
from compkit.run.trained_fold import weights_files
from compkit.types import Predictions, Task


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have all been found to be those that were put in.

    Attributes:
        root: its folder.
        tops: the runs that it was made of, by name.
        classes: names of the C outputs, in the order of everything that is predicted.
        task: what is predicted.
        plans: of each run with weights; its folder is the one with the weights.
        learned: what the post-processing has learned; None without one.
        about: what bundle.json says besides.
    """

    root: Path
    tops: dict[str, Node]
    classes: tuple[str, ...]
    task: Task
    plans: dict[str, Plan]
    learned: Learned | None
    about: dict[str, Any]

    @property
    def node(self) -> Node:
        """What is submitted: the only run, or the plain mean of several."""
        nodes = tuple(self.tops.values())
        weights = np.full(len(nodes), 1 / len(nodes))
        return nodes[0] if len(nodes) == 1 else Blend(nodes, "mean", weights, self.task == Task.MULTICLASS)

    @property
    def runs(self) -> dict[str, Trained]:
        """The runs with weights, by name."""
        return {run.name: run for run in trained_runs(self.node)}

    @property
    def plan(self) -> Plan:
        """The plan that says how a submission is written: that of the first run it was made of."""
        return self.plans[next(iter(self.tops))]

    def metadata(self, unit: Unit) -> dict[str, Any]:
        """What is stored with the weights of a unit."""
        return read_metadata(weights_files(self.plans[unit.run], unit.fold)[0])

    def prior(self) -> np.ndarray:
        """What to predict without looking, the mean over all units, float32 [C]."""
        units = [unit for run in self.runs.values() for unit in run.units]
        metadata = [self.metadata(unit) for unit in units]
        priors = [np.array(one["prior"])[self.columns(one["classes"])] for one in metadata]
        return np.mean(priors, axis=0).astype(np.float32)

    def columns(self, classes: list[str] | tuple[str, ...]) -> list[int]:
        """Where the bundle's classes stand among those of a run, [C]."""
        return [list(classes).index(name) for name in self.classes]

    def decide(self, values: Predictions) -> Predictions:
        """Predictions as they are submitted, after the post-processing if there is one."""
        method = self.plan.postprocess
        if self.learned is None or not isinstance(method, Postprocess):
            return values
        return Predictions(values.ids, method.apply(values.values, self.learned))


def open_bundle(root: Path, data: Path, changes: Mapping[str, Any] | None = None) -> Bundle:
    """Check every file of a bundle, and then read it.

    Args:
        root: the folder that scripts/bundle.py made.
        data: the competition's folder.
        changes: dotted keys of the runs' configs and their new values, such as {"num_workers": 0}.

    Raises:
        FileNotFoundError, ValueError: see read_manifest and check_config; a tree of runs that makes no sense.
    """
    about = read_manifest(root)
    files = set(about["files"])
    try:
        task = Task(about["task"])
        tops = {
            str(top["name"]): node_of(top["node"], lambda name: _level2(root, name, files, task))
            for top in about["runs"]
        }
        classes = tuple(map(str, about["classes"]))
        learned = None if about["learned"] is None else dict(about["learned"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{root}: bundle.json makes no sense ({why}). Make the bundle anew.") from error
    changes = {"competition.path": str(data), **(changes or {})}
    plans = {name: _plan(root, name, files, changes) for name in tops}
    for node in tops.values():
        for run in trained_runs(node):
            plan = plans.get(run.name) or _plan(root, run.name, files, changes)
            plans[run.name] = replace(plan, folder=root / "runs" / run.weights_of)
            for fold in run.folds:
                for path in weights_files(plans[run.name], fold):
                    _told(root, f"runs/{run.weights_of}/fold_{fold}/{path.name}", files)
    return Bundle(root, tops, classes, task, plans, learned, about)


def _plan(root: Path, name: str, files: set[str], changes: dict[str, Any]) -> Plan:
    """The plan of a run, from a config that can do nothing but describe predictions."""
    path = _told(root, f"runs/{name}/config.yaml", files)
    check_config(read_yaml(path), path)
    return load_plan(path.parent, changes=changes)


def _level2(root: Path, name: str, files: set[str], task: Task) -> dict[int, SavedLevel2]:
    """The level-2 models of a stack, from arrays of numbers."""
    path = _told(root, f"runs/{name}/level2.npz", files)
    found: dict[int, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            fold, _, rest = key.partition("/")
            found.setdefault(int(fold), {})[rest] = arrays[key]
    return {fold: SavedLevel2(one, task) for fold, one in found.items()}


def _told(root: Path, name: str, files: set[str]) -> Path:
    """A file whose hash was checked.

    Raises:
        ValueError: bundle.json does not tell of it.
    """
    if name not in files:
        raise ValueError(f"{root}: bundle.json names {name!r} but tells no hash of it. Make the bundle anew.")
    return inside(root, name)


def describe_bundle(bundle: Bundle) -> str:
    """What a bundle will predict with, for people."""
    runs = ", ".join(f"{run.name} x {len(run.folds)}" for run in bundle.runs.values())
    return (
        f"{json.dumps(bundle.about['competition'])}: {len(bundle.classes)} output(s), runs and folds: {runs}"
    )
