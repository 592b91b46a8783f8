"""What a fold needs, put together from the plan and the data: network, loss, optimizer, loader."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compkit.data import Draw, ImageDataset, Loader, Mixing, Preprocessing, VaryingScale
from compkit.engine import (
    FoldData,
    Learner,
    Ranks,
    Stepper,
    choose_precision,
    choose_workers,
    sync_batch_norm,
)
from compkit.losses import AuxiliaryTerm, SetLoss, WithAuxiliary
from compkit.plan import Plan
from compkit.prepare import Prepared, class_counts, first_logits, make_preprocessing
from compkit.semi import with_pseudo_labels
from compkit.types import Moment, Table, Task


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
    first = wanted_folds(plan, data)[0]
    train_rows = data.folds.train_rows(first)
    learner = make_learner(plan, data, train_rows, Ranks())
    check_parts(plan, learner)
    plan.inference.resolve(learner.averaging.name)
    model: Any = learner.model
    preprocessing = make_preprocessing(plan, data.table, model.mean, model.std)
    scaled = fit_scaling(plan, data, train_rows, preprocessing)
    # the first pictures all the way through: an augmentation or a loss that cannot take them fails here
    table, _ = fold_table(plan, data, first)
    rows = train_rows[:2] if data.pseudo is None else np.array([train_rows[0], len(table) - 1])
    draws = [Draw(rows, 0, size) for size in plan.scale.all_sizes(plan.epochs)]
    loader = Loader(ImageDataset(table, scaled, plan.make_augment()), num_workers=0)
    fold_data = make_fold_data(plan, data, scaled, first, loader)
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


def fold_table(plan: Plan, data: Prepared, fold: int) -> tuple[Table, np.ndarray | None]:
    """The table of a fold, its pseudo-labelled rows last; and soft labels of all rows, if there are any."""
    if data.pseudo is None:
        return data.table, None
    return with_pseudo_labels(data.table, data.pseudo.of_student(fold), plan.competition.task)


def make_fold_data(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, fold: int, loader: Loader
) -> FoldData:
    """What the fold learns from."""
    table, soft = fold_table(plan, data, fold)
    return FoldData(
        table=table,
        train_rows=np.concatenate([data.folds.train_rows(fold), np.arange(len(data.table), len(table))]),
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
