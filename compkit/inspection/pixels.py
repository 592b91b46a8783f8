"""Single pixels and corners that tell the label: a mark that somebody, or some camera, has left."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import ThreadPool
from typing import NamedTuple

import cv2
import numpy as np

from compkit.data import decode_image
from compkit.findings import Finding, Status
from compkit.pictures.measure import Measured
from compkit.types import Table, Task

SAMPLED = 1000  # training pictures that are looked at once more
LEAST, MEMBERS = 100, 10  # pictures in all, and of a class or with and without a label
AHEAD = 16  # pictures decoded before they are asked for
OUTPUTS = 20  # classes, labels or numbers, the most frequent first
VALUES = 16_000_000  # of all sums together; larger pictures are looked at in their corners
CORNER_PX = 16
LARGEST_RING_PX = 9  # beyond the 8 x 8 blocks over which JPEG spreads a pixel


class Limits(NamedTuple):
    """What no pixel of an honest picture reaches; of digits and turned strokes 0.65, and 0.25 more than next to it.

    Attributes:
        tells: share of a pixel's variance that the label explains.
        alone: so much more than for the pixels around it.
    """

    tells: float
    alone: float


NEXT_TO_IT = Limits(
    tells=0.4, alone=0.35
)  # content is soft: where one pixel tells, so do those one or two further
FAR_AROUND = Limits(tells=0.85, alone=0.4)  # a patch, or a pixel that JPEG has spread


class Mark(NamedTuple):
    """The pixel that tells most more than those around it.

    Attributes:
        share: of its variance, explained by the label.
        around: the same, median of eight pixels around it.
        place: in words.
        pictures: how many were looked at.
        limits: what they are held against.
    """

    share: float
    around: float
    place: str
    pictures: int
    limits: Limits = NEXT_TO_IT

    @property
    def is_telling(self) -> bool:
        """Whether nothing honest looks so."""
        return self.share >= self.limits.tells and self.share - self.around >= self.limits.alone


def find_mark(
    table: Table, measured: Measured, task: Task, channels: int, max_value: float | None, threads: int
) -> Mark | None:
    """The most telling lonely pixel of some 1 000 readable training pictures; None where there are too few.

    Pictures of the most frequent size are compared pixel by pixel; where sizes differ, or are large, their corners.
    """
    rows, size = _comparable(measured)
    if len(rows) < LEAST:
        return None
    outputs = _outputs(table.labels[rows], task)
    rows, outputs = rows[outputs.any(axis=1)], outputs[outputs.any(axis=1)]
    if len(rows) < LEAST or outputs.shape[1] < (2 if task == Task.MULTICLASS else 1):
        return None
    whole = size is not None and size[0] * size[1] * channels * (outputs.shape[1] + 2) <= VALUES
    crop: Callable[[np.ndarray], np.ndarray] = (lambda image: image) if whole else corners

    def read(row: int) -> np.ndarray:
        return crop(
            decode_image([os.fsdecode(name) for name in table.files[row]], channels, False, max_value)
        )

    with ThreadPool(max(1, threads)) as pool:
        share = explained_share(_in_blocks(pool, read, rows.tolist()), outputs, task == Task.MULTICLASS)
    near = np.maximum(around_each(share, 1), around_each(share, 2))
    marks = [
        _most_lonely(share, around, whole, len(rows), limits)
        for around, limits in (
            (near, NEXT_TO_IT),
            (around_each(share, ring_px(*share.shape[:2])), FAR_AROUND),
        )
    ]
    return max(marks, key=lambda mark: (mark.is_telling, mark.share - mark.around))


def _most_lonely(share: np.ndarray, around: np.ndarray, whole: bool, pictures: int, limits: Limits) -> Mark:
    y, x, channel = np.unravel_index(int((share - around).argmax()), share.shape)
    place = f"row {y}, column {x}, channel {channel}"
    if not whole:
        vertical, horizontal = ("top", "bottom")[int(y >= CORNER_PX)], ("left", "right")[int(x >= CORNER_PX)]
        inside = f"pixel {y % CORNER_PX}, {x % CORNER_PX} of {CORNER_PX} x {CORNER_PX}"
        place = f"{vertical} {horizontal} corner, {inside}, channel {channel}"
    return Mark(float(share[y, x, channel]), float(around[y, x, channel]), place, pictures, limits)


def mark_finding(mark: Mark | None) -> Finding:
    """What a lonely telling pixel means.

    >>> mark_finding(Mark(1.0, 0.02, "row 0, column 0, channel 0", 2000)).status
    <Status.WARN: 'warn'>
    """
    check = "shortcut: single pixels"
    if mark is None:
        return Finding(
            check,
            Status.SKIP,
            f"fewer than {LEAST} comparable pictures of classes or labels that {MEMBERS} have",
        )
    expected = f"below {mark.limits.tells}, or less than {mark.limits.alone} above the pixels around it"
    evidence = {"around": round(mark.around, 4), "place": mark.place, "pictures": mark.pictures}
    if not mark.is_telling:
        message = f"no pixel tells the label by itself ({mark.pictures} pictures)"
        return Finding(check, Status.PASS, message, mark.share, expected, evidence=evidence)
    message = (
        f"one pixel tells the label: {mark.place}; the label explains {mark.share:.0%} of what varies there, "
        f"{mark.around:.0%} around it ({mark.pictures} pictures)"
    )
    remedy = (
        "cover or crop that place in training and test (an augment of your own, or new files); a network reads it and "
        "learns nothing else."
    )
    return Finding(check, Status.WARN, message, mark.share, expected, remedy, evidence)


def explained_share(images: Iterable[np.ndarray], outputs: np.ndarray, exclusive: bool) -> np.ndarray:
    """How much of each pixel's variance the label explains, in one pass over the pictures.

    Args:
        images: N of them, uint8 [H, W, C] of one size, one at a time.
        outputs: what the label says, float32 [N, K]: 1 for the class of each (exclusive), or any numbers.
        exclusive: classes, whose means are compared; else the best of the K correlations, squared.

    Returns:
        in [0, 1], [H, W, C]; of classes corrected for their number, 0 for pixels that never change.

    >>> rows = [np.array([[[200 * label]], [[7]]], np.uint8) for label in (0, 1, 0, 1)]
    >>> explained_share(rows, np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], exclusive=True).ravel().tolist()
    [1.0, 0.0]
    """
    outputs = outputs if exclusive else outputs - outputs.mean(axis=0)
    sums = total = squares = np.zeros(())
    for number, (image, row) in enumerate(zip(images, outputs, strict=True)):
        if number == 0:
            sums = np.zeros((len(row), *image.shape), np.float32)
            total, squares = np.zeros((2, *image.shape))
        flat = image.reshape(len(image), -1)  # OpenCV adds up five times faster, in at most four channels
        cv2.accumulate(flat, total.reshape(flat.shape))
        cv2.accumulateSquare(flat, squares.reshape(flat.shape))
        for place in np.flatnonzero(row):
            if exclusive:
                cv2.accumulate(flat, sums[place].reshape(flat.shape))
            else:
                sums[place] += row[place] * image
    count = len(outputs)
    variance = squares - total**2 / count
    safe = np.where(variance > 1e-6 * count, variance, np.inf)
    if exclusive:
        members = outputs.sum(axis=0)
        between = sum(one.astype(np.float64) ** 2 / many for one, many in zip(sums, members, strict=True))
        share = (between - total**2 / count) / safe
        return np.clip(1 - (1 - share) * (count - 1) / max(1, count - len(members)), 0, 1) * (safe < np.inf)
    spread = np.maximum((outputs**2).sum(axis=0), 1e-12)
    return np.clip(
        np.max([one.astype(np.float64) ** 2 / many for one, many in zip(sums, spread, strict=True)], axis=0)
        / safe,
        0,
        1,
    )


def _in_blocks(
    pool: ThreadPool, read: Callable[[int], np.ndarray], rows: Sequence[int]
) -> Iterator[np.ndarray]:
    """Pictures in order, a few decoded ahead: imap alone would fill the memory with what is not asked for yet."""
    for start in range(0, len(rows), AHEAD):
        yield from pool.map(read, rows[start : start + AHEAD], chunksize=1)


def around_each(share: np.ndarray, ring: int) -> np.ndarray:
    """The median of eight pixels at a distance of `ring` around each, mirrored at the edges, [H, W, C]."""
    height, width = share.shape[:2]
    padded = np.pad(
        share, ((ring, ring), (ring, ring), (0, 0)), mode="reflect" if min(height, width) > ring else "edge"
    )
    shifts = [(y, x) for y in (0, ring, 2 * ring) for x in (0, ring, 2 * ring) if (y, x) != (ring, ring)]
    return np.median([padded[y : y + height, x : x + width] for y, x in shifts], axis=0)


def ring_px(height: int, width: int) -> int:
    """How far around a pixel to look.

    >>> ring_px(8, 8), ring_px(32, 32), ring_px(512, 512)
    (2, 5, 9)
    """
    return int(np.clip(min(height, width) // 6, 2, LARGEST_RING_PX))


def corners(image: np.ndarray) -> np.ndarray:
    """The four corners of a picture put together, uint8 [32, 32, C]."""
    px = CORNER_PX
    top = np.concatenate([image[:px, :px], image[:px, -px:]], axis=1)
    return np.concatenate([top, np.concatenate([image[-px:, :px], image[-px:, -px:]], axis=1)])


def _comparable(measured: Measured) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Some rows, and the size of their pictures: the most frequent one if half have it, else all that have corners."""
    readable = np.flatnonzero(measured.readable)
    sizes = list(zip(measured.height[readable].tolist(), measured.width[readable].tolist(), strict=True))
    [(size, many), *_] = Counter(sizes).most_common(1) or [((0, 0), 0)]
    common = 2 * many >= len(readable)
    fits = [one == size if common else min(one) >= 2 * CORNER_PX for one in sizes]
    rows = readable[np.array(fits, dtype=bool)]
    if len(rows) > SAMPLED:
        rows = np.sort(np.random.default_rng(0).choice(rows, SAMPLED, replace=False))
    return rows, size if common else None


def _outputs(targets: np.ndarray, task: Task) -> np.ndarray:
    """The label as numbers, float32 [N, K]: of classes and labels the most frequent ones of many rows."""
    if task == Task.REGRESSION:
        values = targets[:, :OUTPUTS].astype(np.float32)
        return (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    exclusive = targets.ndim == 1
    counts = np.bincount(targets) if exclusive else targets.sum(axis=0)
    fewer = counts if exclusive else np.minimum(counts, len(targets) - counts)
    chosen = np.argsort(-counts, kind="stable")[:OUTPUTS]
    chosen = np.sort(chosen[fewer[chosen] >= MEMBERS])
    return (targets[:, None] == chosen if exclusive else targets[:, chosen]).astype(np.float32)
