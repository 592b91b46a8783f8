"""From run folders to the tree that a bundle predicts with, and what has to be copied for it."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from compkit.build import build, load_plan
from compkit.bundle.level2 import SavedLevel2, fit_level2, level2_arrays
from compkit.bundle.recipe import NAME, Blend, Node, Stack, Trained
from compkit.bundle.scrub import check_target, read_yaml, scrub
from compkit.bundle.sources import find_run, read_cv, read_json
from compkit.bundle.weights import copy_weights
from compkit.competition.table import first_few
from compkit.engine import read_metadata
from compkit.ensemble import Aligned, align, read_members
from compkit.files import atomic_path, write_text
from compkit.inference import ViewSearch
from compkit.postprocess import Learned, Postprocess
from compkit.run.plan import Plan
from compkit.run.trained_fold import trained_folds, weights_files
from compkit.types import Task

TOLERANCE = 1e-6  # between a stack's test predictions and those of its level-2 models fitted again


@dataclass
class Collector:
    """Reads runs and writes what prediction needs of them into a folder.

    Attributes:
        root: where runs/<name>/ are written.
        classes: names of the outputs, those of the first weights.
        task: of the competition; None before the first weights.
        plans: by name, of what was written.
    """

    root: Path
    classes: tuple[str, ...] = ()
    task: Task | None = None
    plans: dict[str, Plan] = field(default_factory=dict)
    _names: dict[Path, str] = field(default_factory=dict)

    def name(self, run: Path) -> str:
        """What a run is called in the bundle: as its folder, unless that is taken or tells who you are."""
        place = run.resolve()
        if place not in self._names:
            user = getpass.getuser().lower()
            tells = user != "root" and user in place.name.lower()
            stem = place.name if NAME.fullmatch(place.name) and not tells else "run"
            number, name = 1, stem
            while name in self._names.values():
                number += 1
                name = f"{stem}_{number}"
            self._names[place] = name
        return self._names[place]

    def plan(self, run: Path) -> Plan:
        """The plan of a run from its config as it goes into the bundle, which is written there."""
        name = self.name(run)
        if name not in self.plans:
            path = run / "config.yaml"
            config = _with_found_views(read_yaml(path), run)
            text = yaml.safe_dump(scrub(config, name, path), sort_keys=False, allow_unicode=True)
            write_text(self.root / "runs" / name / "config.yaml", text)
            changes = {"competition.path": str(config["competition"]["path"])}
            self.plans[name] = replace(load_plan(self.root / "runs" / name, changes=changes), folder=run)
        return self.plans[name]

    def node(self, run: Path, above: Sequence[Path] = ()) -> Node:
        """The tree of a run; everything below it is written.

        Raises:
            FileNotFoundError: a run, or one that it is made of, is not there.
            ValueError: one that cannot be bundled, by its name.
        """
        if run.resolve() in above:
            raise ValueError(f"{run}: is made of itself, by its config.yaml. Restore that file.")
        made = read_yaml(run / "config.yaml").get("made") or {}
        above = (*above, run.resolve())
        if made.get("by") == "postprocess":
            return self.node(find_run(made["runs"][0], run), above)
        if made.get("by") == "ensemble":
            return self._blend(run, made, above)
        if made.get("by") == "stack":
            return self._stack(run, made, above)
        weights = find_run(made["runs"][0], run) if made.get("by") == "predict" else run
        return self._trained(run, weights)

    def learned(self, run: Path) -> Learned | None:
        """What the post-processing of a run has learned.

        Raises:
            ValueError: it has one that learned nothing, as the run has not come to its end.
        """
        method, path = self.plan(run).postprocess, run / "postprocess.json"
        if not isinstance(method, Postprocess):
            return None
        if path.is_file():
            return read_json(path)["learned"]
        if (run / "oof.parquet").is_file():
            raise ValueError(
                f"{run}: has postprocess={method.name} but no postprocess.json. Finish the run with resume=true, or "
                f"make one without: scripts/postprocess.py run={run} postprocess=none."
            )
        return None  # trained on all rows: there was nothing to learn it on, and its submission is without

    def _trained(self, run: Path, weights: Path) -> Trained:
        plan = replace(self.plan(run), folder=weights)
        folds = trained_folds(plan)
        target = self.root / "runs" / self.name(weights)
        for fold in folds:
            for path in weights_files(plan, fold):
                self._same_outputs(path)
                if not (target / f"fold_{fold}" / path.name).is_file():
                    copy_weights(path, target / f"fold_{fold}" / path.name)
        score, of_folds = read_cv(run, plan)
        fold_scores = tuple(of_folds[fold] for fold in folds) if set(folds) <= set(of_folds) else ()
        return Trained(self.name(run), self.name(weights), tuple(folds), fold_scores, score)

    def _same_outputs(self, path: Path) -> None:
        """Weights of the same task and classes as the first ones."""
        metadata = read_metadata(path)
        self.classes, self.task = (
            self.classes or tuple(metadata["classes"]),
            self.task or Task(metadata["task"]),
        )
        if set(metadata["classes"]) != set(self.classes) or metadata["task"] != self.task:
            raise ValueError(
                f"{path}: predicts {metadata['task']} of {first_few(metadata['classes'])}, the first run {self.task} "
                f"of {first_few(self.classes)}; expected runs of one competition. Bundle them apart."
            )

    def _blend(self, run: Path, made: dict[str, Any], above: Sequence[Path]) -> Blend:
        metrics = read_json(run / "metrics.json")
        tables = [metrics["weights"], *metrics.get("weights_of_folds", {}).values()]
        needed = [
            any(np.any(_numbers(table, place)) for table in tables) for place in range(len(made["runs"]))
        ]
        places = [place for place, is_needed in enumerate(needed) if is_needed]
        members = tuple(self.node(find_run(made["runs"][place], run), above) for place in places)
        folds = {str(one["fold"]) for one in metrics["folds"]}
        # where the runs have one fold, weights were learned without other parts of it
        of_folds = {fold: one for fold, one in metrics.get("weights_of_folds", {}).items() if len(folds) > 1}
        return Blend(
            members,
            str(made["method"]),
            self._weights(metrics["weights"], places),
            self.task == Task.MULTICLASS,
            {int(fold): self._weights(one, places) for fold, one in of_folds.items()},
        )

    def _weights(self, table: dict[str, Any], places: Sequence[int]) -> np.ndarray:
        """A blend's weights, [M] or [M, C], with the classes in the bundle's order."""
        rows = [list(table.values())[place] for place in places]
        return np.array(
            [[row[name] for name in self.classes] if isinstance(row, dict) else row for row in rows]
        )

    def _stack(self, run: Path, made: dict[str, Any], above: Sequence[Path]) -> Stack:
        if made["columns"]:
            raise ValueError(
                f"{run}: a stack with columns={made['columns']}, which a bundle does not carry. Stack the runs again "
                "with columns=[]."
            )
        runs = [find_run(one, run) for one in made["runs"]]
        members = tuple(self.node(one, above) for one in runs)
        aligned = align(read_members([str(one) for one in runs]))
        if aligned.classes != self.classes:
            raise ValueError(
                f"{run}: its runs have their classes in different orders. Train them with the same one."
            )
        check_target(made["stacker"].get("_target_"), "compkit.ensemble.stackers", f"{run}: its stacker")
        stacker = build(made["stacker"])
        fitted = fit_level2(aligned, stacker, int(made["seed"]))
        arrays = {fold: level2_arrays(one, stacker.name) for fold, one in fitted.items()}
        level2 = {fold: SavedLevel2(one, aligned.task) for fold, one in arrays.items()}
        stack = Stack(self.name(run), members, level2, made["test_features"] == "per_fold")
        _require_same_stack(run, aligned, stack)
        with atomic_path(self.root / "runs" / stack.name / "level2.npz") as temporary:
            named = {f"{fold}/{key}": value for fold, one in arrays.items() for key, value in one.items()}
            np.savez(temporary, allow_pickle=False, **named)
        return stack


def _with_found_views(config: dict[str, Any], run: Path) -> dict[str, Any]:
    """The config of a run of inference=search with the views that were found; any other as it is."""
    if config["inference"].get("_target_") != "compkit.inference.ViewSearch":
        return config
    given = {key: value for key, value in config["inference"].items() if key != "_target_"}
    found = ViewSearch(**given).with_views(read_json(run / "metrics.json")["views"])
    node = asdict(found) | {"_target_": "compkit.inference.InferenceSettings"}
    return config | {"inference": node}


def _numbers(table: dict[str, Any], place: int) -> list[float]:
    """The weight, or the weights of the classes, of one member."""
    row = list(table.values())[place]
    return list(row.values()) if isinstance(row, dict) else [row]


def _require_same_stack(run: Path, aligned: Aligned, stack: Stack) -> None:
    """Level-2 models fitted again say what the run's own said, which are not kept.

    Raises:
        ValueError: they do not.
    """
    own = read_members([str(run)])[0].test
    if own is None or aligned.test is None or aligned.test_ids is None:
        return
    if stack.per_fold:
        assert aligned.test_of_folds is not None
        said = [stack.level2[fold].predict(values) for fold, values in aligned.test_of_folds.items()]
    else:
        said = [one.predict(aligned.test) for one in stack.level2.values()]
    rows = {id: row for row, id in enumerate(own.ids.tolist())}
    known = own.values[[rows[id] for id in aligned.test_ids.tolist()]]
    difference = float(np.abs(np.mean(said, axis=0) - known).max())
    scale = max(1.0, float(np.abs(known).max()))
    if difference > TOLERANCE * scale:
        raise ValueError(
            f"{run}: its level-2 models, fitted again, differ from its test.parquet by {difference:.2g}. Its runs, or "
            "this machine's libraries, changed since; stack again with scripts/stack.py."
        )
