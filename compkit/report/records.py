"""A run's folder read back into memory, with what is not there (yet) and why."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from compkit.results import OutOfFold, read_oof


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
        full_data: whether it trained on all rows, so that none is left to score it on.
        is_derived: whether it was made of other runs.
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
    full_data: bool = False
    is_derived: bool = False


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
    settings = yaml.safe_load(config) or {}
    full_data, is_derived = bool(settings.get("full_data")), "made" in settings
    no_score = _FULL_DATA if full_data else _UNFINISHED
    metrics = _json(folder / "metrics.json") if present("metrics.json", no_score) else {}
    task = metrics.get("task") or settings.get("task")
    has_oof = present("oof.parquet", "errors and calibration are left out.")
    has_folds = present("folds.csv", "the folds' table is left out.")
    has_overrides = present("overrides.txt", "the command line is not known.")
    has_environment = present("environment.json", "versions and hardware are not known.")
    histories = _histories(folder)
    if not histories and not is_derived:
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
        oof=read_oof(folder / "oof.parquet", task) if has_oof else None,
        missing=missing,
        full_data=full_data,
        is_derived=is_derived,
    )


_UNFINISHED = "the run has not finished, so there is no score yet."
_FULL_DATA = "the run trains on all rows, so there is no score."


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
