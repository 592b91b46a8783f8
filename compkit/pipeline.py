"""One run, from top to bottom: read, split, fit each fold, predict, score, submit, report."""

import os
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from compkit.assemble import (
    describe,
    describe_groups,
    fit_scaling,
    fold_table,
    make_fold_data,
    make_learner,
    make_loader,
    try_parts,
    wanted_folds,
)
from compkit.data import Loader, Preprocessing, evaluation_draws
from compkit.engine import (
    Console,
    Learner,
    Progress,
    Ranks,
    choose_precision,
    choose_threads,
    fit,
    gather_rows,
    join_ranks,
    leave_ranks,
    load_weights,
    use_channels_last,
)
from compkit.files import write_text
from compkit.inference import AVERAGES, activate, predict_logits
from compkit.outcome import conclude, write_parquet
from compkit.plan import Plan
from compkit.prepare import (
    Prepared,
    picture_of,
    prepare,
    target_prior,
)
from compkit.randomness import derive_seed, seed_everything
from compkit.results import mean_predictions, prediction_frame, read_scores, read_test, score
from compkit.run_folder import check_name, check_writable, json_text, open_run
from compkit.types import Predictions, Table


def run(plan: Plan) -> dict[str, Any]:
    """Train and predict every fold, then write scores, submission and report.

    Whatever can be wrong is looked for before the run's folder exists and the first epoch starts.

    Returns:
        what metrics.json holds.
    """
    ranks = join_ranks(plan.trainer.device)
    try:
        with Console(quiet=not ranks.is_main) as console:
            torch.set_num_threads(choose_threads(plan.trainer.threads, ranks.local_world))
            # cuBLAS reads this when it starts; without it deterministic mode refuses to multiply
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(plan.trainer.deterministic)
            if ranks.is_main:
                check_name(plan.name, plan.folder, plan.resume)
                check_writable(plan.folder)
            data = prepare(plan, ranks, console)
            preprocessing = try_parts(plan, data)

            if ranks.is_main:
                open_run(plan.folder, plan.config, plan.overrides, ranks.device)
                data.folds.write(plan.folder / "folds.csv")
                console.log_to(plan.folder)
            ranks.barrier()
            console.say(describe(plan, data, preprocessing, ranks))
            scores = [
                run_fold(plan, data, preprocessing, fold, ranks, console) for fold in wanted_folds(plan, data)
            ]
            return finish(plan, data, preprocessing, scores, console) if ranks.is_main else {}
    finally:
        leave_ranks()


def run_fold(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, fold: int, ranks: Ranks, console: Console
) -> dict[str, Any]:
    """Fit one fold and predict its validation and test rows; what is done already is not done again.

    Returns:
        the fold's entry of metrics.json.
    """
    folder = plan.folder / f"fold_{fold}"
    cv2.setNumThreads(0)  # one loader is one process among as many as there are cores
    # of the weights: equal on all ranks, and whatever was trained before
    seed_everything(derive_seed(plan.seed, fold))
    train_rows = data.folds.train_rows(fold)
    learner = make_learner(plan, data, train_rows, ranks)
    if fold == wanted_folds(plan, data)[0]:
        console.table(*describe_groups(learner))
    if use_channels_last(plan.trainer, preprocessing, ranks.device):
        learner.model.to(memory_format=torch.channels_last)
    seed_everything(derive_seed(plan.seed, fold, 1 + ranks.rank))  # of dropout: different on each

    preprocessing = fit_scaling(plan, data, train_rows, preprocessing)
    table, _ = fold_table(plan, data, fold)
    loader = make_loader(plan, table, preprocessing, ranks, augment=True)
    fold_data = make_fold_data(plan, data, preprocessing, fold, loader)
    metadata = {
        "preprocessing": preprocessing.to_dict(),
        "classes": list(plan.competition.classes),
        "task": str(plan.competition.task),
        "auxiliary": {name: column.num_outputs for name, column in data.auxiliary.items()},
        "prior": target_prior(data.table, train_rows, len(plan.competition.classes)).tolist(),
    }
    loggers = plan.loggers if ranks.is_main else []
    for logger in loggers:
        logger.start_fold(fold, plan.name, plan.config, plan.folder)
    progress = fit(
        folder,
        learner,
        fold_data,
        plan.trainer,
        plan.epochs,
        derive_seed(plan.seed, fold),
        ranks,
        console,
        loggers,
        title=f"fold {fold}",
        metadata=metadata,
    )

    done = folder / "scores.json"
    scores = read_scores(done) if done.is_file() else {}
    if scores.get("epochs") != progress.epoch:
        ranks.barrier()  # the weights are on disk
        scores = predict_fold(plan, data, preprocessing, fold, learner, loader, progress, ranks)
    for logger in loggers:
        logger.finish_fold(scores["best"])
    ranks.barrier()
    return scores


def predict_fold(
    plan: Plan,
    data: Prepared,
    preprocessing: Preprocessing,
    fold: int,
    learner: Learner,
    loader: Loader,
    progress: Progress,
    ranks: Ranks,
) -> dict[str, Any]:
    """Predict the fold's validation rows and the test set with its best weights; write both and the scores."""
    folder, classes = plan.folder / f"fold_{fold}", plan.competition.classes
    train_rows, valid_rows = data.folds.train_rows(fold), data.folds.valid_rows(fold)
    weights = choose_weights(plan, learner.averaging.name, progress)
    load_weights(folder / f"{weights}.safetensors", learner.model)
    oof = predict(plan, data.table, valid_rows, preprocessing, learner.model, ranks, loader)
    prefix = f"{weights}_val_" if weights in AVERAGES else "val_"
    scores = {
        "fold": fold,
        "weights": weights,
        "best_epoch": int(progress.best.get(weights, {"epoch": progress.epoch})["epoch"]),
        "epochs": progress.epoch,
        "best": score(data.table.labels[valid_rows], oof.values, plan.metrics),
        "last": {metric.name: progress.history[-1][prefix + metric.name] for metric in plan.metrics},
        "train_rows": len(train_rows),
        "val_rows": len(valid_rows),
        "seconds": sum(row["seconds"] for row in progress.history),
        "images_per_second": float(np.median([row["images_per_second"] for row in progress.history])),
    }
    if data.test is not None:
        prior = target_prior(data.table, train_rows, len(classes))
        test = predict_all(plan, data.test, data.unreadable, prior, preprocessing, learner.model, ranks)
    if ranks.is_main:
        write_parquet(
            folder / "oof.parquet", prediction_frame(oof, fold, classes, data.table.take(valid_rows))
        )
        if data.test is not None:
            write_parquet(folder / "test.parquet", prediction_frame(test, fold, classes))
        write_text(folder / "scores.json", json_text(scores))
    return scores


def choose_weights(plan: Plan, average: str, progress: Progress) -> str:
    """The weights that predict: best, last, or the average, which a fold that stopped early may not have yet.

    Raises:
        ValueError: there is no average, and inference.weights asks for it.
    """
    has_average = f"{average}_val_loss" in progress.history[-1]
    if plan.inference.weights == average and not has_average:
        raise ValueError(
            f"inference.weights={average}: training ended after epoch {progress.epoch} of {plan.epochs}, before the "
            "average began. Continue with a larger trainer.early_stopping_epochs, or start anew with a smaller "
            "averaging.start or with inference.weights=auto."
        )
    return plan.inference.resolve(average if has_average else "none").weights


def predict(
    plan: Plan,
    table: Table,
    rows: np.ndarray,
    preprocessing: Preprocessing,
    model: torch.nn.Module,
    ranks: Ranks,
    loader: Loader | None = None,
) -> Predictions:
    """The model's predictions for these rows of the table, in their order, on every rank."""
    draws = evaluation_draws(rows, int(plan.inference.batch_size), ranks.rank, ranks.world)
    loader = loader or make_loader(plan, table, preprocessing, ranks, augment=False)
    dtype = choose_precision(plan.trainer.precision, ranks.device)
    local = predict_logits(model, loader, draws, preprocessing, ranks.device, dtype)
    found, logits = gather_rows(*local, ranks)
    assert np.array_equal(found, rows), "a row was not predicted"
    return Predictions(table.ids[rows], activate(logits, plan.competition.task))


def predict_all(
    plan: Plan,
    table: Table,
    unreadable: np.ndarray,
    prior: np.ndarray,
    preprocessing: Preprocessing,
    model: torch.nn.Module,
    ranks: Ranks,
) -> Predictions:
    """Predictions for every row of a table; rows that cannot be read get the prior [C] of the training rows."""
    rows = np.setdiff1d(np.arange(len(table)), unreadable)
    values = np.tile(prior, (len(table), 1))
    if len(rows):
        values[rows] = predict(plan, table, rows, preprocessing, model, ranks).values
    return Predictions(table.ids, values)


def finish(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, scores: list[dict[str, Any]], console: Console
) -> dict[str, Any]:
    """Join the folds to oof.parquet and test.parquet, and draw the conclusions."""
    folder = plan.folder
    frames = [pd.read_parquet(folder / f"fold_{one['fold']}" / "oof.parquet") for one in scores]
    oof = pd.concat(frames, ignore_index=True)
    rows = pd.Index(data.table.ids).get_indexer(oof["id"])
    assert (rows >= 0).all() and oof["id"].is_unique
    oof = oof.iloc[np.argsort(rows)].reset_index(drop=True)  # the order of the competition's own CSV
    write_parquet(folder / "oof.parquet", oof)
    if data.test is not None:
        classes = plan.competition.classes
        parts = [read_test(folder / f"fold_{one['fold']}" / "test.parquet", classes) for one in scores]
        write_parquet(folder / "test.parquet", prediction_frame(mean_predictions(parts), -1, classes))
    return conclude(plan, scores, data.folds.hash, picture_of([data.table], preprocessing), console)
