"""A run's folder read back into memory, with what is not there (yet) and why."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from compkit.types import Task


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for the training images, each by the model whose fold held it out.

    Attributes:
        task: decides what targets and values are.
        ids: str [N].
        fold: int64 [N].
        targets: int64 [N] for multiclass, else float64 [N, C].
        values: float64 [N, C], probabilities or regression values.
        classes: C names of classes or target columns.
    """

    task: Task
    ids: np.ndarray
    fold: np.ndarray
    targets: np.ndarray
    values: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class RunRecord:
    """What a run's folder holds.

    Attributes:
        folder: where it was read from.
        config: text of config.yaml.
        overrides: the command line's arguments.
        environment: environment.json, {} without.
        metrics: metrics.json, {} while the run has not finished.
        histories: fold -> its history.csv, a row an epoch.
        folds: folds.csv (id, fold, group), None without.
        oof: None while the run has not finished.
        missing: a sentence for each piece that is not there.
    """

    folder: Path
    config: str
    overrides: list[str]
    environment: dict[str, Any]
    metrics: dict[str, Any]
    histories: dict[int, pd.DataFrame]
    folds: pd.DataFrame | None
    oof: OutOfFold | None
    missing: list[str]


def read_run(folder: Path) -> RunRecord:
    """Read a finished or unfinished run.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder is not a run's, or a file in it is not what a run writes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"run={folder}: no such folder. Give the folder of a run, "
            "<output_dir>/<competition>/<name>, e.g. run=outputs/digits/resnet18."
        )
    if not (folder / "config.yaml").is_file():
        raise ValueError(
            f"run={folder}: has no config.yaml, so it is not a run's folder. Give "
            "<output_dir>/<competition>/<name>, e.g. run=outputs/digits/resnet18."
        )
    missing: list[str] = []

    def present(name: str, consequence: str) -> bool:
        if (folder / name).is_file():
            return True
        missing.append(f"{name} is not there: {consequence}")
        return False

    config = (folder / "config.yaml").read_text(encoding="utf-8")
    metrics = _json(folder / "metrics.json") if present("metrics.json", _UNFINISHED) else {}
    task = metrics.get("task") or (yaml.safe_load(config) or {}).get("task")
    has_oof = present("oof.parquet", "errors and calibration are left out.")
    has_folds = present("folds.csv", "the folds' table is left out.")
    has_overrides = present("overrides.txt", "the command line is not known.")
    has_environment = present("environment.json", "versions and hardware are not known.")
    histories = _histories(folder)
    if not histories:
        missing.append("No fold has a history.csv yet: no epoch has ended, so there are no curves.")
    return RunRecord(
        folder=folder,
        config=config,
        overrides=(folder / "overrides.txt").read_text(encoding="utf-8").splitlines()
        if has_overrides
        else [],
        environment=_json(folder / "environment.json") if has_environment else {},
        metrics=metrics,
        histories=histories,
        folds=pd.read_csv(folder / "folds.csv", dtype={"id": str}) if has_folds else None,
        oof=_read_oof(folder / "oof.parquet", task) if has_oof else None,
        missing=missing,
    )


_UNFINISHED = "the run has not finished, so there is no score yet."


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _histories(folder: Path) -> dict[int, pd.DataFrame]:
    found = {}
    for path in folder.glob("fold_*/history.csv"):
        number = re.fullmatch(r"fold_(\d+)", path.parent.name)
        if number and path.stat().st_size:
            history = pd.read_csv(path)
            if len(history):
                found[int(number[1])] = history
    return dict(sorted(found.items()))


def _read_oof(path: Path, task_name: str | None) -> OutOfFold:
    """The out-of-fold table; rows without a label are left out."""
    frame = pd.read_parquet(path)
    predicted = [str(column) for column in frame if str(column).startswith("pred_")]
    classes = tuple(column.removeprefix("pred_") for column in predicted)
    wanted = ["target"] if "target" in frame else [f"target_{name}" for name in classes]
    absent = [column for column in ["id", "fold", *wanted] if column not in frame]
    if absent or not predicted or task_name not in list(Task):
        raise ValueError(
            f"{path}: expected the columns id, fold, target… and pred_<class>… of one of the tasks "
            f"{[str(task) for task in Task]}, got {list(frame.columns)[:10]} and the task {task_name!r}. "
            "The file is not one that train.py wrote; remove it, or train the run again."
        )
    frame = frame.dropna(subset=wanted).reset_index(drop=True)
    task = Task(task_name)
    if task == Task.MULTICLASS:
        position = {name: index for index, name in enumerate(classes)}
        targets = frame["target"].astype(str).map(position)
        if targets.isna().any():
            unknown = sorted(set(frame["target"][targets.isna()].astype(str)))[:5]
            raise ValueError(
                f"{path}: target has {unknown}, for which there is no pred_<class> column. "
                "The file is not one that train.py wrote; remove it, or train the run again."
            )
        known: np.ndarray = targets.to_numpy(np.int64)
    else:
        known = frame[wanted].to_numpy(np.float64)
    return OutOfFold(
        task=task,
        ids=frame["id"].astype(str).to_numpy(dtype=object),
        fold=frame["fold"].to_numpy(np.int64),
        targets=known,
        values=frame[predicted].to_numpy(np.float64),
        classes=classes,
    )
