"""One run, from top to bottom: read, split, fit each fold, predict, score, submit, report."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from compkit.competition import validate_submission, write_submission
from compkit.data import Draw, ImageDataset, Loader, Mixing, Preprocessing, VaryingScale, evaluation_draws
from compkit.engine import (
    Console,
    FoldData,
    Learner,
    Progress,
    Ranks,
    Stepper,
    choose_precision,
    choose_threads,
    choose_workers,
    fit,
    gather_rows,
    join_ranks,
    leave_ranks,
    load_weights,
    sync_batch_norm,
    use_channels_last,
)
from compkit.files import atomic_path, write_text
from compkit.inference import AVERAGES, activate, predict_logits
from compkit.losses import AuxiliaryTerm, SetLoss, WithAuxiliary
from compkit.plan import Plan
from compkit.prepare import (
    Prepared,
    class_counts,
    first_logits,
    make_preprocessing,
    picture_of,
    prepare,
    target_prior,
)
from compkit.randomness import derive_seed, seed_everything
from compkit.report import write_report
from compkit.results import mean_predictions, prediction_frame, read_scores, score, summarise
from compkit.run_folder import check_name, check_writable, json_text, open_run
from compkit.types import Moment, Predictions, Table, Task


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


def wanted_folds(plan: Plan, data: Prepared) -> list[int]:
    """The folds to train, in their order."""
    return list(range(data.folds.num_folds)) if plan.train_folds is None else plan.train_folds


def try_parts(plan: Plan, data: Prepared) -> Preprocessing:
    """Build the parts of one fold, take two pictures through all of them, and let them go.

    A wrong option, parts that do not go together, or weights that cannot be had, end here.

    Returns:
        the preprocessing that all folds share, but for what `scaling` measures in each.
    """
    task = plan.competition.task
    plan.sampler.check_task(task)
    plan.scale.check_sampler(plan.sampler.whole_batches)
    for fold in wanted_folds(plan, data):  # a rare class may be missing in one of them only
        labels = data.table.labels[data.folds.train_rows(fold)]
        plan.sampler.order(labels, plan.batch_size, np.random.default_rng(0))
    plan.make_schedule().check(plan.epochs)
    plan.make_finetune().check(plan.epochs)
    train_rows = data.folds.train_rows(wanted_folds(plan, data)[0])
    learner = make_learner(plan, data, train_rows, Ranks())
    check_parts(plan, learner)
    plan.inference.resolve(learner.averaging.name)
    model: Any = learner.model
    preprocessing = make_preprocessing(plan, data.table, model.mean, model.std)
    scaled = fit_scaling(plan, data, train_rows, preprocessing)
    # the first pictures all the way through: an augmentation or a loss that cannot take them fails here
    draws = [Draw(train_rows[:2], 0, size) for size in plan.scale.all_sizes(plan.epochs)]
    loader = Loader(ImageDataset(data.table, scaled, plan.make_augment()), num_workers=0)
    fold_data = make_fold_data(plan, data, scaled, 0, loader)
    stepper = Stepper(learner, fold_data, replace(plan.trainer, compile=False), Ranks())
    moment = Moment(0, 0.0, plan.epochs)
    with torch.no_grad():
        for draw, batch in zip(draws, loader.batches(draws), strict=True):
            stepper.try_out(stepper.micro_batch(batch, draw, moment), moment)
    return preprocessing


def check_parts(plan: Plan, learner: Learner) -> None:
    """Refuse parts that do not go together.

    Raises:
        ValueError: with the keys to change.
    """
    loss = learner.loss.main if isinstance(learner.loss, WithAuxiliary) else learner.loss
    head: Any = getattr(learner.model, "head", None)
    if head is not None:
        head.check_task(plan.competition.task)
    if isinstance(plan.mixing, Mixing) and not loss.takes_mixed:
        raise ValueError(
            f"mixing mixes images, and loss {type(loss).__name__} is not defined for mixed labels. "
            "Set mixing=none, or another loss."
        )
    if getattr(head, "has_margin", False) and any(isinstance(one, SetLoss) for one in loss.modules()):
        raise ValueError(
            f"model/head with a margin needs a loss of single samples, and loss {type(loss).__name__} holds one of "
            "whole batches. Set model/head=linear, or loss=cross_entropy."
        )


def make_learner(plan: Plan, data: Prepared, train_rows: np.ndarray, ranks: Ranks) -> Learner:
    """All that learns in one fold, from its training rows' class counts or mean."""
    task, num_outputs = plan.competition.task, len(plan.competition.classes)
    targets = data.table.labels[train_rows]
    shift = {}
    if task == Task.REGRESSION:
        # outputs start at the mean and in units of the spread of the targets
        spread = targets.std(axis=0)
        shift = {"target_mean": targets.mean(axis=0), "target_std": np.where(spread > 0, spread, 1)}
    counts = class_counts(data.table, train_rows, task, num_outputs)
    model: Any = plan.make_model(
        num_outputs=num_outputs,
        class_counts=counts,
        first_logits=first_logits(counts, len(train_rows), task),
        auxiliary={name: column.num_outputs for name, column in data.auxiliary.items()},
        **shift,
        **({"dynamic_size": True} if isinstance(plan.scale, VaryingScale) else {}),
    )
    loss = plan.make_loss(class_counts=counts)
    loss.check_task(task)
    loss.prepare(model.num_features)
    if data.auxiliary:
        terms = {name: AuxiliaryTerm(one.task, one.weight) for name, one in data.auxiliary.items()}
        loss = WithAuxiliary(loss, terms)
    loss = loss.to(ranks.device)
    model = sync_batch_norm(model, plan.trainer.sync_bn, ranks).to(ranks.device)
    finetune = plan.make_finetune()
    groups = finetune.groups(model, plan.optimizer.lr, plan.optimizer.weight_decay)
    return Learner(
        model=model,
        loss=loss,
        optimizer=plan.optimizer.from_groups(groups),
        loss_optimizer=loss.make_optimizer(),
        schedule=plan.make_schedule(),
        finetune=finetune,
        averaging=plan.make_averaging(model),
        metrics={metric.name: metric for metric in plan.metrics},
        metric_name=plan.metric.name,
    )


def fit_scaling(
    plan: Plan, data: Prepared, train_rows: np.ndarray, preprocessing: Preprocessing
) -> Preprocessing:
    """The preprocessing of a fold, with what `scaling` measures on its training rows."""
    dataset = ImageDataset(data.table, preprocessing)
    return plan.scaling.fit(lambda row: dataset.sample(row).image, train_rows, preprocessing)


def make_fold_data(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, fold: int, loader: Loader
) -> FoldData:
    """What the fold learns from."""
    return FoldData(
        table=data.table,
        train_rows=data.folds.train_rows(fold),
        valid_rows=data.folds.valid_rows(fold),
        loader=loader,
        preprocessing=preprocessing,
        batch_size=plan.batch_size,
        task=plan.competition.task,
        sampler=plan.sampler,
        scale=plan.scale,
        mixing=plan.mixing,
        auxiliary={name: column.values for name, column in data.auxiliary.items()},
    )


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
    loader = make_loader(plan, data.table, preprocessing, ranks, augment=True)
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


def make_loader(
    plan: Plan, table: Table, preprocessing: Preprocessing, ranks: Ranks, augment: bool
) -> Loader:
    """Worker processes over a table."""
    dataset = ImageDataset(table, preprocessing, plan.make_augment() if augment else ())
    workers = choose_workers(plan.num_workers, ranks.local_world, ranks.device)
    return Loader(dataset, workers, pin_memory=ranks.device.type == "cuda")


def finish(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, scores: list[dict[str, Any]], console: Console
) -> dict[str, Any]:
    """Join the folds: oof.parquet, test.parquet, metrics.json, submission.csv, report.html."""
    competition, folder = plan.competition, plan.folder
    started = time.perf_counter()
    frames = [pd.read_parquet(folder / f"fold_{one['fold']}" / "oof.parquet") for one in scores]
    oof = pd.concat(frames, ignore_index=True)
    rows = pd.Index(data.table.ids).get_indexer(oof["id"])
    assert (rows >= 0).all() and oof["id"].is_unique
    oof = oof.iloc[np.argsort(rows)].reset_index(drop=True)  # the order of the competition's own CSV
    write_parquet(folder / "oof.parquet", oof)
    pooled = score(data.table.labels[np.sort(rows)], _values(oof), plan.metrics)
    metrics = summarise(scores, pooled, plan.metric, competition.task, competition.classes, data.folds.hash)
    write_text(folder / "metrics.json", json_text(metrics))

    if data.test is not None:
        frames = [pd.read_parquet(folder / f"fold_{one['fold']}" / "test.parquet") for one in scores]
        test = mean_predictions(
            [Predictions(frame["id"].to_numpy(dtype=str), _values(frame)) for frame in frames]
        )
        write_parquet(folder / "test.parquet", prediction_frame(test, -1, competition.classes))
        submit(plan, test, scores)
    write_report(folder, picture_of([data.table], preprocessing))

    columns = ["fold", *pooled, "best epoch", "seconds"]
    lines = [
        [one["fold"], *_digits(one["best"]), one["best_epoch"], f"{one['seconds']:.0f}"] for one in scores
    ]
    lines.append(["mean", *_digits(metrics["mean"]), "", f"{sum(one['seconds'] for one in scores):.0f}"])
    lines.append(["std", *_digits(metrics["std"]), "", ""])
    lines.append(["pooled OOF", *_digits(pooled), "", ""])
    console.table(f"{plan.name}: {plan.metric.name} {pooled[plan.metric.name]:.5f}", columns, lines)
    console.say(f"scores, submission and report in {folder} ({time.perf_counter() - started:.1f} s)")
    return metrics


def describe(plan: Plan, data: Prepared, preprocessing: Preprocessing, ranks: Ranks) -> str:
    """What was found and what the program chose by itself."""
    competition = plan.competition
    workers = choose_workers(plan.num_workers, ranks.local_world, ranks.device)
    precision = choose_precision(plan.trainer.precision, ranks.device)
    test = "no test pictures" if data.test is None else f"{len(data.test)} test pictures"
    return (
        f"{competition.name}: {len(data.table)} training pictures, {test}, {competition.task} with "
        f"{len(competition.classes)} output(s), metric {plan.metric.name}\n"
        f"folds: {data.folds.num_folds} by {data.folds.scheme}, hash {data.folds.hash[:12]}\n"
        f"device {ranks.device} x {ranks.world}, precision {precision or 'fp32'}, {torch.get_num_threads()} torch "
        f"thread(s) waiting passively, {workers} loading process(es) of one thread\n"
        f"pictures {preprocessing.height} x {preprocessing.width} px, "
        f"{'float32' if preprocessing.deep else 'uint8'}, {preprocessing.channels} channel(s); "
        f"batch {plan.batch_size} x {plan.trainer.accumulate} x {ranks.world}"
    )


def describe_groups(learner: Learner) -> tuple[str, list[str], list[list[object]]]:
    """What is trained at which rate, as a table: title, columns, rows."""
    rows = learner.finetune.summary(learner.model, learner.optimizer, 0)
    columns = ["group", "parameters", "lr", "weight decay", "frozen", "batch norm"]
    lines: list[list[object]] = [
        [
            row["name"],
            f"{row['parameters']:,}",
            f"{row['lr']:.3g}",
            f"{row['weight_decay']:.3g}",
            row["frozen"],
            row["batch_norm"],
        ]
        for row in rows
    ]
    return "parameter groups", columns, lines


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table atomically."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def submit(plan: Plan, test: Predictions, scores: list[dict[str, Any]]) -> None:
    """submission.csv in the sample's shape, read back, and submission.json: what it was made of."""
    shape, path = plan.submission_shape, plan.folder / "submission.csv"
    if shape is None:
        return
    shape["empty_token"] = plan.competition.empty_token
    format = write_submission(path=path, predictions=test, top_k=getattr(plan.metric, "k", 5), **shape)
    validate_submission(path=path, **shape)
    manifest = {
        "runs": [plan.name],
        "folds": [one["fold"] for one in scores],
        "weights": [one["weights"] for one in scores],
        "inference": plan.config["inference"],
        "format": format,
        "rows": len(test.ids),
    }
    write_text(plan.folder / "submission.json", json_text(manifest))


def _values(frame: pd.DataFrame) -> np.ndarray:
    """The predictions of a frame, float32 [N, C]."""
    return frame.filter(regex="^pred_").to_numpy(dtype=np.float32)


def _digits(scores: dict[str, float]) -> list[str]:
    return [f"{value:.5f}" for value in scores.values()]
