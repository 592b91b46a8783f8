"""One run, from top to bottom: read, split, fit each fold, predict, score, submit, report."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from compkit.data import Loader, Preprocessing
from compkit.deadline import Deadline, OutOfTime
from compkit.diagnosis import diagnose_fold, diagnose_together, show_findings
from compkit.doctor import prove_at_start, write_findings
from compkit.engine import (
    Console,
    Learner,
    Progress,
    Ranks,
    choose_threads,
    fit,
    is_over,
    join_ranks,
    leave_ranks,
    peak_memory,
    use_channels_last,
)
from compkit.files import write_text
from compkit.inference import AVERAGES, InferenceSettings, ViewSearch, per_subject
from compkit.privacy import private_tree
from compkit.randomness import derive_seed, seed_everything
from compkit.report import write_report
from compkit.results import prediction_frame, read_scores, score
from compkit.run.assemble import (
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
from compkit.run.explanations import Seen, explain_fold
from compkit.run.folder import check_name, check_writable, json_text, open_run
from compkit.run.outcome import ImageOf, conclude, write_parquet
from compkit.run.plan import Plan
from compkit.run.predict_table import join_folds, join_test, predict_rows, write_test
from compkit.run.prepare import (
    Prepared,
    picture_of,
    prepare,
    target_prior,
)
from compkit.run.submission_file import submit
from compkit.run.teacher_cache import cached_lessons
from compkit.run.trained_fold import TrainedFold, find_snapshots, load_models
from compkit.semi import Distillation


def run(plan: Plan) -> dict[str, Any]:
    """Train and predict every fold, then write scores, submission and report.

    Whatever can be wrong is looked for before the run's folder exists and the first epoch starts.

    Returns:
        what metrics.json holds.
    """
    if isinstance(plan.inference, ViewSearch):
        raise ValueError(
            "inference=search chooses views with folds that are trained: train with inference=plain, and then "
            f"python scripts/predict.py run={plan.folder} inference=search"
        )
    deadline = Deadline(plan.trainer.max_hours)
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
            preprocessing, scaled = try_parts(plan, data)
            findings = prove_at_start(plan, data, scaled, ranks, console)

            if ranks.is_main:
                open_run(plan.folder, plan.config, plan.overrides, ranks.device)
                if not plan.full_data:
                    data.folds.write(plan.folder / "folds.csv")
                console.log_to(plan.folder)
                write_findings(plan.folder / "doctor.json", findings)
            ranks.barrier()
            console.say(describe(plan, data, preprocessing, ranks))
            scores: list[dict[str, Any]] = []
            try:
                for fold in wanted_folds(plan, data):
                    scores.append(run_fold(plan, data, preprocessing, fold, ranks, console, deadline))
                    if ranks.is_main:
                        show_findings(diagnose_fold(plan.folder, fold), console, f"fold {fold}")
            except OutOfTime as stop:
                console.say(describe_stop(plan, stop, [one["fold"] for one in scores]))
                raise
            return finish(plan, data, preprocessing, scores, console) if ranks.is_main else {}
    finally:
        leave_ranks()


def describe_stop(plan: Plan, stop: OutOfTime, done: list[int]) -> str:
    """What to say when the hours are over: how to go on, and how to use what there is."""
    text = (
        f"{plan.name}: trainer.max_hours={plan.trainer.max_hours} are over: stopped in {stop}; all is saved. "
        "The same command with resume=true goes on."
    )
    if done:
        text += f" With train_folds={str(done).replace(' ', '')} too it makes scores and a submission of what is done."
    return text


def run_fold(
    plan: Plan,
    data: Prepared,
    preprocessing: Preprocessing,
    fold: int,
    ranks: Ranks,
    console: Console,
    deadline: Deadline,
) -> dict[str, Any]:
    """Fit one fold and predict its validation and test rows; what is done already is not done again.

    Returns:
        the fold's entry of metrics.json.
    """
    folder, title = plan.folder / f"fold_{fold}", f"{'model' if plan.full_data else 'fold'} {fold}"
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
    if isinstance(plan.semi, Distillation) and plan.semi.cache:
        lessons = cached_lessons(plan, data.teachers, fold, fold_data, ranks, console)
        fold_data = replace(fold_data, lessons=lessons)
    metadata = {
        "preprocessing": preprocessing.to_dict(),
        "classes": list(plan.competition.classes),
        "task": str(plan.competition.task),
        "auxiliary": {name: column.num_outputs for name, column in data.auxiliary.items()},
        "prior": target_prior(data.table, train_rows, len(plan.competition.classes)).tolist(),
    }
    loggers = plan.loggers if ranks.is_main else []
    for logger in loggers:
        logger.start_fold(fold, plan.name, private_tree(plan.config), plan.folder)
    if ranks.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(ranks.device)
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
        title=title,
        metadata=metadata,
        deadline=deadline,
    )

    done = folder / "scores.json"
    scores = read_scores(done) if done.is_file() else {}
    if scores.get("epochs") != progress.epoch:
        ranks.barrier()  # the weights are on disk
        if is_over(deadline, ranks):
            raise OutOfTime(f"{title}, trained and not yet predicted")
        scores = predict_fold(plan, data, preprocessing, fold, learner, loader, progress, ranks, console)
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
    console: Console,
) -> dict[str, Any]:
    """Predict the fold's validation rows and the test set with its best weights; write both and the scores."""
    folder, classes = plan.folder / f"fold_{fold}", plan.competition.classes
    train_rows, valid_rows = data.folds.train_rows(fold), data.folds.valid_rows(fold)
    settings = choose_weights(plan, learner.averaging.name, find_snapshots(folder), progress)
    models = load_models(folder, settings.kinds, learner.model)
    prior = target_prior(data.table, train_rows, len(classes))
    trained = TrainedFold(fold, models, settings, preprocessing, classes, prior)
    last = "last" if data.table.subjects is None else "last_per_picture"  # histories know no subjects
    scores: dict[str, Any] = {
        "fold": fold,
        "weights": settings.weights,
        "inference": settings.record(),
        "best_epoch": int(progress.best.get(settings.kinds[0], {"epoch": progress.epoch})["epoch"]),
        "epochs": progress.epoch,
        "best": {},
        last: {},
        "train_rows": len(train_rows),
        "val_rows": len(valid_rows),
        "seconds": sum(row["seconds"] for row in progress.history),
        "images_per_second": float(np.median([row["images_per_second"] for row in progress.history])),
        "peak_memory_gib": peak_memory(ranks.device),
    }
    if len(valid_rows):  # else the model has seen every row, and nothing can tell how good it is
        oof = predict_rows(plan, data.table, valid_rows, trained, ranks, loader)
        prefix = f"{settings.weights}_val_" if settings.weights in AVERAGES else "val_"
        labels, how = data.table.labels[valid_rows], plan.competition.subject_average
        scores["best"] = score(*per_subject(labels, oof.values, oof.subjects, how), plan.metrics)
        scores[last] = {metric.name: progress.history[-1][prefix + metric.name] for metric in plan.metrics}
        if ranks.is_main:
            frame = prediction_frame(oof, fold, classes, data.table.take(valid_rows))
            write_parquet(folder / "oof.parquet", frame)
            wanted = wanted_folds(plan, data)
            share = plan.explain.of_fold(wanted.index(fold), len(wanted))
            seen = Seen(data.table, valid_rows, oof.values, loader)
            explain_fold(plan, share, trained, seen, ranks, console)
    if data.test is not None:
        write_test(folder / "test.parquet", plan, data.test, data.unreadable, trained, ranks, console)
    if ranks.is_main:
        write_text(folder / "scores.json", json_text(scores))
    return scores


def choose_weights(
    plan: Plan, average: str, snapshots: Sequence[str], progress: Progress
) -> InferenceSettings:
    """The run's inference with the weights that predict: best, last, or the average, which a fold that stopped early
    may not have yet.

    Raises:
        ValueError: there is no average or snapshot, and inference.weights asks for it.
    """
    has_average = f"{average}_val_loss" in progress.history[-1]
    if average in plan.inference.kinds and not has_average:
        raise ValueError(
            f"inference.weights={average}: training ended after epoch {progress.epoch} of {plan.epochs}, before the "
            "average began. Continue with a larger trainer.early_stopping_epochs, or start anew with a smaller "
            "averaging.start or with inference.weights=auto."
        )
    return plan.inference.resolve(average if has_average else "none", snapshots)


def finish(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, scores: list[dict[str, Any]], console: Console
) -> dict[str, Any]:
    """Join the folds to oof.parquet and test.parquet, and draw the conclusions."""
    made_by = scores[0]["inference"]
    assert all(one["inference"] == made_by for one in scores), "folds predicted in different ways"
    image_of = picture_of([data.table], preprocessing)
    if plan.full_data:
        return finish_without_scores(plan, data, scores, image_of, console)
    join_folds(plan, [one["fold"] for one in scores], data.table, has_test=data.test is not None)
    show_findings(diagnose_together(plan.folder), console, "all folds")
    return conclude(plan, scores, data.folds.hash, image_of, console, {"inference": made_by})


def finish_without_scores(
    plan: Plan, data: Prepared, scores: list[dict[str, Any]], image_of: ImageOf, console: Console
) -> dict[str, Any]:
    """test.parquet, the mean of the models, the submission and a report, where no row was left to score."""
    folder, classes = plan.folder, plan.competition.classes
    if data.test is not None:
        files = [folder / f"fold_{one['fold']}" / "test.parquet" for one in scores]
        join_test(plan, files, folder / "test.parquet", classes)
        submit(plan, scores, classes)
    write_report(folder, image_of)
    console.say(
        f"{plan.name}: trained on all rows, so there is no score; test predictions and report in {folder}"
    )
    return {}
