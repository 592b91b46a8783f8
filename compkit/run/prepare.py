"""What is settled before the first epoch: tables, pictures, folds, preprocessing. Here bad input ends."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compkit.competition import AuxiliaryLabels, Folds, read_auxiliary, read_folder
from compkit.data import BadImage, Preprocessing, find_bad_images, is_deep
from compkit.engine import Console, Ranks, cpu_cores
from compkit.inference import first_rows
from compkit.postprocess import Postprocess
from compkit.run.plan import Plan
from compkit.run.split import no_split, split
from compkit.run.submission_file import check_shape
from compkit.run.teachers import open_teachers
from compkit.semi import MeanTeacher, PseudoLabels
from compkit.types import Table, Task

MANY = 2000  # pictures whose reading takes long enough to be announced
EXPLAINED = 15  # bad pictures told with file and reason; more would not fit a screen


@dataclass(frozen=True)
class Prepared:
    """A run's data, checked.

    Attributes:
        table: rows to train and validate on.
        test: rows to predict; None when the competition has none, or none are wanted.
        unreadable: positions of test rows whose picture cannot be read; they get the training prior.
        folds: the split of `table`.
        auxiliary: labels of the auxiliary columns for each row of `table`.
        pseudo: further rows to train on, labelled by models; None without.
        unlabelled: further rows whose pictures alone are learnt from; none but for the mean teacher.
        teachers: plans of the runs that teach; none but for distillation.
    """

    table: Table
    test: Table | None
    unreadable: np.ndarray
    folds: Folds
    auxiliary: dict[str, AuxiliaryLabels]
    pseudo: PseudoLabels | None
    unlabelled: Table
    teachers: list[Plan]


def prepare(plan: Plan, ranks: Ranks, console: Console) -> Prepared:
    """Read and check everything that does not need a network.

    Raises:
        ValueError, FileNotFoundError: something is wrong with the data; nothing has been written yet.
    """
    competition = plan.competition
    for metric in plan.metrics:
        metric.check_task(competition.task)
    if isinstance(plan.postprocess, Postprocess):
        plan.postprocess.check(competition.task, plan.metric)
    table = competition.read_train(plan.limit)
    has_test = plan.predict_test and competition.test_images is not None
    test = competition.read_test() if has_test else None
    check_shape(plan, console)
    table = _without_bad_images(plan, table, ranks, console)
    unreadable = np.empty(0, dtype=np.int64)
    if test is not None:
        unreadable = unreadable_rows(plan, test, ranks, "test", console)
    auxiliary = {name: read_auxiliary(table.frame, name, column) for name, column in plan.auxiliary.items()}
    pseudo = (
        None if plan.pseudo_labels is None else PseudoLabels.read(plan.pseudo_labels, competition.classes)
    )
    folds = no_split(plan, table) if plan.full_data else split(plan, table, ranks, console)
    if pseudo is not None:
        _check_pseudo_labels(plan, table, folds, auxiliary, pseudo, ranks, console)
    unlabelled = _unlabelled(plan, table, ranks, console)
    if len(unlabelled) and auxiliary:
        raise ValueError(
            "semi.unlabelled goes with the target alone: those rows have no auxiliary columns. "
            "Set semi.unlabelled=null, or auxiliary={}."
        )
    teachers = open_teachers(plan, folds)
    return Prepared(table, test, unreadable, folds, auxiliary, pseudo, unlabelled, teachers)


def make_preprocessing(
    plan: Plan, table: Table, mean: Sequence[float], std: Sequence[float]
) -> Preprocessing:
    """Size from the config, mean and std (of the weights' own config), depth of the first training picture."""
    competition = plan.competition
    files = tuple(os.fsdecode(name) for name in table.files[0])
    height, width = plan.image_size
    return Preprocessing(
        height=height,
        width=width,
        channels=competition.channels,
        deep=is_deep(files, competition.max_value),
        max_value=competition.max_value,
        mean=tuple(mean),
        std=tuple(std),
    )


def target_prior(table: Table, rows: np.ndarray, num_outputs: int) -> np.ndarray:
    """What to predict without looking: class frequencies or mean targets of the rows, float32 [C]."""
    targets = table.labels[rows]
    if targets.ndim == 1:
        return (np.bincount(targets, minlength=num_outputs) / len(rows)).astype(np.float32)
    return targets.mean(axis=0)


def class_counts(table: Table, rows: np.ndarray, task: Task, num_outputs: int) -> np.ndarray | None:
    """Rows of each class, [C]; None for regression."""
    if task == Task.REGRESSION:
        return None
    targets = table.labels[rows]
    return np.bincount(targets, minlength=num_outputs) if targets.ndim == 1 else targets.sum(axis=0)


def first_logits(counts: np.ndarray | None, rows: int, task: Task) -> np.ndarray | None:
    """Logits that predict the class frequencies of the training rows, [C]; None for regression.

    Each frequency counts one sample more than there is, so that an empty class stays possible.

    >>> np.exp(first_logits(np.array([3, 0]), 3, Task.MULTICLASS)).round(2)
    array([0.8, 0.2])
    """
    if counts is None:
        return None
    if task == Task.MULTICLASS:
        return np.log((counts + 1) / (rows + len(counts)))
    prior = (counts + 1) / (rows + 2)
    return np.log(prior / (1 - prior))


def picture_of(tables: list[Table], preprocessing: Preprocessing) -> Callable[[str], np.ndarray | None]:
    """A function from an id to its picture as the network gets it, uint8 [H, W, 3]; None for unknown ids.

    The picture of a subject is its first one.
    """
    files = {id: names for table in tables for id, names in zip(table.ids, table.files, strict=True)}
    for table in tables:
        if table.subjects is not None:
            first = first_rows(table.subjects)
            files |= dict(zip(table.subjects[first], table.files[first], strict=True))

    def picture(id: str) -> np.ndarray | None:
        if id not in files:
            return None
        image = preprocessing.load(tuple(os.fsdecode(name) for name in files[id]))
        image = image if image.dtype == np.uint8 else (image * 255).round().clip(0, 255).astype(np.uint8)
        return image[..., [0, 0, 0]] if image.shape[2] < 3 else image[..., :3]

    return picture


def bad_images(plan: Plan, table: Table, ranks: Ranks, part: str, console: Console) -> list[BadImage]:
    """The part's pictures that cannot be read; rank 0 decodes those it has not seen whole before."""
    bad = None
    if ranks.is_main:
        known = plan.folder.parent / f"readable_{part}.json"
        competition = plan.competition
        if len(table) > MANY:
            console.say(f"reading all {len(table)} {part} pictures once; {known} remembers them")
        with console.epoch(len(table), f"reading {part} pictures") as bar:
            bad = find_bad_images(
                table,
                competition.channels,
                competition.max_value,
                threads=cpu_cores(),
                progress=lambda done, total: bar.advance(1),
                known=known,
            )
    return ranks.share(bad)


def unreadable_rows(plan: Plan, table: Table, ranks: Ranks, part: str, console: Console) -> np.ndarray:
    """Positions of pictures to predict that cannot be read, told by name: one must not stop a submission."""
    bad = bad_images(plan, table, ranks, part, console)
    if bad:
        told = f"{len(bad)} {part} picture(s) cannot be read and get the training prior as prediction"
        console.warn(f"{told}:\n{list_bad(bad)}")
    return np.flatnonzero(np.isin(table.ids, [image.id for image in bad]))


def _without_bad_images(plan: Plan, table: Table, ranks: Ranks, console: Console) -> Table:
    bad = bad_images(plan, table, ranks, "train", console)
    if not bad:
        return table
    if plan.competition.corrupt_images == "error":
        raise ValueError(
            f"{len(bad)} training picture(s) cannot be used:\n{list_bad(bad)}\n"
            "Repair them, or train without them: competition.corrupt_images=drop."
        )
    console.warn(f"{len(bad)} training picture(s) cannot be used and are left out:\n{list_bad(bad)}")
    return table.take(np.flatnonzero(~np.isin(table.ids, [image.id for image in bad])))


def list_bad(bad: list[BadImage]) -> str:
    """All bad pictures by name, the first of them with file and reason.

    >>> print(list_bad([BadImage("7", "train/7.png", "empty file")]))
      7: train/7.png: empty file
    """
    lines = [f"  {image.id}: {image.file}: {image.reason}" for image in bad[:EXPLAINED]]
    rest = ", ".join(image.id for image in bad[EXPLAINED:])
    return "\n".join(lines + ([f"  and {len(bad) - EXPLAINED} more: {rest}"] if rest else []))


def _check_pseudo_labels(
    plan: Plan,
    table: Table,
    folds: Folds,
    auxiliary: dict[str, AuxiliaryLabels],
    pseudo: PseudoLabels,
    ranks: Ranks,
    console: Console,
) -> None:
    """Refuse pseudo-labelled rows that a model would validate on, cannot read, or has none of."""
    if auxiliary:
        raise ValueError(
            "pseudo_labels go with the target alone: their rows have no auxiliary columns. Set auxiliary={}."
        )
    given = f"pseudo_labels={plan.pseudo_labels}"
    own = {os.path.abspath(file) for file in table.files[:, 0]}
    pairs = zip(pseudo.ids.tolist(), pseudo.files[:, 0], strict=True)
    both = sorted({id for id, file in pairs if os.path.abspath(file) in own})
    if both:
        raise ValueError(
            f"{given}: {len(both)} of its pictures are training pictures, some of which each fold validates on: "
            f"{', '.join(both[:5])}. Make it of other pictures with scripts/pseudo_label.py."
        )
    wanted = plan.train_folds or range(folds.num_folds)
    lacking = [] if plan.full_data else sorted(set(wanted) - set(pseudo.student.tolist()))
    if lacking:
        there = np.unique(pseudo.student).tolist()
        raise ValueError(
            f"{given}: has no rows for the model(s) of fold(s) {lacking}, only for {there}. "
            "Set train_folds to these, or make the file anew with scripts/pseudo_label.py."
        )
    ids, first = np.unique(pseudo.ids, return_index=True)
    bad = bad_images(plan, Table(ids, pseudo.files[first], None), ranks, "pseudo", console)
    if bad:
        raise ValueError(
            f"{given}: {len(bad)} picture(s) cannot be used:\n{list_bad(bad)}\n"
            "Repair them, or make the file anew with scripts/pseudo_label.py."
        )


def _unlabelled(plan: Plan, table: Table, ranks: Ranks, console: Console) -> Table:
    """The pictures that the mean teacher learns from without labels; those that cannot be read are left out."""
    if not isinstance(plan.semi, MeanTeacher) or plan.semi.unlabelled is None:
        return table.take(np.empty(0, dtype=np.int64))
    return read_unlabelled(plan, plan.semi.unlabelled, "semi.unlabelled", ranks, console)


def read_unlabelled(plan: Plan, given: str, key: str, ranks: Ranks, console: Console) -> Table:
    """The test set (`test`) or every picture of a folder, without those that cannot be read, which are told.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: no test set, or no picture that can be read; `key` is named.
    """
    competition = plan.competition
    if given == "test":
        if competition.test_images is None:
            raise ValueError(
                f"{key}=test: the competition has no test pictures. Set {key} to a folder of pictures."
            )
        found, part = competition.read_test(), "test"
    else:
        found, part = read_folder(Path(given).expanduser(), competition.channel_files, key), "folder"
    bad = bad_images(plan, found, ranks, part, console)
    if bad:
        console.warn(f"{len(bad)} unlabelled picture(s) cannot be read and are left out:\n{list_bad(bad)}")
    found = found.take(np.flatnonzero(~np.isin(found.ids, [image.id for image in bad])))
    if not len(found):
        raise ValueError(f"{key}={given}: no picture of it can be read. Set {key} to a folder of pictures.")
    return found
