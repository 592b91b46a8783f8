"""What the files and labels are like: damaged and empty pictures, sizes, formats, class counts, mean and deviation."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from compkit.competition import Folds
from compkit.findings import Finding, Status
from compkit.pictures.measure import Measured
from compkit.types import Table, Task

NAMED = 5  # ids in a message; evidence and page have all
IMBALANCED = 10.0  # most frequent class against the rarest
SMALLEST_PX, LARGEST_PX, STEP_PX = 32, 384, 32  # of a suggested image_size
NOT_SPLIT = "full_data=true: every row is trained on, none validates"


def file_findings(measured: Measured, ids: np.ndarray, part: str, corrupt_images: str) -> list[Finding]:
    """Findings on pictures that cannot be read or show nothing.

    Args:
        measured, ids: of the N pictures of a part.
        part: train or test.
        corrupt_images: of the competition: whether training stops at them.
    """
    return [
        readable_finding(measured, part, corrupt_images),
        _empty(measured, ids, part),
        _turned(measured, ids, part),
        *_kinds(measured, ids, part),
    ]


def require_readable(measured: Measured, train_images: str) -> None:
    """Refuse a training set of which nothing can be read.

    Args:
        measured: of the training pictures.
        train_images: of the competition: where they were looked for.

    Raises:
        ValueError: naming the first of them and why.
    """
    if not measured.readable.any():
        raise ValueError(
            f"{readable_finding(measured, 'train', 'error').message}. None is left to look at: fetch them again, or "
            f"correct competition.train_images={train_images}, competition.channels or competition.max_value."
        )


def readable_finding(measured: Measured, part: str, corrupt_images: str) -> Finding:
    """Which pictures of a part cannot be read, and why."""
    check, expected = f"readable pictures, {part}", "all of them"
    bad = measured.bad
    if not bad:
        return Finding(check, Status.PASS, f"all {len(measured)} {part} pictures can be read", 0, expected)
    named = "; ".join(f"{one.id}: {one.reason}" for one in bad[:NAMED])
    message = f"{len(bad)} of {len(measured)} {part} pictures cannot be read: {named}"
    stops = part == "train" and corrupt_images == "error"
    remedy = "repair or fetch them again; they get the training prior as prediction."
    if part == "train":
        remedy = "repair or fetch them again, or train without them: competition.corrupt_images=drop."
    evidence = {"ids": [one.id for one in bad], "reasons": [one.reason for one in bad]}
    return Finding(
        check, Status.FAIL if stops else Status.WARN, message, len(bad), expected, remedy, evidence
    )


def _empty(measured: Measured, ids: np.ndarray, part: str) -> Finding:
    check, expected = f"empty pictures, {part}", "none of one colour only"
    names = ids[measured.constant].tolist()
    if not names:
        return Finding(check, Status.PASS, f"no {part} picture is of one colour only", 0, expected)
    message = f"{len(names)} {part} pictures are of one colour: {_first(names)}"
    remedy = "look at them; drop such training rows, as nothing can be learnt from them."
    if 2 * len(names) > len(ids):
        remedy = (
            "that is most of them: look at some with another program. They were saved so, or are read wrongly: "
            "competition.max_value, competition.channels."
        )
    return Finding(check, Status.WARN, message, len(names), expected, remedy, {"ids": names})


def _turned(measured: Measured, ids: np.ndarray, part: str) -> Finding:
    """Orientation and transparency are no faults, but other readers show such pictures otherwise."""
    turned, clear = ids[measured.orientation > 1].tolist(), ids[measured.has_alpha].tolist()
    check = f"orientation and transparency, {part}"
    if not turned and not clear:
        return Finding(check, Status.PASS, f"no {part} picture is turned by its header or transparent", 0)
    message = (
        f"{len(turned)} {part} pictures are turned upright as their EXIF header says ({_first(turned)}), "
        f"{len(clear)} have transparency ({_first(clear)})"
    )
    return Finding(
        check, Status.INFO, message, len(turned) + len(clear), evidence={"turned": turned, "clear": clear}
    )


def _kinds(measured: Measured, ids: np.ndarray, part: str) -> list[Finding]:
    """Files that other readers may show otherwise, and pictures of several depths side by side."""
    is_cmyk = (measured.formats == "jpeg") & (measured.stored_channels == 4)
    kinds = {
        "have another format than their name says": measured.misnamed,
        "are JPEGs of four inks (CMYK), turned into red, green and blue": is_cmyk,
        "are animated, of which the first picture counts": measured.is_animated,
    }
    seen = [
        f"{int(mask.sum())} {what} ({_first(ids[mask].tolist())})"
        for what, mask in kinds.items()
        if mask.any()
    ]
    check = f"kinds of files, {part}"
    message = f"the {part} files are what their names say"
    found = [Finding(check, Status.PASS, message, 0)]
    if seen:
        count = int(np.logical_or.reduce(list(kinds.values())).sum())
        found = [Finding(check, Status.INFO, f"of {len(ids)} {part} files {'; '.join(seen)}", count)]
    deep, shallow = (
        measured.readable & told for told in (measured.bits > 8, (measured.bits > 0) & (measured.bits <= 8))
    )
    if deep.any() and shallow.any():
        fewer = deep if deep.sum() < shallow.sum() else shallow
        message = (
            f"{int(deep.sum())} {part} pictures have more than 8 bits a value and {int(shallow.sum())} have not; the "
            f"fewer: {_first(ids[fewer].tolist())}"
        )
        remedy = (
            "save all at one depth, or check that the largest value means the same in both (competition.max_value): "
            "the first training picture decides how many levels are kept."
        )
        expected = "pictures of one depth"
        depth = f"depth of pictures, {part}"
        found.append(Finding(depth, Status.WARN, message, int(fewer.sum()), expected, remedy))
    return found


def class_finding(table: Table, task: Task, classes: Sequence[str]) -> Finding:
    """How uneven the classes are; INFO, as it is no fault."""
    check = "class balance"
    if task == Task.REGRESSION:
        return Finding(check, Status.SKIP, "regression has no classes")
    counts = label_counts(table, task, len(classes))
    seen = counts[counts > 0]
    if not len(seen):  # labels that are all absent; of exclusive classes each row has one
        message = f"no training row has any of the {len(classes)} labels"
        return Finding(check, Status.INFO, message, expected="every label in some row")
    ratio = float(seen.max() / seen.min())
    rarest, absent = classes[int(np.where(counts > 0, counts, np.inf).argmin())], int((counts == 0).sum())
    message = (
        f"{len(classes)} classes of {int(seen.min())} ({rarest}) to {int(seen.max())} pictures"
        + f"; {absent} without any" * bool(absent)
    )
    status = Status.INFO if ratio > IMBALANCED or absent else Status.PASS
    return Finding(check, status, message, ratio, f"most frequent to rarest below {IMBALANCED:g}")


def fold_findings(folds: Folds | str, table: Table, task: Task, classes: Sequence[str]) -> list[Finding]:
    """What a split lacks.

    Args:
        folds: of the table, or why there are none.
    """
    check = "folds"
    if folds == NOT_SPLIT:
        return [Finding(check, Status.SKIP, NOT_SPLIT)]
    if isinstance(folds, str):
        return [
            Finding(
                check, Status.FAIL, folds, remedy="train.py would stop here too: set what the message names."
            )
        ]
    # as for regression, which has no classes: those are told below, of all folds at once
    told = folds.audit(table.labels, Task.REGRESSION)
    remedy = "set fewer folds, or another competition.fold_scheme."
    found = [Finding(check, Status.WARN, one.rstrip("."), remedy=remedy) for one in told]
    if task != Task.REGRESSION:
        found += _lacking_classes(folds, table, task, classes)
    fine = Finding(
        check, Status.PASS, f"{folds.num_folds} folds ({folds.scheme}) have all classes and like sizes"
    )
    return found or [fine]


def _lacking_classes(folds: Folds, table: Table, task: Task, classes: Sequence[str]) -> list[Finding]:
    """One finding on the classes that some fold lacks; INFO where no split could give each fold a row."""
    total = label_counts(table, task, len(classes))
    lacks = {}
    for part, rows_of in (("training", folds.train_rows), ("validation", folds.valid_rows)):
        counts = [label_counts(table.take(rows_of(k)), task, len(classes)) for k in range(folds.num_folds)]
        lacks[part] = (total > 0) & (np.array(counts) == 0)  # [K, C]
    told = []
    for part, mask in lacks.items():
        places = np.flatnonzero(mask.any(axis=0))
        places = places[np.argsort(-total[places], kind="stable")]  # large classes could be in every fold
        named = [
            f"{classes[c]} ({total[c]} in all; fold {', '.join(map(str, np.flatnonzero(mask[:, c])))})"
            for c in places.tolist()
        ]
        if named:
            told.append(f"{len(places)} classes have no {part} rows in some fold: {_first(named)}")
    rows = total[np.concatenate(list(lacks.values())).any(axis=0)]
    if not len(rows):
        return []
    expected = "each class in training and validation of each fold"
    if rows.max() < folds.num_folds:
        message = f"{'; '.join(told)}; all have fewer rows than there are folds"
        return [Finding("folds", Status.INFO, message, len(rows), expected)]
    remedy = "set fewer folds, or another competition.fold_scheme; join or drop classes of a few pictures."
    return [Finding("folds", Status.WARN, "; ".join(told), len(rows), expected, remedy)]


def label_counts(table: Table, task: Task, classes: int) -> np.ndarray:
    """Rows of each class or label, int64 [C]."""
    if task == Task.MULTICLASS:
        return np.bincount(table.labels, minlength=classes)
    return (table.labels > 0.5).sum(axis=0)


def mean_std(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the readable pictures, in [0, 1], each [C].

    Every picture counts alike, whatever its size; of large ones some 1 600 pixels each.
    """
    mean, std = measured.mean[measured.readable], measured.std[measured.readable]
    if not len(mean):
        return mean.sum(axis=0), std.sum(axis=0)
    total = mean.mean(axis=0)
    return total, np.sqrt((std**2 + (mean - total) ** 2).mean(axis=0))


def suggested_size(measured: Measured) -> int:
    """An image_size to start with: the usual shorter side, in steps of 32, at most 384."""
    shorter = np.minimum(measured.height, measured.width)[measured.readable]
    usual = float(np.median(shorter)) if len(shorter) else SMALLEST_PX
    return int(np.clip(round(usual / STEP_PX) * STEP_PX, SMALLEST_PX, LARGEST_PX))


def size_counts(measured: Measured, most: int) -> list[tuple[str, int]]:
    """The most frequent sizes, as "height x width", with their counts."""
    readable = measured.readable
    sizes = zip(measured.height[readable].tolist(), measured.width[readable].tolist(), strict=True)
    return [(f"{height} x {width}", count) for (height, width), count in Counter(sizes).most_common(most)]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + " …" * (len(names) > NAMED) if names else "none"
