"""What a fold needs, put together from the plan and the data: network, loss, optimizer, loader."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from compkit.data import Draw, ImageDataset, Loader, Mixing, Preprocessing
from compkit.engine import (
    FoldData,
    Learner,
    Ranks,
    Stepper,
    choose_precision,
    choose_workers,
    sync_batch_norm,
)
from compkit.inference import try_views
from compkit.losses import AuxiliaryTerm, SetLoss, WithAuxiliary, WithConsistency, WithTeacher
from compkit.optim import Plateau
from compkit.postprocess import Postprocess
from compkit.run.plan import Plan
from compkit.run.prepare import Prepared, class_counts, first_logits, make_preprocessing
from compkit.run.teachers import check_teaching, make_lessons, with_teaching
from compkit.semi import with_pseudo_labels, with_unlabelled
from compkit.types import Moment, Table, Task


def wanted_folds(plan: Plan, data: Prepared) -> list[int]:
    """The folds to train, in their order; with full_data the numbers of the models."""
    if plan.train_folds is None:
        return [0] if plan.full_data else list(range(data.folds.num_folds))
    return plan.train_folds


class Tried(NamedTuple):
    """What was settled while the parts of a run were tried out."""

    preprocessing: Preprocessing  # that all folds share, but for what `scaling` measures in each
    scaled: Preprocessing  # of the first fold, with what was measured in it


def try_parts(plan: Plan, data: Prepared) -> Tried:
    """Build the parts of one fold, take two pictures through all of them, and let them go.

    A wrong option, parts that do not go together, or weights that cannot be had, end here.
    """
    task = plan.competition.task
    plan.sampler.check_task(task)
    plan.scale.check_sampler(plan.sampler.whole_batches)
    for fold in wanted_folds(plan, data):  # a rare class may be missing in one of them only
        labels = data.table.labels[data.folds.train_rows(fold)]
        plan.sampler.order(labels, plan.batch_size, np.random.default_rng(0))
    plan.make_schedule().check(plan.epochs)
    plan.make_finetune().check(plan.epochs)
    first = wanted_folds(plan, data)[0]
    train_rows = data.folds.train_rows(first)
    learner = make_learner(plan, data, train_rows, Ranks())
    check_parts(plan, learner)
    check_teaching(plan, learner)
    check_soft_labels(plan, data, learner)
    check_full_data(plan, learner)
    check_inference(plan, learner)
    model: Any = learner.model
    preprocessing = make_preprocessing(plan, data.table, model.mean, model.std)
    scaled = fit_scaling(plan, data, train_rows, preprocessing)
    # the first pictures all the way through: an augmentation or a loss that cannot take them fails here
    table, _ = fold_table(plan, data, first)
    rows = (
        train_rows[:2]
        if data.pseudo is None
        else np.array([train_rows[0], len(table) - len(data.unlabelled) - 1])
    )
    draws = [Draw(rows, 0, size) for size in plan.scale.all_sizes(plan.epochs)]
    loader = Loader(ImageDataset(table, scaled, plan.make_augment()), num_workers=0)
    fold_data = make_fold_data(plan, data, scaled, first, loader)
    stepper = Stepper(learner, fold_data, replace(plan.trainer, compile=False), Ranks())
    moment = Moment(0, 0.0, plan.epochs)
    with torch.no_grad():
        for window, _ in fold_data.lessons.windows(stepper, [[draw] for draw in draws], lambda: moment):
            stepper.try_out(window[0], moment)
    try_views(model, plan.inference, scaled)
    return Tried(preprocessing, scaled)


def check_inference(plan: Plan, learner: Learner) -> None:
    """Refuse views that do not fit, and weights that the run will not have.

    Raises:
        ValueError: with the keys to change.
    """
    plan.inference.check(plan.competition.task, plan.competition.classes, plan.image_size)
    ended = [learner.schedule.cycle_ended(epoch + 1, plan.epochs) for epoch in range(plan.epochs)]
    snapshots = [f"snapshot_{cycle}" for cycle in ended if cycle is not None]
    plan.inference.resolve(learner.averaging.name, snapshots)


def check_parts(plan: Plan, learner: Learner) -> None:
    """Refuse parts that do not go together.

    Raises:
        ValueError: with the keys to change.
    """
    loss = learner.loss
    while isinstance(loss, WithAuxiliary | WithTeacher | WithConsistency):
        loss = loss.main
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


def check_soft_labels(plan: Plan, data: Prepared, learner: Learner) -> None:
    """Refuse soft pseudo-labels where a label has to be wholly there or not at all.

    Raises:
        ValueError: with the keys to change.
    """
    task = plan.competition.task
    if data.pseudo is None or data.pseudo.is_hard or task == Task.REGRESSION:
        return
    head: Any = getattr(learner.model, "head", None)
    needs = []
    if "features" in learner.loss.reads or not learner.loss.takes_mixed:
        needs.append(f"loss {type(learner.loss).__name__}")
    if getattr(head, "has_margin", False):
        needs.append("a head with a margin")
    if needs:
        raise ValueError(
            f"pseudo_labels={plan.pseudo_labels} are soft, and {' and '.join(needs)} needs labels that are wholly "
            "there or not at all. Make the file with kind=hard, or choose another loss and model/head=linear."
        )


def check_full_data(plan: Plan, learner: Learner) -> None:
    """Refuse what waits for a validation score where there will be none.

    Raises:
        ValueError: with the keys to change.
    """
    if not plan.full_data:
        return
    if plan.trainer.early_stopping_epochs is not None:
        raise ValueError(
            f"full_data=true leaves no row to validate on, which trainer.early_stopping_epochs="
            f"{plan.trainer.early_stopping_epochs} waits for. Set trainer.early_stopping_epochs=null."
        )
    if isinstance(learner.schedule, Plateau):
        raise ValueError(
            "full_data=true leaves no row to validate on, which schedule=plateau waits for. Set schedule=cosine."
        )
    if isinstance(plan.postprocess, Postprocess):
        raise ValueError(
            f"full_data=true leaves no out-of-fold prediction, on which postprocess={plan.postprocess.name} is "
            "learned. Set postprocess=none, or refit a run that has folds: scripts/refit.py run=…"
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
        **plan.size_options,
    )
    loss = plan.make_loss(class_counts=counts)
    loss.check_task(task)
    loss = with_teaching(plan, data.teachers, loss, shift.get("target_std"), wanted_folds(plan, data)[0])
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


def fold_table(plan: Plan, data: Prepared, fold: int) -> tuple[Table, np.ndarray | None]:
    """The table of a fold, behind its own rows pseudo-labelled ones and last of all those without any label; and soft
    labels of all rows, if there are any."""
    table, soft, task = data.table, None, plan.competition.task
    if data.pseudo is not None:
        pseudo = data.pseudo.of_all_students(task) if plan.full_data else data.pseudo.of_student(fold)
        table, soft = with_pseudo_labels(table, pseudo, task)
    return with_unlabelled(table, data.unlabelled, soft) if len(data.unlabelled) else (table, soft)


def make_fold_data(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, fold: int, loader: Loader
) -> FoldData:
    """What the fold learns from."""
    table, soft = fold_table(plan, data, fold)
    labelled = len(table) - len(data.unlabelled)
    return FoldData(
        table=table,
        train_rows=np.concatenate([data.folds.train_rows(fold), np.arange(len(data.table), labelled)]),
        valid_rows=data.folds.valid_rows(fold),
        loader=loader,
        preprocessing=preprocessing,
        batch_size=plan.batch_size,
        task=plan.competition.task,
        sampler=plan.sampler,
        scale=plan.scale,
        mixing=plan.mixing,
        auxiliary={name: column.values for name, column in data.auxiliary.items()},
        soft=soft,
        lessons=make_lessons(plan, data.teachers, np.arange(labelled, len(table)), fold),
        pseudo_rows=labelled - len(data.table),
    )


def make_loader(
    plan: Plan, table: Table, preprocessing: Preprocessing, ranks: Ranks, augment: bool
) -> Loader:
    """Worker processes over a table."""
    dataset = ImageDataset(table, preprocessing, plan.make_augment() if augment else ())
    workers = choose_workers(plan.num_workers, ranks.local_world, ranks.device)
    return Loader(dataset, workers, pin_memory=ranks.device.type == "cuda")


def describe(plan: Plan, data: Prepared, preprocessing: Preprocessing, ranks: Ranks) -> str:
    """What was found and what the program chose by itself."""
    competition = plan.competition
    workers = choose_workers(plan.num_workers, ranks.local_world, ranks.device)
    precision = choose_precision(plan.trainer.precision, ranks.device)
    test = "no test pictures" if data.test is None else f"{len(data.test)} test pictures"
    split = f"folds: {data.folds.num_folds} by {data.folds.scheme}, hash {data.folds.hash[:12]}"
    if plan.full_data:
        split = "no folds: every model trains on all rows, and nothing validates"
    if data.pseudo is not None:
        split += f"; {len(np.unique(data.pseudo.ids))} pseudo-labelled pictures beside them"
    return (
        f"{competition.name}: {len(data.table)} training pictures, {test}, {competition.task} with "
        f"{len(competition.classes)} output(s), metric {plan.metric.name}\n"
        f"{split}\n"
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
