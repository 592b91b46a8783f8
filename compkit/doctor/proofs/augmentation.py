"""Proofs of augmentation: apart from what is random, pictures are the same in training as in evaluation."""

import random
from typing import Any

import albumentations as A
import numpy as np
import torch

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.findings import Finding
from compkit.randomness import rng_scope

SEEDS = 6  # times that each transform is applied to a picture
MORE_SEEDS = 60  # times before it is said to be always the same
SHIFT = 0.05  # of the deviation, between training and evaluation
ROUNDED = 1e-4  # between the same reduction in two batches
DRIFT = 1.0  # of the deviation, between the mean of random copies and the picture


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
    # what changes the size is judged with the transforms behind it: a crop may take the padding away
    if all(alone) and copies[0][0].shape == images[0].shape and _never_differs([transform], images[0]):
        return [_always(name, remedy, copies[0][0], images[0])]
    if all(copy.std() == 0 for one in copies for copy in one):
        return [
            failed(
                "augmentation", f"{name} leaves pictures of one colour.", remedy, 0.0, "a deviation above 0"
            )
        ]
    return []


def _never_differs(transforms: list[Any], image: np.ndarray) -> bool:
    """Whether many seeds make the same of a picture; what is applied to nine of ten pictures differs in some."""
    first = augmented(transforms, image, 0)
    return all(same(augmented(transforms, image, seed), first) for seed in range(1, MORE_SEEDS))


def _always(what: str, remedy: str, copy: np.ndarray, image: np.ndarray) -> Finding:
    return failed(
        "augmentation",
        f"{what} changes pictures always in the same way, and in training alone: validation and test pictures stay "
        "as they are.",
        remedy,
        _shift(copy, image),
        "a random change, or none",
    )


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
                "will be scaled in different ways.",
                "Remove Normalize and ToFloat from augment: the program scales pictures itself.",
            )
        ]
    is_changed = any(not same(copies[number * SEEDS], image) for number, image in enumerate(images))
    if is_changed and all(_never_differs(transforms, image) for image in images[:2]):
        remedy = "Do the same to validation and test pictures before training, or remove it from augment."
        return [_always("augment", remedy, copies[0], images[0])]
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
        or own.watch.is_behind_norm  # which does another thing in training
        or any(one is None for one in seen)
        or own.watch.first.shape != own.images.shape
    ):
        return []
    count = min(len(bench.rows), len(own.images))
    judged = own.watch.first[:count]
    first, second = (one[:count] for one in seen if one is not None)
    if first.shape != judged.shape or second.shape != judged.shape:
        return []
    if torch.allclose(first, judged, rtol=ROUNDED, atol=ROUNDED):
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
