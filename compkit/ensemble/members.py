"""The runs that an ensemble is made of, read from their folders."""

import glob
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from compkit.competition import Folds
from compkit.inference import of_subjects
from compkit.results import OutOfFold, read_oof, read_test
from compkit.types import Predictions


@dataclass(frozen=True)
class Member:
    """One run and what it predicted.

    Attributes:
        name: the last part of its folder's path.
        folder: the run's folder.
        competition: the name of what it was trained for.
        fold_hash: of its split, from metrics.json.
        folds: its split.
        oof: its out-of-fold predictions.
        test: its predictions for the test set; None when it made none.
        test_of_folds: the same of each fold's model alone, by fold; empty when they are not kept.
    """

    name: str
    folder: Path
    competition: str
    fold_hash: str
    folds: Folds
    oof: OutOfFold
    test: Predictions | None
    test_of_folds: dict[int, Predictions]


def read_members(runs: str | Path | Sequence[str | Path]) -> list[Member]:
    """Read finished runs, each alone; what they must have in common is looked at by `align`.

    Args:
        runs: run folders, or patterns such as `outputs/digits/resnet18_seed-*`, which stand for the folders
            they match, in alphabetical order. A single one needs no list.

    Raises:
        FileNotFoundError: a folder that is not there, a pattern that matches none, a run that is not finished.
        ValueError: no runs, the same one twice, or predictions that are NaN, infinite or doubled.
    """
    given = [runs] if isinstance(runs, str | Path) else runs
    folders = [folder for run in given for folder in _folders(str(run))]
    if not folders:
        raise ValueError(
            "runs=[]: expected at least one run. Set runs=[outputs/digits/resnet18,outputs/digits/resnet34]."
        )
    places = [folder.resolve() for folder in folders]
    twice = sorted({str(place) for place in places if places.count(place) > 1})
    if twice:
        raise ValueError(
            f"runs: {', '.join(twice)} is given more than once; expected each run once. Remove the repetition; "
            "weights=[…] lets a run count more."
        )
    return [_read(folder) for folder in folders]


def _folders(run: str) -> list[Path]:
    """The folder, or those that the pattern matches."""
    path = Path(run).expanduser()
    if path.is_dir():
        return [path]
    if glob.has_magic(run):
        found = [Path(one) for one in sorted(glob.glob(str(path))) if Path(one).is_dir()]
        if found:
            return found
        raise FileNotFoundError(f"runs: no folder matches {run}. Set runs= to folders of finished runs.")
    raise FileNotFoundError(
        f"{run}: no such folder. Set runs= to folders of finished runs, such as outputs/digits/resnet18."
    )


def _read(folder: Path) -> Member:
    for name in ("config.yaml", "metrics.json", "oof.parquet", "folds.csv"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder}: has no {name}, so it is no finished run. Finish it with train.py … resume=true, "
                "or take it out of runs."
            )
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    oof = read_oof(folder / "oof.parquet", metrics.get("task"))
    test, how = folder / "test.parquet", config["competition"].get("subject_average", "mean")
    of_folds = {fold: folder / f"fold_{fold}" / "test.parquet" for fold in np.unique(oof.fold).tolist()}
    member = Member(
        name=folder.resolve().name,
        folder=folder,
        competition=str(config["competition"]["name"]),
        fold_hash=str(metrics["fold_hash"]),
        folds=Folds.read(folder / "folds.csv"),
        oof=oof,
        test=read_test(test, oof.classes) if test.is_file() else None,
        test_of_folds={
            fold: of_subjects(read_test(path, oof.classes), how)
            for fold, path in of_folds.items()
            if path.is_file()
        },
    )
    _check_values(member)
    return member


def _check_values(member: Member) -> None:
    """Refuse predictions that would spoil every ensemble they enter."""
    parts = {"oof.parquet": (member.oof.ids, member.oof.values)}
    if member.test is not None:
        parts["test.parquet"] = (member.test.ids, member.test.values)
    for fold, test in member.test_of_folds.items():
        parts[f"fold_{fold}/test.parquet"] = (test.ids, test.values)
    for name, (ids, values) in parts.items():
        broken = ~np.isfinite(values).all(axis=1)
        if broken.any():
            raise ValueError(
                f"{member.folder / name}: predictions are NaN or infinite in {broken.sum()} of {len(ids)} rows, "
                f"first for id {ids[broken][0]!r}. Train the run again, or take it out of runs."
            )
        if len(np.unique(ids.astype(str))) < len(ids):
            raise ValueError(
                f"{member.folder / name}: {len(ids)} rows have only {len(np.unique(ids.astype(str)))} different "
                "ids; expected each id once. Predict again, or take the run out of runs."
            )
