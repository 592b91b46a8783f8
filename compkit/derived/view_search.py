"""A search for views as a run: candidates predicted once, views chosen without the rows that judge them."""

import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from compkit.derived.predicted import (
    describe_making,
    done_fold,
    finish_run,
    split_table,
    table_of_test,
    write_fold_test,
    write_oof,
    write_scores,
)
from compkit.engine import Console, Ranks
from compkit.ensemble import cross_fit, crossfit_parts
from compkit.files import atomic_path
from compkit.inference import ViewSearch, average_views, per_subject, select_views
from compkit.results import score
from compkit.run.outcome import derive_plan, open_derived
from compkit.run.plan import Plan
from compkit.run.predict_table import logits_of_views
from compkit.run.trained_fold import load_fold, weights_hash
from compkit.types import Predictions, Table


def search_views(plan: Plan, numbers: Sequence[int], name: str, ranks: Ranks, console: Console) -> Path:
    """Choose views by the metric on OOF rows, and predict with them, as a run beside the one whose weights predict.

    The rows of a fold are predicted with the views that were chosen on the other folds, so the run's score is one of
    rows that nothing was chosen on. The test set is predicted with the views chosen on all rows. With one fold, its
    rows are divided in five for this.

    Args, Returns: as `predict_as_run`; the plan's inference is a `ViewSearch`.
    """
    search = plan.inference
    assert isinstance(search, ViewSearch)
    derived = derive_plan(plan, name, {"by": "predict", "runs": [str(plan.folder)]})
    table, folds = split_table(plan)
    open_derived(derived, folds, console)
    test = table_of_test(plan, ranks, console)
    names = sorted(search.candidates)
    every = replace(plan, inference=search.with_views(names))
    logits, rows_of = [], []
    for fold in numbers:
        rows = folds.valid_rows(fold)
        logits.append(_candidates(derived, every, fold, table, rows, ranks, console))
        rows_of.append(rows)
    rows = np.concatenate(rows_of)
    targets, task = table.labels[rows], plan.competition.task
    subjects = None if table.subjects is None else table.subjects[rows]

    def judged(values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions of these of the OOF rows, or of the subjects that they show."""
        shown = None if subjects is None else subjects[at]
        return per_subject(targets[at], values[at], shown, plan.competition.subject_average)

    @functools.lru_cache(maxsize=256)
    def values_of(views: tuple[int, ...]) -> np.ndarray:
        """What the mean of some candidates says of all OOF rows, [N, C]."""
        weights = [search.candidates[names[view]].weight for view in views]
        return np.concatenate(
            [
                average_views(one[:, list(views)].flatten(0, 1), weights * len(one), task, search.mean)
                for one in logits
            ]
        )

    def choose(on: np.ndarray) -> tuple[int, ...]:
        def worth(views: list[int]) -> float:
            return float(plan.metric(*judged(values_of(tuple(sorted(views))), on)))

        chosen = select_views(worth, len(names), search.max_views, plan.metric.greater_is_better)
        return tuple(sorted(chosen))

    held_out = np.repeat(np.array(numbers), [len(one) for one in rows_of])
    groups = None if folds.groups is None else folds.groups[rows]
    parts = crossfit_parts(held_out, targets, groups)
    nested, chosen_without = cross_fit(choose, lambda views, at: values_of(views)[at], parts)
    everything = np.arange(len(rows))
    chosen = choose(everything)
    alone = [plan.metric(*judged(values_of((view,)), everything)) for view in range(len(names))]
    honest, fitted = (plan.metric(*judged(values, everything)) for values in (nested, values_of(chosen)))
    _tell(console, plan, names, alone, chosen, honest, fitted)

    settings = search.with_views([names[view] for view in chosen])
    chooser, scores = replace(plan, inference=settings), []
    for fold in numbers:
        trained = load_fold(chooser, fold, ranks)
        at = np.flatnonzero(held_out == fold)
        start, of_fold = time.perf_counter(), table.take(rows[at])
        write_oof(derived, fold, Predictions(of_fold.ids, nested[at]), of_fold)
        made_with = describe_making(chooser, trained)
        if done_fold(derived, fold, made_with, test is not None) is None:
            write_fold_test(derived, trained, test, ranks, console)
        best = score(*judged(nested, at), plan.metrics)
        scores.append(write_scores(derived, fold, made_with, best, len(at), time.perf_counter() - start))
    about = {
        "inference": settings.record(),
        "in_sample": score(*judged(values_of(chosen), everything), plan.metrics),
        "views": [names[view] for view in chosen],
        "views_of_parts": {part: [names[view] for view in views] for part, views in chosen_without.items()},
    }
    return finish_run(derived, scores, table, folds, test is not None, trained.preprocessing, about, console)


def _candidates(
    derived: Plan, plan: Plan, fold: int, table: Table, rows: np.ndarray, ranks: Ranks, console: Console
) -> Tensor:
    """What each model of the fold says of each candidate view, [K, V, n, C]; predicted once and kept on disk."""
    path = derived.folder / f"fold_{fold}" / "views.npz"
    weights = weights_hash(plan, fold)
    if path.is_file():
        with np.load(path) as known:
            if str(known["weights_sha256"]) == weights:
                console.say(f"fold {fold}: candidates predicted already")
                return torch.from_numpy(known["logits"])
    trained = load_fold(plan, fold, ranks)
    views = len(trained.settings.ordered_views)
    console.say(f"fold {fold}: {views} candidate views of {len(rows)} pictures")
    logits = logits_of_views(plan, trained, table, rows, ranks)
    found = logits.reshape(len(trained.models), views, *logits.shape[1:])
    with atomic_path(path) as temporary:
        np.savez(temporary, logits=found.numpy(), weights_sha256=weights)
    return found


def _tell(
    console: Console,
    plan: Plan,
    names: list[str],
    alone: Sequence[float],
    chosen: tuple[int, ...],
    honest: float,
    fitted: float,
) -> None:
    """The candidates' own scores, what was chosen, and what it is worth on rows it was not chosen on."""
    metric = plan.metric
    lines = [
        [name, f"{one:.5f}", "chosen" if view in chosen else ""]
        for view, (name, one) in enumerate(zip(names, alone, strict=True))
    ]
    console.table("candidate views, each by itself", ["view", metric.name, ""], lines)
    console.say(
        f"{metric.name} {honest:.5f} on rows that the views were not chosen on, {fitted:.5f} on those they were"
    )
    best = (max if metric.greater_is_better else min)(alone)
    if not (honest > best if metric.greater_is_better else honest < best):
        console.warn(
            f"the search gains nothing over its best single view ({best:.5f}); take that one, or other candidates"
        )
