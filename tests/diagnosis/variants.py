"""Trainings of some seconds on the embedded competitions: healthy ones of many kinds, and ones with a planted fault."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

NETS = {
    "resnet": ("model.backbone=test_resnet", "image_size=32", "lr=2e-3"),
    "vit": ("model.backbone=test_vit", "image_size=64", "lr=1e-3", "schedule.warmup_epochs=1"),
}
COMMON = (
    "model=timm",
    "model.pretrained=false",
    "limit=600",
    "folds=3",
    "train_folds=[0]",
    "epochs=10",
    "batch_size=16",
    "num_workers=0",
    "trainer.threads=1",
    "predict_test=false",
)


class Variant(NamedTuple):
    """One training: its overrides, what is done to the labels, and which findings should name the fault."""

    overrides: tuple[str, ...] = ()
    labels: str | None = None  # a key of LABELS
    expected: frozenset[str] = frozenset()  # any of these; none: healthy
    nets: tuple[str, ...] = ("resnet",)


BOTH = ("resnet", "vit")
HEALTHY = {
    "plain": Variant(nets=BOTH),
    "adamw": Variant(("optimizer=adamw",), nets=BOTH),
    "momentum": Variant(("optimizer=momentum", "lr=0.03")),
    "sgd": Variant(("optimizer=sgd", "lr=0.1")),
    "lion": Variant(("optimizer=lion", "lr=3e-4")),
    "rmsprop": Variant(("optimizer=rmsprop", "lr=1e-3")),
    "constant": Variant(("schedule=constant",), nets=BOTH),
    "one_cycle": Variant(("schedule=one_cycle", "lr=4e-3"), nets=("resnet",)),
    "cosine_cycles": Variant(("schedule=cosine_cycles",)),
    "plateau": Variant(("schedule=plateau", "schedule.patience=2")),
    "step": Variant(("schedule=step",)),
    "exponential": Variant(("schedule=exponential",)),
    "warm_up": Variant(("schedule.warmup_epochs=3",)),
    "mixup": Variant(("mixing=mixup",), nets=BOTH),
    "cutmix_until_late": Variant(("mixing=cutmix", "mixing.off_epochs=2")),
    "mixup_cutmix": Variant(("mixing=mixup_cutmix",)),
    "augmented": Variant(("augment=light",), nets=BOTH),
    "heavily_augmented": Variant(("augment=heavy", "~augment.flip"), nets=("resnet",)),
    "label_smoothing": Variant(("loss=label_smoothing",), nets=BOTH),
    "focal": Variant(("loss=focal",)),
    "hard_samples": Variant(("loss=ohem",)),
    "hinge": Variant(("loss=hinge",)),
    "arcface": Variant(("model/head=arcface", "model.head.scale=16")),
    "cosine_head": Variant(("model/head=cosine",)),
    "retrieval": Variant(("loss=bag_of_tricks", "model/neck=bnneck", "sampler=pk")),
    "frozen_first": Variant(("finetune=freeze", "finetune.freeze_backbone_epochs=2"), nets=BOTH),
    "ema": Variant(("averaging=ema",)),
    "swa": Variant(("averaging=swa",)),
    "drop_path": Variant(("model.drop_path_rate=0.2", "model/neck=dropout"), nets=("vit",)),
    "clipped": Variant(("trainer.clip_at=1", "trainer.accumulate=2")),
    "sizes": Variant(("scale=progressive",)),
    "imbalanced": Variant(labels="imbalanced", nets=BOTH),
    "imbalanced_and_balanced": Variant(("sampler=balanced",), labels="imbalanced"),
    "imbalanced_and_weighted": Variant(("loss.class_weight=inverse_frequency",), labels="imbalanced"),
    "few_epochs": Variant(("epochs=2",), nets=BOTH),
    "one_epoch": Variant(("epochs=1",)),
    "stopped_early": Variant(("epochs=30", "trainer.early_stopping_epochs=4", "schedule=constant")),
    "tiny_validation": Variant(("folds=30",)),
    "angles": Variant(("competition=tilt", "epochs=12")),
    "angles_mae": Variant(("competition=tilt", "loss=mae", "epochs=12")),
    "angles_huber": Variant(("competition=tilt", "loss=huber", "loss.delta=10", "epochs=12")),
    "several_labels": Variant(("competition=mosaic", "image_size=32", "limit=900", "epochs=12")),
}
FAULTS = {
    "lr_times_100": Variant(("lr=0.2",), expected=frozenset({"first_epoch", "explosion", "not_learning", "divergence"}), nets=BOTH),
    "lr_over_1000": Variant(("lr=1e-6",), expected=frozenset({"not_learning", "slow"}), nets=BOTH),
    "shuffled_labels": Variant(labels="shuffled", expected=frozenset({"not_learning", "chance"}), nets=BOTH),
    "wrong_labels": Variant(("limit=1400",), labels="wrong", expected=frozenset({"label_noise", "overfit", "gap"}), nets=BOTH),
    "few_rows": Variant(
        ("competition.fold_column=part", "folds=2", "batch_size=8", "epochs=30", "limit=null"),
        labels="few",
        expected=frozenset({"gap", "overfit"}),
        nets=BOTH,
    ),
    "other_validation": Variant(
        ("+augment.invert={_target_:albumentations.InvertImg,p:1}",), expected=frozenset({"chance", "gap"}), nets=BOTH
    ),
}  # fmt: skip


def imbalanced(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows that are kept, so that class 9 has an eighth of class 0."""
    share = 0.125 ** (labels.astype(int) / 9)
    return rng.random(len(labels)) < share


def shuffled(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The labels of other rows."""
    return rng.permutation(labels)


def wrong(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two of five labels replaced by any other class."""
    numbers = labels.astype(int)
    other = (numbers + rng.integers(1, 10, len(labels))) % 10
    return np.where(rng.random(len(labels)) < 0.4, other, numbers).astype(str)


def few(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows that are kept: 400 to validate on, and 40 to learn from."""
    return np.isin(np.arange(len(labels)), rng.permutation(len(labels))[:440])


LABELS = {"imbalanced": imbalanced, "shuffled": shuffled, "wrong": wrong, "few": few}


def competition_with(kind: str, digits: Path, folder: Path, seed: int) -> Path:
    """A copy of the digits whose training table was changed; the pictures are links."""
    if (folder / "train.csv").is_file():
        return folder
    folder.mkdir(parents=True)
    table = pd.read_csv(digits / "train.csv", dtype=str)
    rng, labels = np.random.default_rng(seed), table["label"].to_numpy()
    if kind in ("imbalanced", "few"):
        table = table[LABELS[kind](labels, rng)]
        table["part"] = (np.arange(len(table)) >= 400).astype(int)  # fold 0 validates on the first 400
    else:
        table["label"] = LABELS[kind](labels, rng)
    for name in ("train", "test", "sample_submission.csv"):
        (folder / name).symlink_to(digits / name)
    table.to_csv(folder / "train.csv", index=False)
    return folder
