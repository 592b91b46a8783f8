"""Run folders as a bundle reads them: which are meant, and what their JSON files say."""

import glob
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compkit.results import read_scores
from compkit.run.plan import Plan


def read_runs(runs: Sequence[str | Path]) -> list[Path]:
    """The folders that are meant by folders and patterns, each once.

    Raises:
        FileNotFoundError: a folder is not there, or a pattern matches none.
        ValueError: no runs, or one of them twice.
    """
    folders = []
    for run in map(str, runs):
        path = Path(run).expanduser()
        found = (
            [path]
            if path.is_dir()
            else [Path(one) for one in sorted(glob.glob(str(path))) if Path(one).is_dir()]
        )
        if not found:
            raise FileNotFoundError(
                f"runs: no folder {run}. Set runs= to folders of finished runs: outputs/digits/a."
            )
        folders += found
    if not folders:
        raise ValueError("runs=[]: expected at least one run. Set runs=[outputs/digits/resnet18].")
    places = [folder.resolve() for folder in folders]
    if twice := sorted({str(folder) for folder in folders if places.count(folder.resolve()) > 1}):
        raise ValueError(f"runs: {', '.join(twice)} is given more than once; expected each run once.")
    return folders


def find_run(given: str, beside: Path) -> Path:
    """The folder of a run that another is made of, where its config says or beside that one.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    for path in (Path(given), beside.resolve().parent / Path(given).name):
        if (path / "config.yaml").is_file():
            return path
    raise FileNotFoundError(
        f"{beside}: is made of {given}, which is neither there nor beside it. Put that run's folder back."
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a run.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file, so the run has not finished. Finish it with resume=true."
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}). Restore the file, or make the run again.") from error


def read_cv(run: Path, plan: Plan) -> tuple[float | None, dict[int, float]]:
    """The metric of a run and of its folds, better greater; None and nothing where no row was left to score."""
    if not (run / "metrics.json").is_file():
        return None, {}
    metrics, name = read_scores(run / "metrics.json"), plan.metric.name
    sign = 1 if plan.metric.greater_is_better else -1
    score = metrics["pooled"].get(name, math.nan)
    of_folds = {int(one["fold"]): sign * one["best"].get(name, math.nan) for one in metrics["folds"]}
    is_known = math.isfinite(score)
    return (sign * score if is_known else None), {k: one for k, one in of_folds.items() if math.isfinite(one)}
