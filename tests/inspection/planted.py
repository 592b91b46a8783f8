"""Faults planted in small competitions, and healthy ones, each with the checks that must speak up.

python -m tests.inspection.planted prints the table.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir

from compkit.build import build_plan
from compkit.cli import config_dir
from compkit.competition import Competition
from compkit.demo import make_competition
from compkit.findings import Finding, Status
from compkit.inspection import Inspection, inspect
from compkit.results import OutOfFold
from compkit.run.plan import Plan
from compkit.types import Task

CLASSES = ("bird", "cat", "dog")
SIDE = 64
LOUD = (Status.WARN, Status.FAIL)


class Contest(NamedTuple):
    """Pictures and labels before they are written; faults change it in place."""

    pictures: list[np.ndarray]  # uint8 [H, W, 3] of the training rows
    labels: np.ndarray  # int64 [N]
    names: list[str]
    test: list[np.ndarray]
    quality: list[int]  # of the JPEG of each training row
    rng: np.random.Generator
    comments: dict[int, bytes]  # in the file of a training row


def scene(rng: np.random.Generator, label: int) -> np.ndarray:
    """A soft random background with shapes on it; the label is their kind: discs, squares or bars."""
    soft = cv2.resize(
        rng.integers(40, 215, (5, 5, 3), dtype=np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
    )
    picture = np.ascontiguousarray(soft)
    for _ in range(int(rng.integers(2, 5))):
        x, y, radius = (int(value) for value in rng.integers((8, 8, 4), (SIDE - 8, SIDE - 8, 10)))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        if label == 0:
            cv2.circle(picture, (x, y), radius, colour, -1)
        elif label == 1:
            cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), colour, -1)
        else:
            cv2.rectangle(picture, (x - 2 * radius, y - 2), (x + 2 * radius, y + 2), colour, -1)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def healthy(rows: int = 240, test: int = 120, seed: int = 0) -> Contest:
    """A competition without faults."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % len(CLASSES))
    names = [f"{number:06d}" for number in rng.choice(10**6, rows, replace=False)]
    return Contest(
        [scene(rng, label) for label in labels],
        labels,
        names,
        [scene(rng, label) for label in rng.integers(0, len(CLASSES), test)],
        [92] * rows,
        rng,
        {},
    )


def write(contest: Contest, folder: Path) -> Competition:
    """The competition as a download."""
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, picture, quality in zip(contest.names, contest.pictures, contest.quality, strict=True):
        cv2.imwrite(
            str(folder / "train" / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
    for row, comment in contest.comments.items():
        path = folder / "train" / f"{contest.names[row]}.jpg"
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        path.write_bytes(path.read_bytes()[:2] + segment + path.read_bytes()[2:])
    tests = [f"t{number:04d}" for number in range(len(contest.test))]
    for name, picture in zip(tests, contest.test, strict=True):
        cv2.imwrite(str(folder / "test" / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    labels = [CLASSES[label] for label in contest.labels]
    pd.DataFrame({"id": contest.names, "label": labels}).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": tests, "label": CLASSES[0]}).to_csv(folder / "sample_submission.csv", index=False)
    return Competition(
        "planted", folder, "multiclass", train_images="train/{id}.jpg", test_images="test/{id}.jpg"
    )


def plan_of(folder: Path, *overrides: str) -> Plan:
    """The plan of a run on a competition that lies in a folder."""
    keys = [
        f"competition.path={folder}",
        "competition.train_images='train/{id}.jpg'",
        "competition.test_images='test/{id}.jpg'",
        f"output_dir={folder / 'outputs'}",
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return build_plan(compose("train", overrides=["competition=folder", *keys, *overrides]))


def resaved(picture: np.ndarray, quality: int = 60, scale: float = 0.75, brighter: int = 12) -> np.ndarray:
    """The picture smaller, a little brighter and through JPEG once more."""
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.clip(small.astype(int) + brighter, 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def _copies(contest: Contest, change: Callable[[np.ndarray], np.ndarray], same_label: bool) -> None:
    for row in range(12):
        contest.pictures[-1 - row] = change(contest.pictures[row])
        contest.labels[-1 - row] = (contest.labels[row] + (not same_label)) % len(CLASSES)


def exact_duplicates(contest: Contest) -> None:
    _copies(contest, np.copy, same_label=True)


def near_duplicates(contest: Contest) -> None:
    _copies(contest, resaved, same_label=True)


def conflicting_labels(contest: Contest) -> None:
    _copies(contest, np.copy, same_label=False)


def conflicting_near(contest: Contest) -> None:
    _copies(contest, resaved, same_label=False)


def shared_with_test(contest: Contest) -> None:
    for row in range(8):
        contest.test[row] = contest.pictures[row] if row % 2 else resaved(contest.pictures[row])


def label_in_one_pixel(contest: Contest) -> None:
    for picture, label in zip(contest.pictures, contest.labels, strict=True):
        picture[3, 7] = 120 * label


def label_in_a_corner(contest: Contest) -> None:
    for picture, label in zip(contest.pictures, contest.labels, strict=True):
        picture[-6:, -6:] = 120 * label


def label_by_file_size(contest: Contest) -> None:
    contest.quality[:] = [(60, 80, 96)[label] for label in contest.labels]


def label_by_picture_size(contest: Contest) -> None:
    for row, label in enumerate(contest.labels):
        contest.pictures[row] = cv2.resize(contest.pictures[row], (SIDE + 8 * int(label), SIDE))


def label_by_file_name(contest: Contest) -> None:
    contest.names[:] = [
        f"{int(label)}{name}" for name, label in zip(contest.names, contest.labels, strict=True)
    ]


def class_in_file_name(contest: Contest) -> None:
    contest.names[:] = [
        f"{name}_{CLASSES[label]}" for name, label in zip(contest.names, contest.labels, strict=True)
    ]


def label_by_row_order(contest: Contest) -> None:
    contest.labels.sort()
    for row, label in enumerate(contest.labels):
        contest.pictures[row] = scene(contest.rng, label)


def labels_in_blocks(contest: Contest) -> None:
    contest.labels[:] = np.repeat(contest.rng.permutation(np.arange(24) % 3), len(contest.labels) // 24)
    for row, label in enumerate(contest.labels):
        contest.pictures[row] = scene(contest.rng, label)


def label_by_colour(contest: Contest) -> None:
    for picture, label in zip(contest.pictures, contest.labels, strict=True):
        picture[..., label] = np.clip(picture[..., label].astype(int) + 90, 0, 255)


def constant_pictures(contest: Contest) -> None:
    contest.pictures[3] = np.full((SIDE, SIDE, 3), 128, np.uint8)


def other_domain(contest: Contest) -> None:
    contest.test[:] = [cv2.GaussianBlur(picture // 2 + 60, (0, 0), 1.5) for picture in contest.test]


def mirrored_duplicates(contest: Contest) -> None:
    _copies(contest, lambda picture: np.ascontiguousarray(picture[:, ::-1]), same_label=True)


def cut_duplicates(contest: Contest) -> None:
    _copies(contest, lambda picture: cv2.resize(picture[2:-2, 2:-2], (SIDE, SIDE)), same_label=True)


def brightened_duplicates(contest: Contest) -> None:
    _copies(contest, lambda picture: cv2.convertScaleAbs(picture, alpha=1.1, beta=15), same_label=True)


def label_by_jpeg_quality(contest: Contest) -> None:
    contest.quality[:] = [(90, 92, 94)[label] for label in contest.labels]


def label_by_border(contest: Contest) -> None:
    for picture, label in zip(contest.pictures, contest.labels, strict=True):
        picture[:2] = picture[-2:] = picture[:, :2] = picture[:, -2:] = 40 + 80 * label


def label_by_wide_border(contest: Contest) -> None:
    for picture, label in zip(contest.pictures, contest.labels, strict=True):
        picture[:12] = picture[-12:] = picture[:, :12] = picture[:, -12:] = 40 + 80 * label


def label_by_comment(contest: Contest) -> None:
    contest.comments.update(
        {row: b"camera " + b"abc"[label : label + 1] for row, label in enumerate(contest.labels)}
    )


class Fault(NamedTuple):
    """A fault and the check that must find it."""

    plant: Callable[[Contest], None]
    check: str


FAULTS = (
    Fault(exact_duplicates, "duplicates across folds"),
    Fault(near_duplicates, "duplicates across folds"),
    Fault(conflicting_labels, "duplicates with different labels"),
    Fault(conflicting_near, "duplicates with different labels"),
    Fault(mirrored_duplicates, "duplicates across folds"),
    Fault(cut_duplicates, "duplicates across folds"),
    Fault(brightened_duplicates, "duplicates across folds"),
    Fault(shared_with_test, "duplicates across train and test"),
    Fault(label_by_jpeg_quality, "shortcut: file format"),
    Fault(label_by_border, "shortcut: border"),
    Fault(label_by_wide_border, "shortcut: border"),
    Fault(label_by_comment, "shortcut: file metadata"),
    Fault(label_in_one_pixel, "shortcut: single pixels"),
    Fault(label_in_a_corner, "shortcut: single pixels"),
    Fault(label_by_file_size, "shortcut: file size"),
    Fault(label_by_picture_size, "shortcut: picture size"),
    Fault(label_by_file_name, "shortcut: file name"),
    Fault(class_in_file_name, "shortcut: file name"),
    Fault(label_by_row_order, "shortcut: row order"),
    Fault(labels_in_blocks, "shortcut: row order"),
    Fault(label_by_colour, "shortcut: mean colour"),
    Fault(constant_pictures, "empty pictures, train"),
    Fault(other_domain, "train against test"),
)


def plant(fault: Fault | None, folder: Path, seed: int = 0) -> Inspection:
    """Inspect a competition with a fault, or a healthy one."""
    contest = healthy(seed=seed)
    if fault is not None:
        fault.plant(contest)
    write(contest, folder)
    return inspect(plan_of(folder), None, threads=1)


def loud(findings: Sequence[Finding]) -> set[str]:
    """The checks that say WARN or FAIL."""
    return {finding.check for finding in findings if finding.status in LOUD}


def flipped_predictions(
    share: float, seed: int = 0, rows: int = 900, skill: float = 2.5
) -> tuple[OutOfFold, np.ndarray]:
    """Out-of-fold probabilities of a decent model for labels of which a share was flipped, and which ones."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, len(CLASSES), rows)
    logits = rng.normal(0, 1, (rows, len(CLASSES))) + skill * 1.6 * np.eye(len(CLASSES))[true]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    is_flipped = rng.random(rows) < share
    given = np.where(is_flipped, (true + rng.integers(1, len(CLASSES), rows)) % len(CLASSES), true)
    ids = np.array([f"{row:04d}" for row in range(rows)], dtype=object)
    return OutOfFold(Task.MULTICLASS, ids, np.arange(rows) % 5, given, probs, CLASSES), is_flipped


def embedded_plan(name: str, folder: Path) -> Plan:
    """The plan of a run on an embedded competition, which is healthy."""
    if not (folder / name).is_dir():
        make_competition(name, folder / name, folder / "solutions")
    paths = [f"data_dir={folder}", f"output_dir={folder / 'outputs'}"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return build_plan(compose("train", overrides=[f"competition={name}", *paths]))


def print_table(seeds: Sequence[int] = (0, 1, 2)) -> None:
    """A line for each fault and each healthy competition: the check that must speak up, and which did."""
    print(f"{'planted':24} {'must be found by':34} {'found':>6}  others that spoke up")
    for fault in (None, *FAULTS):
        hits, others = 0, set()
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                spoke = loud(plant(fault, Path(folder), seed).findings)
            hits += fault is not None and fault.check in spoke
            others |= spoke - ({fault.check} if fault else set())
        name, check = ("nothing", "none") if fault is None else (fault.plant.__name__, fault.check)
        print(
            f"{name:24} {check:34} {hits if fault else '-':>3}/{len(seeds)}  {', '.join(sorted(others)) or '-'}"
        )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("digits", "mosaic", "tilt"):
            spoke = loud(inspect(embedded_plan(name, Path(folder)), None, threads=2).findings)
            print(f"{name:24} {'none':34} {'-':>6}  {', '.join(sorted(spoke)) or '-'}")


if __name__ == "__main__":
    print_table()
