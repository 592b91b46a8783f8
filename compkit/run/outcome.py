"""What follows from predictions, whoever made them: scores, submission, report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from compkit.competition import Folds
from compkit.engine import Console
from compkit.files import atomic_path, write_text
from compkit.postprocess import Postprocess
from compkit.report import write_report
from compkit.results import read_oof, score, summarise
from compkit.run.folder import check_name, check_writable, json_text, open_run
from compkit.run.plan import Plan
from compkit.run.submission_file import submit
from compkit.run.tuned import tune_run

ImageOf = Callable[[str], np.ndarray | None]


def derive_plan(plan: Plan, name: str, made: dict[str, Any]) -> Plan:
    """The plan of a run that is made of others' predictions or weights, in a folder beside theirs.

    Args:
        plan: of one of the runs it is made of; competition, metrics and folds are taken from it.
        name: of the new run.
        made: how it is made (`by`: the command's verb, `runs`, …); config.yaml keeps it.

    Raises:
        ValueError, PermissionError: the name is taken, no folder name, nothing can be written there, or the plan's
            post-processing cannot serve its metric.
    """
    if isinstance(plan.postprocess, Postprocess):
        plan.postprocess.check(plan.competition.task, plan.metric)
    folder = plan.folder.parent / name
    check_name(name, folder, plan.resume)
    check_writable(folder)
    return replace(plan, name=name, folder=folder, config=plan.config | {"name": name, "made": made})


def open_derived(plan: Plan, folds: Folds, console: Console) -> None:
    """Make the folder of a derived run, described like any other."""
    open_run(plan.folder, plan.config, plan.overrides, torch.device("cpu"))
    folds.write(plan.folder / "folds.csv")
    console.log_to(plan.folder)


def conclude(
    plan: Plan,
    folds: Sequence[dict[str, Any]],
    fold_hash: str,
    image_of: ImageOf,
    console: Console,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """From the oof.parquet and test.parquet in a run's folder to metrics.json, submission.csv and report.html.

    Args:
        plan: of the run; competition, metrics and submission shape are read from it.
        folds: for each fold `fold`, `best` (its scores) and whatever else is known of it.
        fold_hash: of the split.
        image_of: the picture of an id, for the report.
        console: where the table of scores is shown.
        about: further entries of metrics.json, such as the nested and the in-sample score of a blend.

    Returns:
        what metrics.json holds.
    """
    started = time.perf_counter()
    competition, folder = plan.competition, plan.folder
    oof = read_oof(folder / "oof.parquet", competition.task)
    pooled = score(oof.targets, oof.values, plan.metrics)
    metrics = summarise(folds, pooled, plan.metric, competition.task, oof.classes, fold_hash)
    metrics |= about or {}
    tuned = tune_run(plan, oof, console)
    metrics |= {} if tuned is None else {"postprocess": tuned.scores()}
    write_text(folder / "metrics.json", json_text(metrics))
    if (folder / "test.parquet").is_file():
        submit(plan, folds, oof.classes, tuned, metrics)
    write_report(folder, image_of)

    columns = ["fold", *pooled, "best epoch", "seconds"]
    lines = [
        [one["fold"], *_digits(one["best"]), one.get("best_epoch", ""), f"{one.get('seconds', 0):.0f}"]
        for one in folds
    ]
    lines.append(
        ["mean", *_digits(metrics["mean"]), "", f"{sum(one.get('seconds', 0) for one in folds):.0f}"]
    )
    lines.append(["std", *_digits(metrics["std"]), "", ""])
    lines.append(["pooled OOF", *_digits(pooled), "", ""])
    console.table(f"{plan.name}: {plan.metric.name} {pooled[plan.metric.name]:.5f}", columns, lines)
    console.say(f"scores, submission and report in {folder} ({time.perf_counter() - started:.1f} s)")
    return metrics


def fold_scores(plan: Plan) -> list[dict[str, Any]]:
    """The entry of each fold in metrics.json, from the run's oof.parquet alone."""
    oof = read_oof(plan.folder / "oof.parquet", plan.competition.task)
    entries = []
    for fold in np.unique(oof.fold).tolist():
        rows = oof.fold == fold
        best = score(oof.targets[rows], oof.values[rows], plan.metrics)
        entries.append({"fold": fold, "best": best, "val_rows": int(rows.sum())})
    return entries


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table atomically."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def _digits(scores: dict[str, float]) -> list[str]:
    return [f"{value:.5f}" for value in scores.values()]
