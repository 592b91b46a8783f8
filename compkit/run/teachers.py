"""What a run learns from beside its labels: the runs that teach it, checked, and put into the parts of a fold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compkit.competition import Folds
from compkit.data import Mixing
from compkit.engine import Learner, Lessons, Ranks, read_metadata
from compkit.losses import Loss, WithConsistency, WithTeacher
from compkit.models import AdaCosHead
from compkit.randomness import restore_rng, rng_state
from compkit.run.plan import Plan
from compkit.run.trained_fold import load_fold, weights_files
from compkit.semi import (
    Distillation,
    MeanTeacher,
    MeanTeacherLessons,
    Teacher,
    TeacherLessons,
    column_order,
)


def open_teachers(plan: Plan, folds: Folds) -> list[Plan]:
    """The plans of the runs that teach, each checked against the student's; none without distillation.

    Raises:
        FileNotFoundError: no run there.
        ValueError: other folds, task, classes or channels, or a wanted fold is not finished; by the run's name.
    """
    if not isinstance(plan.semi, Distillation):
        return []
    if plan.full_data:
        raise ValueError(
            "semi=distillation teaches the model of each fold by the teachers' models of that fold, and full_data=true "
            "has none. Set full_data=false, or semi=none."
        )
    wanted = list(range(folds.num_folds)) if plan.train_folds is None else plan.train_folds
    teachers = []
    for run in plan.semi.teachers:
        if not (Path(run).expanduser() / "config.yaml").is_file():
            raise FileNotFoundError(
                f"semi.teachers: {run} is no run's folder, it has no config.yaml. Set semi.teachers=[…] to the "
                "folders of finished runs, such as outputs/digits/resnet50."
            )
        teacher = plan.load_run(Path(run).expanduser(), trust=plan.semi.trust)
        check_teacher(plan, teacher, folds, wanted)
        teachers.append(teacher)
    return teachers


def check_teacher(plan: Plan, teacher: Plan, folds: Folds, wanted: Sequence[int]) -> None:
    """Refuse a run that cannot teach this one, or would show it the answers."""
    name, task, classes = f"semi.teachers: {teacher.folder}", plan.competition.task, plan.competition.classes
    if teacher.full_data:
        raise ValueError(
            f"{name} was trained on all rows, those that validate here among them. Give the run with folds instead."
        )
    path = teacher.folder / "folds.csv"
    theirs = Folds.read(path).hash if path.is_file() else "none"
    if theirs != folds.hash:
        raise ValueError(
            f"{name} was split otherwise: fold hash {theirs[:12]}, this run's {folds.hash[:12]}. Its models have seen "
            "rows that validate here. Train it with the same rows, folds and fold_seed, or leave it out."
        )
    unfinished = [
        fold
        for fold in wanted
        if not (teacher.folder / f"fold_{fold}" / "scores.json").is_file()
        or not all(file.is_file() for file in weights_files(teacher, fold))
    ]
    if unfinished:
        raise ValueError(
            f"{name} has no finished model of fold(s) {unfinished}, which teach the same folds here. Train it to its "
            "end, set train_folds to what it has, or give the runs that it was made of."
        )
    for fold in wanted:
        metadata = read_metadata(weights_files(teacher, fold)[0])
        if metadata["task"] != task or sorted(metadata["classes"]) != sorted(classes):
            raise ValueError(
                f"{name} predicts other things: {metadata['task']} of {metadata['classes'][:10]}, this run {task} of "
                f"{list(classes[:10])}. Give runs of this competition, with the same competition.classes."
            )
        channels = metadata["preprocessing"]["channels"]
        if channels != plan.competition.channels:
            raise ValueError(
                f"{name} reads pictures of {channels} channel(s), this run {plan.competition.channels}. Set "
                f"competition.channels={channels}, or give another teacher."
            )


def fold_teachers(teachers: Sequence[Plan], classes: tuple[str, ...], fold: int) -> list[Teacher]:
    """The networks of one fold of each run; nothing is drawn from the generators.

    A run that predicts with several checkpoints teaches with all of them.
    """
    before, found = rng_state(), []
    for plan in teachers:
        trained = load_fold(plan, fold, Ranks())
        order = column_order(classes, trained.classes)
        found += [Teacher(model, trained.preprocessing, order) for model in trained.models]
    restore_rng(before)
    return found


def with_teaching(
    plan: Plan, teachers: Sequence[Plan], loss: Loss, spread: np.ndarray | None, fold: int
) -> Loss:
    """The loss of the labels, and what `semi` adds to it.

    Args:
        plan: of the run.
        teachers: what `open_teachers` gave.
        loss: of the labels.
        spread: of the targets, [C]; for regression only.
        fold: one that is trained; the networks of all have the same shape.
    """
    semi, task = plan.semi, plan.competition.task
    if isinstance(semi, MeanTeacher):
        return WithConsistency(loss, task, semi.weight, semi.ramp_up, spread)
    if not isinstance(semi, Distillation):
        return loss
    sizes: list[int] = []
    if semi.feature_weight:
        models: list[Any] = [one.model for one in fold_teachers(teachers, plan.competition.classes, fold)]
        sizes = [model.num_features for model in models]
    return WithTeacher(
        loss, task, semi.temperature, semi.alpha, spread, semi.feature_weight, semi.feature_lr, sizes
    )


def make_lessons(plan: Plan, teachers: Sequence[Plan], unlabelled: np.ndarray, fold: int) -> Lessons:
    """How a fold's pictures become steps: `unlabelled` are positions in its table, int64 [U]."""
    if isinstance(plan.semi, Distillation):
        networks = fold_teachers(teachers, plan.competition.classes, fold)
        return TeacherLessons(networks, with_features=plan.semi.feature_weight > 0)
    if isinstance(plan.semi, MeanTeacher):
        return MeanTeacherLessons(unlabelled, plan.semi.unlabelled_batch_size)
    return Lessons()


def check_teaching(plan: Plan, learner: Learner) -> None:
    """Refuse parts that do not go together with what `semi` adds.

    Raises:
        ValueError: with the keys to change.
    """
    semi, mixes = plan.semi, isinstance(plan.mixing, Mixing)
    if isinstance(semi, Distillation) and semi.cache and mixes:
        raise ValueError(
            "semi.cache=true keeps what the teachers say of whole pictures, and mixing shows mixed ones. Set "
            "semi.cache=false, so that the teachers see the mixed pictures, or mixing=none."
        )
    if not isinstance(semi, MeanTeacher):
        return
    if learner.averaging.name != "ema":
        raise ValueError(
            f"semi=mean_teacher is taught by the running average of the weights, and this run keeps "
            f"{learner.averaging.name}. Set averaging=ema."
        )
    if mixes:
        raise ValueError(
            "semi=mean_teacher compares two views of one picture, and mixing puts several into one. Set mixing=none."
        )
    head: Any = getattr(learner.model, "head", None)
    if semi.unlabelled is not None and (getattr(head, "has_margin", False) or isinstance(head, AdaCosHead)):
        raise ValueError(
            f"model/head {type(head).__name__} looks at labels inside the network, and unlabelled pictures have none. "
            "Set semi.unlabelled=null, or model/head=linear."
        )
