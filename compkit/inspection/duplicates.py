"""The same picture twice: with equal pixels, or saved again, resized, a little brighter."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from compkit.data import decode_image, is_deep
from compkit.inspection.appearance import reduced, to_grey
from compkit.inspection.groups import Union
from compkit.inspection.measure import FLAT, Measured, measure_pictures
from compkit.inspection.similar import RADII, calibrated_radius, chance_agreement, labels_agree, near_pairs
from compkit.types import Table

SAME_THUMBNAIL = (
    0.994  # correlation; re-saved pictures have 0.994 and more, turned digits of others up to 0.992
)
SAME_DETAIL = (
    0.65  # correlation of edges; photographs re-saved at a quarter of the size have 0.91, noisy 64 px 0.68
)
DETAIL_PX, DETAIL_SIGMA = 48, 1.5
COMPARED = 50_000  # thumbnails correlated at a time
CALIBRATED = 20_000  # labelled rows whose pairs decide the radius


class Edge(NamedTuple):
    """Two pictures that show the same and made their groups one."""

    one: int
    other: int
    distance: int  # bits in which their hashes differ; 0 and exact for equal pixels
    exact: bool


@dataclass(frozen=True)
class Duplicates:
    """Which of N pictures show the same.

    Attributes:
        exact: number of the group of equal decoded pixels, int64 [N].
        groups: the same with near duplicates, int64 [N]; each a union of exact groups.
        edges: pairs that hold the groups together.
        radius: bits in which hashes of near duplicates may differ here.
    """

    exact: np.ndarray
    groups: np.ndarray
    edges: list[Edge]
    radius: int


def find_duplicates(
    files: np.ndarray,
    measured: Measured,
    targets: np.ndarray | None,
    channels: int,
    max_value: float | None = None,
) -> Duplicates:
    """Groups of pictures that show the same; pictures that cannot be read are alone.

    Exact: equal statistics first, then equal pixels, decoded once more. Near: hashes within a radius at which labels
    still agree, confirmed by thumbnail and edges.

    Args:
        files: of each picture, as in Table, bytes [N, F].
        measured: of the same.
        targets: of the first rows, those of the training table; None without labels.
        channels, max_value: as `decode_image`.
    """
    union, edges = Union(len(measured)), []
    names = [[os.fsdecode(name) for name in row] for row in files]
    for rows in _equal_statistics(measured):
        by_pixels: dict[str, int] = {}
        for row in rows:
            first = by_pixels.setdefault(_digest(names[row], channels, max_value), row)
            if first != row and union.join(first, row):
                edges.append(Edge(first, row, 0, exact=True))
    exact = union.group_of()
    # one of each exact group is enough; a picture of one colour has no shape that could be compared
    _, first_of = np.unique(exact, return_index=True)
    rows = np.sort(first_of[measured.readable[first_of] & (measured.contrast[first_of] >= FLAT)])
    labelled = None if targets is None else targets[rows[rows < len(targets)]]
    radius = _radius(measured.phash[rows], labelled)
    details = _Details(names, channels, max_value)
    for one, other, distance in _alike(measured, rows, radius):
        if union.root(one) != union.root(other) and details.agree(one, other):
            union.join(one, other)
            edges.append(Edge(one, other, distance, exact=False))
    return Duplicates(exact, union.group_of(), edges, radius)


def duplicate_groups(
    table: Table,
    channels: int,
    max_value: float | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The number of each row's group of duplicates, int64 [N]; decodes every picture once.

    Merge it with the groups that a table has (`merge_groups`) before folds are made.
    """
    measured = measure_pictures(table, channels, max_value, threads, progress)
    return find_duplicates(table.files, measured, table.targets, channels, max_value).groups


def _equal_statistics(measured: Measured) -> list[np.ndarray]:
    """Rows whose every statistic is the same: only among them can pixels be equal."""
    columns = [
        measured.height[:, None],
        measured.width[:, None],
        measured.phash[:, None],
        measured.mean,
        measured.std,
        measured.sharpness[:, None],
        measured.thumbnails.reshape(len(measured), -1),
    ]
    keys = [np.ascontiguousarray(column).view(np.uint8) for column in columns]
    rows = np.flatnonzero(measured.readable)
    found: dict[bytes, list[int]] = {}
    for row in rows.tolist():
        key = hashlib.sha256(b"".join(one[row].tobytes() for one in keys)).digest()
        found.setdefault(key, []).append(row)
    return [np.array(alike) for alike in found.values() if len(alike) > 1]


def _digest(files: list[str], channels: int, max_value: float | None) -> str:
    """A fingerprint of the decoded pixels, at their full depth."""
    image = decode_image(files, channels, deep=is_deep(files, max_value), max_value=max_value)
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def _radius(hashes: np.ndarray, targets: np.ndarray | None) -> int:
    """The distance up to which labelled pictures, the first rows, agree far more often than by chance."""
    agreeing, total = np.zeros((2, len(RADII)), np.int64)
    if targets is None or not len(targets):
        return calibrated_radius(agreeing, total, chance=0)
    hashes = hashes[: len(targets)]
    if len(hashes) > CALIBRATED:
        drawn = np.sort(np.random.default_rng(0).choice(len(hashes), CALIBRATED, replace=False))
        hashes, targets = hashes[drawn], targets[drawn]
    for pairs in near_pairs(hashes):
        agree = labels_agree(targets, pairs.one, pairs.other)
        total += np.bincount(pairs.distance, minlength=len(RADII))
        agreeing += np.bincount(pairs.distance, weights=agree, minlength=len(RADII)).astype(np.int64)
    return calibrated_radius(agreeing, total, chance_agreement(targets))


def _alike(measured: Measured, rows: np.ndarray, radius: int) -> Iterator[tuple[int, int, int]]:
    """Pairs of rows within the radius whose thumbnails are the same but for brightness and contrast."""
    for pairs in near_pairs(measured.phash[rows], radius):
        for start in range(0, len(pairs.one), COMPARED):
            part = slice(start, start + COMPARED)
            one, other = rows[pairs.one[part]], rows[pairs.other[part]]
            same = np.flatnonzero(
                (_standard(measured.thumbnails[one]) * _standard(measured.thumbnails[other])).sum(1)
                >= SAME_THUMBNAIL
            )
            distance = pairs.distance[part][same]
            yield from zip(one[same].tolist(), other[same].tolist(), distance.tolist(), strict=True)


def _standard(pictures: np.ndarray) -> np.ndarray:
    """Each picture as a vector of mean 0 and length 1, float32 [N, P]."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


class _Details:
    """Edges of the pictures that were ever compared: 2 kB each, decoded once."""

    def __init__(self, names: list[list[str]], channels: int, max_value: float | None) -> None:
        self.names, self.channels, self.max_value = names, channels, max_value
        self.known: dict[int, np.ndarray] = {}

    def agree(self, one: int, other: int) -> bool:
        """Whether two pictures have the same edges in the same places."""
        first, second = self._of(one), self._of(other)
        return float((first * second).sum()) >= SAME_DETAIL

    def _of(self, row: int) -> np.ndarray:
        """Edges as a vector of length 1; kept in whole numbers, an eighth of the memory."""
        if row not in self.known:
            image = decode_image(self.names[row], self.channels, max_value=self.max_value)
            self.known[row] = picture_detail(image)
        edges = self.known[row].astype(np.float32)
        return edges / max(float(np.linalg.norm(edges)), 1e-6)


def picture_detail(image: np.ndarray) -> np.ndarray:
    """What is left of a small grey copy without its soft shapes, int8 [48 * 48], scaled to its largest value.

    Args:
        image: uint8 [H, W, C].
    """
    grey = cv2.resize(to_grey(reduced(image)), (DETAIL_PX, DETAIL_PX), interpolation=cv2.INTER_AREA)
    edges = grey.astype(np.float32)
    edges -= cv2.GaussianBlur(edges, (0, 0), DETAIL_SIGMA)
    return np.rint(edges * (127 / max(float(np.abs(edges).max()), 1e-6))).astype(np.int8).ravel()
