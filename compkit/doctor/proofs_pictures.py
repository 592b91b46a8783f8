"""Proofs of what enters the network: real pictures of their rows, scaled, in training as in evaluation."""

import random
from typing import Any

import albumentations as A
import numpy as np
import torch

from compkit.data import Draw, PretrainedScaling
from compkit.doctor.bench import Bench
from compkit.doctor.proof import doubted, failed, left_out
from compkit.doctor.proofs_numbers import almost_constant, stand_in
from compkit.findings import Finding
from compkit.models import Classifier
from compkit.models.weights import pretrained_config
from compkit.randomness import rng_scope
from compkit.types import Task

DARK, LOUD = 0.03, 8.0  # deviation of what enters the first layer; it is about 1 where pictures are scaled
FAR = 8.0  # mean of what enters the first layer, likewise
DIM = 0.1  # of the range of files of more than 8 bits, which some pixel reaches
SEEDS = 6  # times that each transform is applied to a picture
SHIFT = 0.05  # of the deviation, between training and evaluation
DRIFT = 1.0  # of the deviation, between the mean of random copies and the picture


def rows(bench: Bench) -> list[Finding]:
    """The loader brings each row's own picture and label."""
    batch, found = bench.clean, []
    labels = torch.from_numpy(bench.labels[batch.rows.numpy()])
    if not torch.equal(batch.targets, labels):
        found.append(
            failed(
                "rows",
                "The targets of a batch are not those of its rows in the table.",
                "Look at what changes the table's targets or order.",
            )
        )
    for place in range(0, len(batch.rows), 3):
        alone = next(bench.fold_data.loader.batches([Draw(batch.rows.numpy()[place : place + 1], None)]))
        if not torch.equal(alone.images[0], batch.images[place]):
            return [
                *found,
                failed(
                    "rows",
                    f"The picture of {bench.fold_data.table.ids[int(batch.rows[place])]} is another one in a batch "
                    "than alone.",
                    "Reading must not depend on what was read before: look for caches and files that change.",
                ),
            ]
    return found


def labels(bench: Bench) -> list[Finding]:
    """Labels are finite, in range, of more than one kind, and classes are named once."""
    own, found = bench.labels[bench.fold_data.train_rows], []
    is_wrong = (own < 0) | (own >= bench.num_outputs) if own.ndim == 1 else ~np.isfinite(own)
    if bench.task == Task.MULTILABEL:
        is_wrong |= (own < 0) | (own > 1)
    if is_wrong.any():
        bad = np.flatnonzero(is_wrong.reshape(len(own), -1).any(axis=1))
        name = bench.fold_data.table.ids[bench.fold_data.train_rows[bad[0]]]
        return [
            failed(
                "labels",
                f"{len(bad)} training rows have a target out of range, {name} among them.",
                "Look at competition.target_column and competition.classes.",
                len(bad),
                "0",
            )
        ]
    if (own == own[0]).all():
        found.append(
            doubted(
                "labels",
                f"All {len(own)} training rows have the same target: there is nothing to learn.",
                "Look at competition.target_column, or set a larger limit.",
                1.0,
                "more than one target",
            )
        )
    names = [name.strip().casefold() for name in map(str, bench.plan.competition.classes)]
    alike = sorted({name for name in names if names.count(name) > 1})
    if alike:
        twins = [name for name in bench.plan.competition.classes if str(name).strip().casefold() == alike[0]]
        found.append(
            doubted(
                "labels",
                f"Classes differ in blanks or capitals alone: {' and '.join(repr(str(name)) for name in twins)}.",
                "If they are one class, write its name in one way in the train table.",
                len(alike),
                "0",
            )
        )
    if bench.task == Task.REGRESSION and len(own) >= 30:
        columns = bench.plan.competition.classes
        found += _outlier(bench, own) or stand_in(own, columns) or almost_constant(own, columns)
    return found


def _outlier(bench: Bench, own: np.ndarray) -> list[Finding]:
    """One target that makes up nearly all of the variance."""
    squares = (own - np.median(own, axis=0)).astype(np.float64) ** 2
    shares = squares.max(axis=0) / np.maximum(squares.sum(axis=0), 1e-300)
    column = int(shares.argmax())
    if shares[column] < 0.8:
        return []
    row = int(bench.fold_data.train_rows[squares[:, column].argmax()])
    table = bench.fold_data.table
    return [
        doubted(
            "labels",
            f"One row, {table.ids[row]} with {table.labels[row, column]:.4g}, makes up {shares[column]:.0%} of the "
            f"variance of {bench.plan.competition.classes[column]}.",
            "Correct it in the train table; or set loss=mae or loss=huber, which single rows move less.",
            float(shares[column]),
            "below 80%",
        )
    ]


def pictures(bench: Bench) -> list[Finding]:
    """Pictures differ, are finite, and enter the network with a deviation near 1."""
    batch = bench.clean
    values = batch.images.float()
    if batch.images.dtype != torch.uint8 and not (bool(torch.isfinite(values).all())):
        return [
            failed(
                "pictures",
                "Pictures hold values that are not finite.",
                "Repair or leave out these files: scripts/inspect_data.py names them.",
            )
        ]
    if batch.images.dtype != torch.uint8 and float(values.abs().max()) > 1.5:
        return [
            failed(
                "pictures",
                f"Pixels go up to {float(values.abs().max()):.4g}, where they should lie between 0 and 1.",
                "Set competition.max_value to the largest value a pixel can have, e.g. 255 or 65535.",
                float(values.abs().max()),
                "at most 1",
            )
        ]
    flat = values.flatten(1)
    if bool((flat == flat[:, :1]).all()):
        return [
            failed(
                "pictures",
                f"All of {len(flat)} pictures are of one colour: nothing can be seen in them.",
                "Look at the files, and at competition.max_value for pictures of more than 8 bits.",
                0.0,
                "a deviation above 0",
            )
        ]
    if len(flat) > 2 and bool((flat == flat[0]).all()):
        return [
            failed(
                "pictures",
                f"{len(flat)} rows all show the same picture.",
                "Look at competition.train_images: does each row name its own file?",
                0.0,
                "pictures that differ",
            )
        ]
    return _entering(bench) or _dim(bench, float(values.max()))


def _dim(bench: Bench, brightest: float) -> list[Finding]:
    """Deep pictures that use a small part of their files' range: 12 bits in 16 reach 0.06."""
    is_deep = bench.clean.images.dtype != torch.uint8
    if not is_deep or brightest >= DIM or not isinstance(bench.plan.scaling, PretrainedScaling):
        return []
    return [
        doubted(
            "pictures",
            f"The brightest pixel of {len(bench.clean.images)} pictures has {brightest:.2g} of the range of the files.",
            "Set competition.max_value to the largest value a pixel can have, e.g. 4095 for 12 bits in files of 16, or "
            "scaling=measured.",
            brightest,
            f"at least {DIM}",
        )
    ]


def _entering(bench: Bench) -> list[Finding]:
    """What the first layer gets; a network's own scaling counts too."""
    first = bench.evaluated.watch.first
    if first is None or not first.is_floating_point():
        return [
            left_out(
                "pictures", "The network's first layer could not be found, only its pictures were looked at."
            )
        ]
    if bool((first == first[:1]).all()) and len(first) > 2:
        return [
            failed(
                "pictures",
                "The first layer of the network gets the same values for all pictures.",
                "Look for what overwrites the pictures in the model (model._target_).",
                0.0,
                "values that differ",
            )
        ]
    mean, std = float(first.double().mean()), float(first.double().std())
    if DARK <= std <= LOUD and abs(mean) <= FAR:
        return []
    what = (
        "as if pixels from 0 to 255 were not scaled" if std > LOUD or abs(mean) > FAR else "next to nothing"
    )
    return [
        doubted(
            "pictures",
            f"What enters the first layer has mean {mean:.3g} and deviation {std:.3g}, {what}.",
            "Set scaling=measured, look at mean and std of the model (model._target_), and at competition.max_value "
            "for "
            "pictures of more than 8 bits.",
            std,
            f"a deviation from {DARK} to {LOUD}, usually near 1",
        )
    ]


def scaling(bench: Bench) -> list[Finding]:
    """Pretrained weights get the mean and deviation they were trained with."""
    model, plan = bench.model, bench.plan
    if not isinstance(model, Classifier) or not isinstance(plan.scaling, PretrainedScaling):
        return [left_out("scaling", "The scaling is measured or the model's own.")]
    config = pretrained_config(model.backbone.name)
    preprocessing = bench.fold_data.preprocessing
    options = plan.config["model"]
    if not options.get("pretrained") and options.get("weights") is None:
        return [left_out("scaling", "The weights are not pretrained.")]
    if preprocessing.channels != 3:
        return [left_out("scaling", "The pictures have not three channels.")]
    pairs = zip((*config.mean, *config.std), (*preprocessing.mean, *preprocessing.std), strict=True)
    apart = max(abs(wanted - given) for wanted, given in pairs)
    if apart < 1e-3:
        return []
    return [
        doubted(
            "scaling",
            f"The weights were trained with mean {config.mean} and std {config.std}, pictures are scaled with "
            f"{preprocessing.mean} and {preprocessing.std}.",
            "Leave mean and std to the model's weights, or set scaling=measured if it is meant.",
            apart,
            "0",
        )
    ]


def augmentation(bench: Bench) -> list[Finding]:
    """Apart from what is random, pictures are the same in training as in evaluation."""
    transforms = bench.plan.make_augment()
    if not transforms:
        return _same_inputs(bench)
    # the first two may be of one class, all grey: exchanged colours were not seen there
    chosen = [image for image in bench.clean.images.numpy()[::2][:4] if image.std() > 0]
    if len(chosen) < 2:
        return [left_out("augmentation", "The pictures are of one colour.")]
    found = []
    for transform in transforms:
        found += _one_transform(transform, chosen)
    return (found or _together(bench, transforms, chosen)) + _same_inputs(bench)


def augmented(transforms: list[Any], image: np.ndarray, seed: int) -> np.ndarray:
    """A picture as training would get it."""
    compose = A.Compose(transforms)
    compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
    with rng_scope(seed):
        return compose(image=image.copy())["image"]


def _one_transform(transform: Any, images: list[np.ndarray]) -> list[Finding]:
    """What a transform always does, to two pictures."""
    name = type(transform).__name__
    copies = [[augmented([transform], image, seed) for seed in range(SEEDS)] for image in images[:2]]
    remedy = f"Remove {name} from augment, or do the same to validation and test pictures before training."
    changed = [any(not same(copy, image) for copy in one) for one, image in zip(copies, images, strict=False)]
    if not any(changed):
        return []
    if any(not np.isfinite(copy).all() for one in copies for copy in one):
        return [failed("augmentation", f"{name} makes pixels that are not finite.", remedy)]
    alone = [all(same(copy, one[0]) for copy in one) for one in copies]
    if all(alone) and same(copies[0][0], copies[1][0]):
        return [
            failed(
                "augmentation",
                f"{name} makes the same picture of all pictures.",
                "Remove it from augment: the network would be shown nothing else.",
                0.0,
                "pictures that differ",
            )
        ]
    if all(alone):
        return [
            failed(
                "augmentation",
                f"{name} changes pictures always in the same way, and in training alone: validation and test "
                "pictures stay "
                "as they are.",
                remedy,
                _shift(copies[0][0], images[0]),
                "a random change, or none",
            )
        ]
    if all(copy.std() == 0 for one in copies for copy in one):
        return [
            failed(
                "augmentation", f"{name} leaves pictures of one colour.", remedy, 0.0, "a deviation above 0"
            )
        ]
    return []


def _together(bench: Bench, transforms: list[Any], images: list[np.ndarray]) -> list[Finding]:
    """All transforms at once: size, type, and the mean of random copies."""
    copies = [augmented(transforms, image, seed) for image in images for seed in range(SEEDS)]
    sizes = {copy.shape[:2] for copy in copies}
    if sizes != {images[0].shape[:2]}:
        return [
            doubted(
                "augmentation",
                f"Augmented pictures are of {sorted(sizes)} pixels, those of evaluation of {images[0].shape[:2]}.",
                "Let the last transform of augment return image_size, or set image_size to that of augment.",
            )
        ]
    kinds = {copy.dtype for copy in copies}
    if kinds != {images[0].dtype}:
        return [
            failed(
                "augmentation",
                f"Augmented pictures are {sorted(map(str, kinds))}, those of evaluation {images[0].dtype}: they "
                "will be "
                "scaled in different ways.",
                "Remove Normalize and ToFloat from augment: the program scales pictures itself.",
            )
        ]
    pixels = np.stack(images).astype(np.float64)
    shift = abs(np.stack(copies).astype(np.float64).mean() - pixels.mean()) / pixels.std()
    if shift < DRIFT:
        return []
    return [
        doubted(
            "augmentation",
            f"Augmented pictures are on average {shift:.1f} deviations brighter or darker than those of evaluation.",
            "Set weaker colour transforms in augment, or such as go both ways.",
            float(shift),
            f"below {DRIFT}",
        )
    ]


def _same_inputs(bench: Bench) -> list[Finding]:
    """A network that changes its pictures by itself does so in evaluation too."""
    seen = [watch.first for watch in bench.lesson.watches]
    own = bench.evaluated
    if (
        own.watch.first is None
        or any(one is None for one in seen)
        or own.watch.first.shape != own.images.shape
    ):
        return []
    count = min(len(bench.rows), len(own.images))
    judged = own.watch.first[:count]
    first, second = (one[:count] for one in seen if one is not None)
    if first.shape != judged.shape or second.shape != judged.shape or torch.equal(first, judged):
        return []
    std = float(judged.double().std()) or 1.0
    shift = float((first.double().mean() - judged.double().mean()).abs()) / std
    if torch.equal(first, second):
        return [
            failed(
                "augmentation",
                f"The network changes its pictures in training in a way it does not in evaluation: their means lie "
                f"{shift:.2f} deviations apart.",
                "Let the model (model._target_) do the same to pictures whether self.training is true or not.",
                shift,
                f"below {SHIFT}",
            )
        ]
    if shift < SHIFT:
        return []
    return [
        doubted(
            "augmentation",
            f"The network itself makes pictures brighter or darker in training, by {shift:.2f} deviations on average.",
            "Let the model's own noise (model._target_) leave the mean alone.",
            shift,
            f"below {SHIFT}",
        )
    ]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in shape and values; a picture may lose its last axis on the way."""
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other)


def _shift(copy: np.ndarray, image: np.ndarray) -> float:
    """Difference of the means in deviations of the picture."""
    return float(
        abs(copy.astype(np.float64).mean() - image.astype(np.float64).mean()) / max(image.std(), 1e-12)
    )
