"""A run's settings once more on all rows: what is submitted in the end."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compkit.engine import Console
from compkit.pipeline import run
from compkit.postprocess import NoPostprocess
from compkit.results import read_scores
from compkit.run.folder import check_finished
from compkit.run.outcome import ImageOf, conclude, derive_plan, fold_scores
from compkit.run.plan import Plan

PlanAgain = Callable[[str, dict[str, Any]], Plan]  # the plan of a new run, by its name and what changes


def refit_epochs(best_epochs: Sequence[int]) -> int:
    """How long to train where nothing validates: the median of the folds' best epochs, a half rounded up.

    >>> refit_epochs([7, 12, 8, 9, 8]), refit_epochs([4, 5])
    (8, 5)
    """
    return math.floor(float(np.median(best_epochs)) + 0.5)


def refit(
    parent: Plan,
    plan_again: PlanAgain,
    image_of: ImageOf,
    name: str | None = None,
    epochs: int | str = "auto",
    seeds: int = 1,
    resume: bool = False,
) -> dict[str, Any]:
    """Train the run's settings on all rows, without validation, into a run of its own.

    Its test predictions and submission are its own models'. Its out-of-fold predictions and scores are the parent's,
    copied and marked as such, so that it can be ensembled with runs of the same folds.

    Args:
        parent: of the run on disk that tells how many epochs.
        plan_again: makes the plan of the new run.
        image_of: the picture of an id, for the report.
        name: of the new run; None is <parent>_full.
        epochs: their number, or auto, see `refit_epochs`.
        seeds: models of different seeds, whose predictions are averaged.
        resume: go on with a refit of that name.

    Returns:
        what metrics.json holds.

    Raises:
        ValueError: a run that cannot be trained again or has not finished, or a name that is taken.
    """
    metrics = check_parent(parent)
    best_epochs = [int(one["best_epoch"]) for one in metrics["folds"]]
    epochs = refit_epochs(best_epochs) if isinstance(epochs, str) else epochs
    changes = {
        "full_data": True,
        "epochs": epochs,
        "train_folds": list(range(seeds)),
        "resume": resume,
        "trainer.early_stopping_epochs": None,  # it has told the number of epochs, and waits for a score
    }
    made = {"by": "refit", "run": parent.name, "best_epochs": best_epochs}
    plan = derive_plan(
        plan_again(name or f"{parent.name}_full", changes), name or f"{parent.name}_full", made
    )
    with Console() as console:
        console.say(
            f"{plan.name}: {seeds} model(s) on all rows for {epochs} epochs; the best epochs of {parent.name}'s folds "
            f"were {', '.join(map(str, best_epochs))}"
        )
    run(replace(plan, postprocess=NoPostprocess()))  # learned below, on the parent's out-of-fold predictions
    for file in ("folds.csv", "oof.parquet"):
        shutil.copyfile(parent.folder / file, plan.folder / file)
    about = {"scores_of": parent.name, "inference": metrics.get("inference")}
    with Console(plan.folder) as console:
        console.say(f"the scores below are {parent.name}'s: the models of {plan.name} have seen every row")
        return conclude(plan, fold_scores(plan), metrics["fold_hash"], image_of, console, about)


def check_parent(plan: Plan) -> dict[str, Any]:
    """What metrics.json of a run says whose training can be repeated.

    Raises:
        ValueError: a run that has not finished, was trained on all rows, or was not trained at all.
    """
    if plan.full_data:
        raise ValueError(
            f"run={plan.folder}: was itself trained on all rows, so it has no folds and no score of its own. Give "
            "the run with folds."
        )
    check_finished(plan.folder)
    metrics = read_scores(plan.folder / "metrics.json")
    if not all("best_epoch" in one for one in metrics["folds"]):
        by = plan.config.get("made", {}).get("by", "another command")
        raise ValueError(
            f"run={plan.folder}: made of other runs by {by}, so it has no training of its own to repeat. Give a run of "
            "train.py."
        )
    return metrics
