"""A run's submission: its shape looked at before training, the file with its manifest, and both looked at again."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compkit.competition.table import first_few, read_table
from compkit.engine import Console
from compkit.files import write_text
from compkit.results import cv_of, read_scores, read_test
from compkit.run.folder import json_text
from compkit.run.plan import Plan
from compkit.run.tuned import Tuned
from compkit.types import Task

SHOWN_ROWS = 5


@dataclass(frozen=True)
class SubmissionCheck:
    """A submission that is what its competition asks for.

    Attributes:
        path: the CSV.
        competition: its name.
        format: what its cells hold: labels, probabilities, ranking or values.
        rows: their number.
        columns: their names.
        first: the first rows, cell by cell.
        sha256: of the CSV.
        cv: `metric`, `greater_is_better`, `pooled`, `mean`, `std`, and `nested` where something was learned on
            out-of-fold rows; None for a run that has no score.
        manifest: all that submission.json holds.
    """

    path: Path
    competition: str
    format: str
    rows: int
    columns: tuple[str, ...]
    first: list[list[str]]
    sha256: str
    cv: dict[str, Any] | None
    manifest: dict[str, Any]


def check_shape(plan: Plan, console: Console) -> None:
    """Refuse a submission that could not be written, before hours are spent on it; tell what it leaves out.

    Raises:
        FileNotFoundError, ValueError: no sample, or one that the plan's classes, task and metric do not fit.
    """
    shape, competition = plan.submission_shape, plan.competition
    if shape is None:
        return
    format = shape.check()
    exclusive = format == "probabilities" and competition.task == Task.MULTICLASS and len(shape.classes) > 2
    if exclusive and shape.limits.sums_to_one and competition.subject_average == "max":
        raise ValueError(
            f"competition.subject_average=max: the largest probabilities of exclusive classes do not sum to 1, which "
            f"metric {plan.metric.name} asks for. Set competition.subject_average=mean."
        )
    if left_out := shape.left_out():
        console.warn(f"{shape.sample} does not ask for {first_few(left_out)}: predicted, and not submitted")


def submit(
    plan: Plan,
    folds: Sequence[dict[str, Any]],
    classes: tuple[str, ...],
    tuned: Tuned | None = None,
    metrics: dict[str, Any] | None = None,
) -> None:
    """submission.csv in the sample's shape, read back, and submission.json: what it was made of.

    Args:
        plan: of the run, in whose folder test.parquet lies.
        folds: the entries of metrics.json.
        classes: names of the outputs.
        tuned: its post-processing.
        metrics: what metrics.json holds; None where no row was left to score.
    """
    shape, path = plan.submission_shape, plan.folder / "submission.csv"
    if shape is None:
        return
    # a plan of a run on disk has not read its tables, and may not know the classes
    shape = replace(shape, classes=classes)
    test = read_test(plan.folder / "test.parquet", classes)
    format = shape.write(path, test if tuned is None else tuned.of_test(test))
    table = read_table(path, "submission")
    manifest = {
        "runs": plan.config.get("made", {}).get("runs", [plan.name]),
        "folds": [one["fold"] for one in folds],
        "weights": [one["weights"] for one in folds if "weights" in one],
        "inference": folds[0].get("inference", plan.config["inference"]),
        "postprocess": "none" if tuned is None else tuned.method.name,
        "format": format,
        "rows": len(table),
        "columns": list(table.columns),
        "classes": list(classes),
        "learned": {} if tuned is None else tuned.method.describe(tuned.learned, classes),
        "weights_sha256": {
            str(file.relative_to(plan.folder)): sha256(file) for file in _weights(plan.folder, folds)
        },
        "members": _members(plan, metrics or {}),
        "cv": None if metrics is None else describe_cv(metrics),
        "sha256": sha256(path),
        "compkit": importlib.metadata.version("compkit"),
    }
    write_text(plan.folder / "submission.json", json_text(manifest))


def check_submission(plan: Plan) -> SubmissionCheck:
    """Look at a run's submission as the competition would, and hold it against its manifest.

    Args:
        plan: of a run on disk.

    Raises:
        FileNotFoundError: no submission, no manifest, or no sample.
        ValueError: the submission is not what the sample asks for, by name; it or its manifest was changed.
    """
    path, shape = plan.folder / "submission.csv", plan.submission_shape
    manifest = _read_manifest(plan.folder)
    if shape is None:
        raise ValueError(
            f"run={plan.folder}: its competition has no sample submission to compare with, or it predicts no test set. "
            "Set competition.sample_submission and predict_test=true, and train it again."
        )
    shape = replace(shape, classes=tuple(manifest["classes"]))
    shape.validate(path)
    if sha256(path) != manifest["sha256"]:
        raise ValueError(
            f"{path}: is not the file that submission.json was written for, whose sha256 begins with "
            f"{manifest['sha256'][:12]}. Write it again: python scripts/postprocess.py run={plan.folder} name=…"
        )
    table = read_table(path, "submission")
    return SubmissionCheck(
        path=path,
        competition=plan.competition.name,
        format=manifest["format"],
        rows=len(table),
        columns=tuple(table.columns),
        first=table.head(SHOWN_ROWS).to_numpy().tolist(),
        sha256=manifest["sha256"],
        cv=manifest["cv"],
        manifest=manifest,
    )


def describe_cv(metrics: dict[str, Any]) -> dict[str, Any]:
    """The scores of metrics.json by the competition's metric.

    >>> describe_cv({"metric": "auc", "greater_is_better": True, "pooled": {"auc": 0.9}, "mean": {"auc": 0.8},
    ...              "std": {"auc": 0.1}, "postprocess": {"metric": "auc", "nested": 0.7}})["nested"]
    0.7
    """
    name, _, nested = cv_of(metrics)
    cv = {"metric": name, "greater_is_better": metrics["greater_is_better"]}
    cv |= {key: metrics[key][name] for key in ("pooled", "mean", "std")}
    return cv | ({} if nested is None else {"nested": nested})


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(folder: Path, folds: Sequence[dict[str, Any]]) -> list[Path]:
    """The weights in the run's own folder that predicted; a run made of others may have none."""
    files = []
    for one in folds:
        kinds = one.get("weights", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            files.append(folder / f"fold_{one['fold']}" / f"{kind}.safetensors")
    return [file for file in files if file.is_file()]


def _members(plan: Plan, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs that a run is made of: their weights in a blend, their score, and the kinds of their models' weights."""
    members = []
    shares, scores = metrics.get("weights", {}), metrics.get("members", {})
    for run in plan.config.get("made", {}).get("runs", []):
        name = run if run in scores else Path(run).name
        file = Path(run).expanduser() / "metrics.json"
        folds = read_scores(file)["folds"] if file.is_file() else []
        kinds = [one["weights"] for one in folds if "weights" in one]
        score = scores.get(name, {}).get(plan.metric.name)
        members.append({"run": run, "weight": shares.get(name), "cv": score, "weights": kinds})
    return members


def _read_manifest(folder: Path) -> dict[str, Any]:
    for name in ("submission.csv", "submission.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"run={folder}: has no {name}. Finish it with train.py … resume=true, or give a run that predicts the "
                "test set."
            )
    path = folder / "submission.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        manifest = error
    wanted = ("classes", "format", "sha256", "cv")
    if not isinstance(manifest, dict) or any(key not in manifest for key in wanted):
        raise ValueError(
            f"{path}: expected an object with {', '.join(wanted)}, as this version writes it. Write it again: "
            f"python scripts/postprocess.py run={folder} name=…"
        )
    return manifest
