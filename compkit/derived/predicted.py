"""A run of new predictions from another run's weights: the same folds, other views or other checkpoints."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compkit.competition import Folds
from compkit.data import Preprocessing
from compkit.engine import Console, Ranks
from compkit.files import write_text
from compkit.inference import per_subject
from compkit.results import prediction_frame, read_scores, score
from compkit.run.folder import json_text
from compkit.run.outcome import conclude, derive_plan, open_derived, write_parquet
from compkit.run.plan import Plan
from compkit.run.predict_table import join_folds, predict_rows, write_test
from compkit.run.prepare import picture_of, unreadable_rows
from compkit.run.trained_fold import TrainedFold, load_fold, weights_hash
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
    test = table_of_test(plan, ranks, console)
    scores = []
    for fold in numbers:
        trained = load_fold(plan, fold, ranks)
        made_with = describe_making(plan, trained)
        entry = done_fold(derived, fold, made_with, test is not None)
        if entry is None:
            start, rows = time.perf_counter(), folds.valid_rows(fold)
            console.say(
                f"fold {fold}: {len(rows)} validation pictures, {0 if test is None else len(test[0])} of test"
            )
            oof = predict_rows(plan, table, rows, trained, ranks)
            write_oof(derived, fold, oof, table.take(rows))
            write_fold_test(derived, trained, test, ranks, console)
            labels, how = table.labels[rows], plan.competition.subject_average
            best = score(*per_subject(labels, oof.values, oof.subjects, how), plan.metrics)
            entry = write_scores(derived, fold, made_with, best, len(rows), time.perf_counter() - start)
        else:
            console.say(f"fold {fold}: predicted already")
        scores.append(entry)
    about = {"inference": plan.inference.record()}
    return finish_run(derived, scores, table, folds, test is not None, trained.preprocessing, about, console)


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


def table_of_test(plan: Plan, ranks: Ranks, console: Console) -> tuple[Table, np.ndarray] | None:
    """The test rows and which of them cannot be read; None when none are wanted."""
    if not plan.predict_test or plan.competition.test_images is None:
        return None
    table = plan.competition.read_test()
    return table, unreadable_rows(plan, table, ranks, "test", console)


def describe_making(plan: Plan, trained: TrainedFold) -> dict[str, Any]:
    """All that a fold's predictions hang on, as plain JSON."""
    settings = trained.settings
    made = {"weights": settings.weights, "inference": settings.record()}
    # tuples as the lists they become on disk
    return json.loads(json_text(made | {"weights_sha256": weights_hash(plan, trained.fold)}))


def done_fold(derived: Plan, fold: int, made_with: dict[str, Any], has_test: bool) -> dict[str, Any] | None:
    """The fold's scores.json, which is written last, where it was made with the same weights and settings."""
    folder = derived.folder / f"fold_{fold}"
    if not (folder / "scores.json").is_file() or (has_test and not (folder / "test.parquet").is_file()):
        return None
    entry = read_scores(folder / "scores.json")
    return entry if {key: entry.get(key) for key in made_with} == made_with else None


def write_oof(derived: Plan, fold: int, oof: Predictions, table: Table) -> None:
    """The fold's oof.parquet in the new run."""
    frame = prediction_frame(oof, fold, derived.competition.classes, table)
    write_parquet(derived.folder / f"fold_{fold}" / "oof.parquet", frame)


def write_fold_test(
    derived: Plan,
    trained: TrainedFold,
    test: tuple[Table, np.ndarray] | None,
    ranks: Ranks,
    console: Console,
) -> None:
    """The fold's test.parquet in the new run, where test rows are wanted."""
    if test is not None:
        path = derived.folder / f"fold_{trained.fold}" / "test.parquet"
        write_test(path, derived, *test, trained, ranks, console)


def write_scores(
    derived: Plan, fold: int, made_with: dict[str, Any], best: dict[str, float], rows: int, seconds: float
) -> dict[str, Any]:
    """The fold's entry of metrics.json, kept in its scores.json."""
    entry = {"fold": fold, **made_with, "best": best, "val_rows": rows, "seconds": seconds}
    write_text(derived.folder / f"fold_{fold}" / "scores.json", json_text(entry))
    return entry


def finish_run(
    derived: Plan,
    scores: list[dict[str, Any]],
    table: Table,
    folds: Folds,
    has_test: bool,
    preprocessing: Preprocessing,
    about: dict[str, Any],
    console: Console,
) -> Path:
    """Join the folds and draw the conclusions; returns the new run's folder."""
    assert all(one["inference"] == scores[0]["inference"] for one in scores), (
        "folds predicted in different ways"
    )
    join_folds(derived, [one["fold"] for one in scores], table, has_test)
    conclude(derived, scores, folds.hash, picture_of([table], preprocessing), console, about)
    return derived.folder
