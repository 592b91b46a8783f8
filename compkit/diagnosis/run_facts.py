"""The facts of a run's folds, read from its folder."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml

from compkit import metrics
from compkit.diagnosis.facts import FoldFacts, gather_facts
from compkit.diagnosis.priors import Labels, labels_of
from compkit.engine import read_metadata
from compkit.probes import ProbeRecord, read_probes
from compkit.results import OutOfFold, read_oof
from compkit.types import Task


class FoldRecord(NamedTuple):
    """What a fold's folder tells."""

    history: pd.DataFrame
    facts: FoldFacts
    best: float | None  # score of the weights that predict; None while the fold is trained
    oof: OutOfFold | None
    probes: ProbeRecord | None


def read_folds(folder: Path) -> dict[int, FoldRecord]:
    """Every fold of a run, finished or not, that has a history; none for a run made of other runs.

    Raises:
        FileNotFoundError: the folder is no run's.
        ValueError: a file in it is not what a run writes.
    """
    config = read_config(folder)
    numbers = [re.fullmatch(r"fold_(\d+)", path.parent.name) for path in folder.glob("fold_*/history.csv")]
    folds = sorted(int(number[1]) for number in numbers if number)
    if "made" in config or config.get("full_data"):
        return {}
    assigned = pd.read_csv(folder / "folds.csv", dtype={"id": str})["fold"].to_numpy(np.int64)
    oofs = {fold: _oof(folder / f"fold_{fold}" / "oof.parquet", config) for fold in folds}
    return {fold: read_fold(folder / f"fold_{fold}", fold, config, assigned, oofs) for fold in folds}


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a run.

    Raises:
        FileNotFoundError: the folder is no run's.
    """
    if not (folder / "config.yaml").is_file():
        raise FileNotFoundError(
            f"run={folder}: has no config.yaml, so it is not a run's folder. Give "
            "<output_dir>/<competition>/<name>, e.g. run=outputs/digits/resnet18."
        )
    return yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))


def read_fold(
    folder: Path, fold: int, config: dict[str, Any], assigned: np.ndarray, oofs: dict[int, OutOfFold | None]
) -> FoldRecord:
    """One fold.

    Args:
        folder: of the fold.
        fold: its number.
        config: of the run.
        assigned: fold of each row, int64 [N]; -1 is never validated.
        oofs: predictions of each fold that has ended.
    """
    history = pd.read_csv(folder / "history.csv")
    scores = _json(folder / "scores.json")
    columns = [str(name).removeprefix("val_") for name in history if str(name).startswith("val_")]
    scored = [name for name in columns if name != "loss"]  # the one that chooses the epoch is the first
    better = _greater_is_better(folder.parent, config)
    metric = "loss" if better is None else scored[0]
    train, exact = _training_labels(folder, fold, config, assigned, oofs)
    own = oofs[fold]
    valid = Labels(train.task, None, None, int((assigned == fold).sum()))
    if own is not None:
        valid = labels_of(own.task, own.targets, len(own.classes))
        # pictures of one subject are right or wrong together
        valid = valid._replace(rows=_subjects(folder / "oof.parquet") or valid.rows)
    facts = gather_facts(
        config,
        fold,
        metric,
        bool(better),
        train,
        valid,
        scored,
        is_over=bool(scores) or len(history) >= config["epochs"],
        exact=exact,
    )
    best = (scores.get("best") or {}).get(metric)
    return FoldRecord(history, facts, best, own, read_probes(folder))


def _training_labels(
    folder: Path, fold: int, config: dict[str, Any], assigned: np.ndarray, oofs: dict[int, OutOfFold | None]
) -> tuple[Labels, bool]:
    """Labels of the fold's training rows, and whether they are just these rows' own.

    Class frequencies are kept with the weights; targets of regression are known once a fold is predicted.
    """
    is_forecast = _is_forecast(config.get("competition", {}))
    task, rows = Task(config["task"]), int((assigned < fold if is_forecast else assigned != fold).sum())
    weights = folder / "best.safetensors"
    if task != Task.REGRESSION:
        shares = np.array(read_metadata(weights)["prior"], np.float64) if weights.is_file() else None
        return Labels(task, shares, None, rows), True
    others = [
        one.targets
        for number, one in oofs.items()
        if one is not None and (number < fold if is_forecast else number != fold)
    ]
    if others and sum(map(len, others)) == rows:
        return Labels(task, None, np.concatenate(others), rows), True
    known = [one.targets for one in oofs.values() if one is not None]
    return Labels(task, None, np.concatenate(known) if known else None, rows), False


def _is_forecast(competition: Mapping[str, Any]) -> bool:
    """Whether a fold trains only on the rows before its own, see `Folds.expanding`."""
    scheme = competition.get("fold_scheme", "auto")
    has_times = competition.get("time_column") is not None and competition.get("fold_column") is None
    return scheme == "time" or (scheme == "auto" and has_times)


def _greater_is_better(run: Path, config: dict[str, Any]) -> bool | None:
    """Whether the run's metric is better higher; None for somebody's own in a run that has not finished."""
    known = _json(run / "metrics.json").get("greater_is_better")
    if known is not None:
        return bool(known)
    package, _, name = str(config["metric"]["_target_"]).rpartition(".")
    return getattr(metrics, name).greater_is_better if package == metrics.__name__ else None


def _oof(path: Path, config: dict[str, Any]) -> OutOfFold | None:
    return read_oof(path, config["task"]) if path.is_file() else None


def _subjects(path: Path) -> int:
    """How many subjects the rows are of; 0 where each picture stands for itself."""
    if "subject" not in pq.read_schema(path).names:
        return 0
    return int(pd.read_parquet(path, columns=["subject"])["subject"].nunique())


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
