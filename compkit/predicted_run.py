"""A run of new predictions from another run's weights: the same folds, other views, or a search for views."""

import functools
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compkit.competition import Folds
from compkit.data import Preprocessing
from compkit.engine import Console, Ranks
from compkit.ensemble import cross_fit, crossfit_parts
from compkit.files import atomic_path, write_text
from compkit.inference import ViewSearch, average_views, select_views
from compkit.outcome import conclude, derive_plan, open_derived, write_parquet
from compkit.plan import Plan
from compkit.predict_table import join_folds, logits_of_views, predict_rows, write_test
from compkit.prepare import picture_of, unreadable_rows
from compkit.results import prediction_frame, read_scores, score
from compkit.run_folder import json_text
from compkit.trained_fold import TrainedFold, load_fold
from compkit.types import Predictions, Table


def predict_as_run(plan: Plan, numbers: Sequence[int], name: str, ranks: Ranks, console: Console) -> Path:
    """Predict OOF and test with the run's weights and the plan's inference settings, as a run beside it.

    Folds that were predicted before, in a call that did not come to its end, are not predicted again.

    Args:
        plan: of the run on disk, with the inference settings to use.
        numbers: the folds.
        name: of the new run.
        ranks: where the models are.
        console: says how far it is.

    Returns:
        the new run's folder.
    """
    derived = derive_plan(plan, name, {"by": "predict", "runs": [str(plan.folder)]})
    table, folds = split_table(plan)
    open_derived(derived, folds, console)
    test = _test_table(plan, ranks, console)
    scores = []
    for fold in numbers:
        trained = load_fold(plan, fold, ranks)
        entry = _done(derived, trained, test is not None)
        if entry is None:
            start, rows = time.perf_counter(), folds.valid_rows(fold)
            console.say(
                f"fold {fold}: {len(rows)} validation pictures, {0 if test is None else len(test[0])} of test"
            )
            oof = predict_rows(plan, table, rows, trained, ranks)
            _write_oof(derived, fold, oof, table.take(rows))
            _write_test(derived, trained, test, ranks, console)
            best = score(table.labels[rows], oof.values, plan.metrics)
            entry = _write_scores(derived, trained, best, len(rows), time.perf_counter() - start)
        else:
            console.say(f"fold {fold}: predicted already")
        scores.append(entry)
    about = {"inference": plan.inference.record()}
    return _finish(derived, scores, table, folds, test is not None, trained.preprocessing, about, console)


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
    test = _test_table(plan, ranks, console)
    names = sorted(search.candidates)
    every = replace(plan, inference=search.with_views(names))
    logits, rows_of = [], []
    for fold in numbers:
        rows = folds.valid_rows(fold)
        logits.append(_candidates(derived, every, fold, table, rows, ranks, console))
        rows_of.append(rows)
    rows = np.concatenate(rows_of)
    targets, task, metric = table.labels[rows], plan.competition.task, plan.metric

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
            return float(metric(targets[on], values_of(tuple(sorted(views)))[on]))

        chosen = select_views(worth, len(names), search.max_views, metric.greater_is_better)
        return tuple(sorted(chosen))

    held_out = np.repeat(np.array(numbers), [len(one) for one in rows_of])
    groups = None if folds.groups is None else folds.groups[rows]
    parts = crossfit_parts(held_out, targets, groups)
    nested, chosen_without = cross_fit(choose, lambda views, at: values_of(views)[at], parts)
    chosen = choose(np.arange(len(rows)))
    _tell(console, plan, names, targets, values_of, chosen, nested)

    settings = search.with_views([names[view] for view in chosen])
    chooser, scores = replace(plan, inference=settings), []
    for fold in numbers:
        trained = load_fold(chooser, fold, ranks)
        at = np.flatnonzero(held_out == fold)
        start, of_fold = time.perf_counter(), table.take(rows[at])
        _write_oof(derived, fold, Predictions(of_fold.ids, nested[at]), of_fold)
        if _done(derived, trained, test is not None) is None:
            _write_test(derived, trained, test, ranks, console)
        best = score(targets[at], nested[at], plan.metrics)
        scores.append(_write_scores(derived, trained, best, len(at), time.perf_counter() - start))
    about = {
        "inference": settings.record(),
        "in_sample": score(targets, values_of(chosen), plan.metrics),
        "views": [names[view] for view in chosen],
        "views_of_parts": {part: [names[view] for view in views] for part, views in chosen_without.items()},
    }
    return _finish(derived, scores, table, folds, test is not None, trained.preprocessing, about, console)


def split_table(plan: Plan) -> tuple[Table, Folds]:
    """The rows that a run on disk was trained and validated on, and its folds.

    Raises:
        ValueError: its models have seen every row.
    """
    if plan.full_data:
        raise ValueError(
            f"run={plan.folder}: was trained on all rows, so none is left for out-of-fold predictions. Set "
            "what=test, or give the run with folds."
        )
    table = plan.competition.read_train(plan.limit)
    folds = Folds.read(plan.folder / "folds.csv")
    table = table.take(np.flatnonzero(np.isin(table.ids, folds.ids)))  # without what the run dropped
    return table, folds.aligned_to(table.ids)


def _test_table(plan: Plan, ranks: Ranks, console: Console) -> tuple[Table, np.ndarray] | None:
    """The test rows and which of them cannot be read; None when none are wanted."""
    if not plan.predict_test or plan.competition.test_images is None:
        return None
    table = plan.competition.read_test()
    return table, unreadable_rows(plan, table, ranks, "test", console)


def _made_with(trained: TrainedFold) -> dict[str, Any]:
    made = {"weights": trained.settings.weights, "inference": trained.settings.record()}
    return json.loads(json_text(made))  # tuples as the lists they become on disk


def _done(derived: Plan, trained: TrainedFold, has_test: bool) -> dict[str, Any] | None:
    """The fold's scores.json, which is written last, where it was made with the same weights and settings."""
    folder = derived.folder / f"fold_{trained.fold}"
    if not (folder / "scores.json").is_file() or (has_test and not (folder / "test.parquet").is_file()):
        return None
    entry = read_scores(folder / "scores.json")
    made = _made_with(trained)
    return entry if {key: entry.get(key) for key in made} == made else None


def _write_oof(derived: Plan, fold: int, oof: Predictions, table: Table) -> None:
    frame = prediction_frame(oof, fold, derived.competition.classes, table)
    write_parquet(derived.folder / f"fold_{fold}" / "oof.parquet", frame)


def _write_test(
    derived: Plan,
    trained: TrainedFold,
    test: tuple[Table, np.ndarray] | None,
    ranks: Ranks,
    console: Console,
) -> None:
    if test is not None:
        path = derived.folder / f"fold_{trained.fold}" / "test.parquet"
        write_test(path, derived, *test, trained, ranks, console)


def _write_scores(
    derived: Plan, trained: TrainedFold, best: dict[str, float], rows: int, seconds: float
) -> dict[str, Any]:
    """The fold's entry of metrics.json, kept in its scores.json."""
    entry = {"fold": trained.fold, **_made_with(trained), "best": best, "val_rows": rows, "seconds": seconds}
    write_text(derived.folder / f"fold_{trained.fold}" / "scores.json", json_text(entry))
    return entry


def _finish(
    derived: Plan,
    scores: list[dict[str, Any]],
    table: Table,
    folds: Folds,
    has_test: bool,
    preprocessing: Preprocessing,
    about: dict[str, Any],
    console: Console,
) -> Path:
    assert all(one["inference"] == scores[0]["inference"] for one in scores), (
        "folds predicted in different ways"
    )
    join_folds(derived, [one["fold"] for one in scores], table, has_test)
    conclude(derived, scores, folds.hash, picture_of([table], preprocessing), console, about)
    return derived.folder


def _candidates(
    derived: Plan, plan: Plan, fold: int, table: Table, rows: np.ndarray, ranks: Ranks, console: Console
) -> Tensor:
    """What each model of the fold says of each candidate view, [K, V, n, C]; predicted once and kept on disk."""
    path = derived.folder / f"fold_{fold}" / "views.npy"
    if path.is_file():
        console.say(f"fold {fold}: candidates predicted already")
        return torch.from_numpy(np.load(path))
    trained = load_fold(plan, fold, ranks)
    views = len(trained.settings.ordered_views)
    console.say(f"fold {fold}: {views} candidate views of {len(rows)} pictures")
    logits = logits_of_views(plan, trained, table, rows, ranks)
    found = logits.reshape(len(trained.models), views, *logits.shape[1:])
    with atomic_path(path) as temporary:
        np.save(temporary, found.numpy())
    return found


def _tell(
    console: Console,
    plan: Plan,
    names: list[str],
    targets: np.ndarray,
    values_of: Any,
    chosen: tuple[int, ...],
    nested: np.ndarray,
) -> None:
    """The candidates' own scores, what was chosen, and what it is worth on rows it was not chosen on."""
    metric = plan.metric
    alone = [float(metric(targets, values_of((view,)))) for view in range(len(names))]
    lines = [
        [name, f"{one:.5f}", "chosen" if view in chosen else ""]
        for view, (name, one) in enumerate(zip(names, alone, strict=True))
    ]
    console.table("candidate views, each by itself", ["view", metric.name, ""], lines)
    honest, fitted = float(metric(targets, nested)), float(metric(targets, values_of(chosen)))
    console.say(
        f"{metric.name} {honest:.5f} on rows that the views were not chosen on, {fitted:.5f} on those they were"
    )
    best = (max if metric.greater_is_better else min)(alone)
    if not (honest > best if metric.greater_is_better else honest < best):
        console.warn(
            f"the search gains nothing over its best single view ({best:.5f}); take that one, or other candidates"
        )
