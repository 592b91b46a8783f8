"""The same picture twice: with equal pixels, or saved again, resized, a little brighter, mirrored, cut at its sides."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from compkit.competition import RowUnion
from compkit.data import decode_image, is_deep
from compkit.pictures.details import Details
from compkit.pictures.measure import FLAT, Measured, measure_pictures
from compkit.pictures.similar import (
    RADII,
    calibrated_radius,
    chance_agreement,
    disagree_by_chance,
    labels_agree,
    near_pairs,
)
from compkit.types import Table

SAME_THUMBNAIL = (
    0.994  # correlation; re-saved pictures have 0.994 and more, turned digits of others up to 0.992
)
COMPARED = 50_000  # thumbnails correlated at a time
CALIBRATED = 20_000  # labelled rows whose pairs decide the radius
CUT_RADIUS, CUT_THUMBNAIL = 12, 0.9  # of pictures cut by 2 or 3 % at each side
CUT_SIDE_PX = 48  # smaller pictures hold too little to tell a cut from a like shape
CUTS = (
    3000  # pairs that are aligned, 5 ms each, as they come: pictures that all look alike would have millions
)


class Edge(NamedTuple):
    """Two pictures that show the same and made their groups one."""

    one: int
    other: int
    distance: int  # bits in which their hashes differ
    how: str  # exact (equal pixels), near, mirrored or cut


@dataclass(frozen=True)
class Duplicates:
    """Which of N pictures show the same.

    Attributes:
        exact: number of the group of equal decoded pixels, int64 [N].
        groups: the same with near duplicates, int64 [N]; each a union of exact groups.
        own: the groups of the labelled rows by themselves, the first ones, as if there were no others.
        edges: pairs that hold the groups together.
        radius: bits in which hashes of near duplicates may differ here.
        look_alikes: pairs that would be near duplicates if their labels did not prove that they are none.
    """

    exact: np.ndarray
    groups: np.ndarray
    own: np.ndarray
    edges: list[Edge]
    radius: int
    look_alikes: list[Edge]


def find_duplicates(
    files: np.ndarray,
    measured: Measured,
    targets: np.ndarray | None,
    channels: int,
    max_value: float | None = None,
) -> Duplicates:
    """Groups of pictures that show the same; pictures that cannot be read are alone.

    Exact: equal statistics first, then equal pixels, decoded once more. Near: hashes within a radius at which labels
    still agree, confirmed by thumbnail and edges; the same against the mirror image. Cut: of the first 3000 pairs that
    are alike beyond that, those that are the same once aligned. Where labels of near and cut pairs agree no more often
    than by chance (aligned pictures of parts, some with a small defect), only equal pixels count.

    Args:
        files: of each picture, as in Table, bytes [N, F].
        measured: of the same.
        targets: of the first rows, those of the training table; None without labels.
        channels, max_value: as `decode_image`.
    """
    union, edges = RowUnion(len(measured)), _exact_edges(files, measured, channels, max_value)
    for edge in edges:
        union.join(edge.one, edge.other)
    exact = union.group_of()
    # one of each exact group is enough; a picture of one colour has no shape that could be compared
    _, first_of = np.unique(exact, return_index=True)
    rows = np.sort(first_of[measured.readable[first_of] & (measured.contrast[first_of] >= FLAT)])
    labelled = len(measured) if targets is None else len(targets)
    mine = rows[rows < labelled]
    radius = _radius(measured.phash[mine], None if targets is None else targets[mine])
    details = Details(files, channels, max_value)
    for part, first in ((mine, 0), (rows, len(mine))):
        for edge in _near_edges(measured, part, first, radius, details, union):
            if union.join(edge.one, edge.other):
                edges.append(edge)
        if part is mine:
            own = union.group_of()[:labelled]
    groups, look_alikes = union.group_of(), []
    if targets is not None and _only_look_alike(edges, targets):
        groups, own = exact, exact[:labelled]
        look_alikes = [edge for edge in edges if edge.how != "exact"]
        edges = [edge for edge in edges if edge.how == "exact"]
    return Duplicates(exact, groups, np.unique(own, return_inverse=True)[1], edges, radius, look_alikes)


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


def _exact_edges(files: np.ndarray, measured: Measured, channels: int, max_value: float | None) -> list[Edge]:
    """Each picture with the first one that has its pixels."""
    edges = []
    for rows in _equal_statistics(measured):
        by_pixels: dict[str, int] = {}
        for row in rows.tolist():
            names = [os.fsdecode(name) for name in files[row]]
            first = by_pixels.setdefault(_digest(names, channels, max_value), row)
            if first != row:
                edges.append(Edge(first, row, 0, "exact"))
    return edges


def _near_edges(
    measured: Measured, rows: np.ndarray, first: int, radius: int, details: Details, union: RowUnion
) -> Iterator[Edge]:
    """Pairs that show the same, of which the later row is `first` or later still; then mirror images, then cuts.

    Pairs that the union has together already are not compared again.
    """
    cuts: list[Edge] = []
    small = np.minimum(measured.height, measured.width) < CUT_SIDE_PX
    for pairs, alike in _alike(measured, rows, first, CUT_RADIUS, measured.phash):
        near = (pairs[:, 2] <= radius) & (alike >= SAME_THUMBNAIL)
        for one, other, distance in pairs[near].tolist():
            if union.root(one) != union.root(other) and details.agree(one, other):
                yield Edge(one, other, distance, "near")
        rest = pairs[~near & ~small[pairs[:, :2]].any(axis=1)][: max(0, CUTS - len(cuts))]
        cuts += [Edge(one, other, distance, "cut") for one, other, distance in rest.tolist()]
    for pairs, alike in _alike(measured, rows, first, radius, measured.mirrored):
        for one, other, distance in pairs[alike >= SAME_THUMBNAIL].tolist():
            if union.root(one) != union.root(other) and details.agree(one, other, mirrored=True):
                yield Edge(one, other, distance, "mirrored")
    for edge in cuts:
        if union.root(edge.one) != union.root(edge.other) and details.are_cuts(edge.one, edge.other):
            yield edge


def _only_look_alike(edges: list[Edge], targets: np.ndarray) -> bool:
    """Whether the labels of near and cut pairs prove that they do not show the same."""
    pairs = [
        (edge.one, edge.other) for edge in edges if edge.how in ("near", "cut") and edge.other < len(targets)
    ]
    if not pairs:
        return False
    agree = labels_agree(targets, *np.array(pairs).T)
    return disagree_by_chance(int(agree.sum()), len(pairs), chance_agreement(targets))


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


def _alike(
    measured: Measured, rows: np.ndarray, first: int, radius: int, others: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows with like hashes and thumbnails: one, other and distance, int64 [P, 3], and the correlation [P]."""
    mirrored = others is measured.mirrored
    for pairs in near_pairs(measured.phash[rows], radius, others[rows], first):
        for start in range(0, len(pairs.one), COMPARED):
            part = slice(start, start + COMPARED)
            one, other = rows[pairs.one[part]], rows[pairs.other[part]]
            second = measured.thumbnails[other]
            second = second[..., ::-1] if mirrored else second
            alike = (_standard(measured.thumbnails[one]) * _standard(second)).sum(axis=1)
            close = alike >= CUT_THUMBNAIL
            yield np.stack([one, other, pairs.distance[part]], axis=1)[close].astype(np.int64), alike[close]


def _standard(pictures: np.ndarray) -> np.ndarray:
    """Each picture as a vector of mean 0 and length 1, float32 [N, P]."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
