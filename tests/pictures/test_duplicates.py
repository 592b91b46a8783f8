"""Duplicates: the search against all pairs, groups, the radius, and what re-saved pictures become."""

import cv2
import numpy as np
import pytest

from compkit.inspection.duplicate_findings import conflicting_edges, duplicate_findings, torn_groups
from compkit.pictures import duplicate_groups, find_duplicates, measure_pictures
from compkit.pictures.similar import (
    calibrated_radius,
    chance_agreement,
    disagree_by_chance,
    labels_agree,
    near_pairs,
)
from compkit.types import Table

from ..inspection.planted import loud, resaved, scene
from .test_measure import table_of


def test_near_pairs_are_those_of_a_plain_loop(monkeypatch):
    monkeypatch.setattr("compkit.pictures.similar.BLOCK", 7)
    monkeypatch.setattr("compkit.pictures.similar.ACROSS", 13)
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**16, 60, dtype=np.uint64)  # few bits, so that many are near
    found = {
        (one, other, distance)
        for pairs in near_pairs(hashes, radius=4)
        for one, other, distance in zip(pairs.one, pairs.other, pairs.distance, strict=True)
    }
    wanted = {
        (i, j, (int(hashes[i]) ^ int(hashes[j])).bit_count())
        for i in range(60)
        for j in range(i + 1, 60)
        if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= 4
    }
    assert found == wanted and len(wanted) > 20


def test_radius_grows_only_where_labels_agree():
    many = np.full(9, 100)
    assert calibrated_radius(many, many, chance=0.1) == 8
    assert calibrated_radius(np.array([100] * 8 + [0]), np.array([100] * 8 + [9000]), chance=0.1) == 7
    assert calibrated_radius(many // 10, many, chance=0.1) == 6  # no better than chance
    assert calibrated_radius(many // 50, many // 50, chance=0.1) == 6  # too few to believe


def test_agreement_by_task():
    one, other = np.array([0, 0]), np.array([1, 2])
    labels = np.array([[1, 0], [1, 0], [1, 1]], np.float32)
    assert labels_agree(labels, one, other).tolist() == [True, False]
    assert labels_agree(np.array([[0.0], [0.1], [3.0]]), one, other).tolist() == [True, False]
    assert chance_agreement(np.arange(4000) % 4) == pytest.approx(0.25, abs=0.02)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Ten pictures, then of the first three an exact copy, a re-saved one and a part, then a grey one twice."""
    rng = np.random.default_rng(0)
    pictures = [scene(rng, row % 3) for row in range(10)]
    pictures += [pictures[0].copy(), resaved(pictures[1]), pictures[2][8:, 8:]]
    pictures += [np.full((9, 9, 3), 50, np.uint8)] * 2
    return table_of(tmp_path_factory.mktemp("copies"), pictures)


def test_exact_and_near_duplicates_are_told_apart(copies):
    found = find_duplicates(copies.files, measure_pictures(copies, 3), None, channels=3)
    exact = {frozenset(np.flatnonzero(found.exact == group).tolist()) for group in found.exact}
    groups = {frozenset(np.flatnonzero(found.groups == group).tolist()) for group in found.groups}
    assert {one for one in exact if len(one) > 1} == {frozenset({0, 10}), frozenset({13, 14})}
    assert {one for one in groups if len(one) > 1} == {
        frozenset({0, 10}),
        frozenset({1, 11}),
        frozenset({13, 14}),
    }
    assert (duplicate_groups(copies, 3, threads=2) == found.groups).all()


def test_pixels_that_differ_in_one_place_are_no_exact_duplicates(tmp_path):
    picture = scene(np.random.default_rng(0), 0)
    other = picture.copy()
    other[40, 40, 0] ^= 1
    table = table_of(tmp_path, [picture, other])
    found = find_duplicates(table.files, measure_pictures(table, 3), None, channels=3)
    assert found.exact.tolist() == [0, 1] and found.groups.tolist() == [0, 0]


def test_16_bit_pictures_that_look_the_same_in_8_bits_are_no_exact_duplicates(tmp_path):
    deep = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint16) * 257
    names = []
    for number, array in enumerate((deep, deep + 1, deep)):
        np.save(tmp_path / f"{number}.npy", array)
        names.append([str(tmp_path / f"{number}.npy").encode()])
    table = Table(np.array(["a", "b", "c"]), np.array(names), None)
    found = find_duplicates(table.files, measure_pictures(table, 1), None, channels=1)
    assert found.exact.tolist() == [0, 1, 0] and found.groups.tolist() == [0, 0, 0]


def test_findings_name_conflicts_torn_groups_and_test_pictures(copies):
    seen = measure_pictures(copies, 3)
    targets, fold = np.zeros(12, np.int64), np.zeros(12, np.int64)
    found = find_duplicates(copies.files, seen, targets, channels=3)
    assert loud(duplicate_findings(found, copies.ids, targets, fold)) == set()
    targets[10], fold[11] = 1, 1
    findings = duplicate_findings(found, copies.ids, targets, fold)
    assert loud(findings) == {"duplicates with different labels", "duplicates across folds"}
    assert [(edge.one, edge.other) for edge in conflicting_edges(found, targets)] == [(0, 10)]
    assert [one.tolist() for one in torn_groups(found.groups[:12], fold)] == [[1, 11]]
    skipped = duplicate_findings(found, copies.ids, targets, None)
    assert "skip" in [finding.status for finding in skipped]
    # from row 11 on they are test rows
    found = find_duplicates(copies.files, seen, targets[:11] * 0, channels=3)
    assert loud(duplicate_findings(found, copies.ids, targets[:11] * 0, fold[:11])) == {
        "duplicates across train and test"
    }


def changed(picture, how):
    height, width = picture.shape[:2]
    if how == "mirrored":
        return resaved(picture[:, ::-1], scale=1, brighter=0)
    return resaved(cv2.resize(picture[2:-2, 2:-2], (width, height)), scale=1, brighter=0)


@pytest.mark.parametrize("how", ["mirrored", "cut"])
def test_mirrored_and_cut_pictures_are_found_and_how_is_told(tmp_path, how):
    rng = np.random.default_rng(0)
    pictures = [scene(rng, row % 3) for row in range(12)]
    table = table_of(tmp_path, [*pictures, *(changed(picture, how) for picture in pictures)])
    found = find_duplicates(table.files, measure_pictures(table, 3), None, channels=3)
    pairs = {(edge.one, edge.other): edge.how for edge in found.edges}
    assert len(pairs) >= 10 and set(pairs.values()) <= {how, "near"}
    assert all(other == one + 12 for one, other in pairs)


def test_mirror_images_with_another_label_are_no_conflict(tmp_path):
    picture = scene(np.random.default_rng(0), 0)
    table = table_of(tmp_path, [picture, picture[:, ::-1].copy()])
    found = find_duplicates(table.files, measure_pictures(table, 3), np.array([0, 1]), channels=3)
    assert [edge.how for edge in found.edges] == ["mirrored"] and found.groups.tolist() == [0, 0]
    assert conflicting_edges(found, np.array([0, 1])) == []


def test_training_rows_are_not_joined_through_test_rows(tmp_path):
    """`own` is what a run finds, which does not look at test; `groups` joins all."""
    rng = np.random.default_rng(0)
    picture, other = scene(rng, 0), scene(rng, 1)
    pictures = [picture, resaved(picture), other, picture.copy(), other.copy()]
    table = table_of(tmp_path, pictures)
    measured = measure_pictures(table, 3)
    found = find_duplicates(table.files, measured, np.zeros(3, np.int64), channels=3)
    alone = find_duplicates(table.files[:3], measured.take(np.arange(3)), np.zeros(3, np.int64), channels=3)
    assert found.own.tolist() == alone.groups.tolist() == [0, 0, 1]
    assert found.groups.tolist() == [0, 0, 1, 0, 1]


def parts(rows, rng):
    """Pictures of one metal part, always in the same place and light, and a scratch of few pixels on every other."""
    part = scene(rng, 1)
    pictures = []
    for row in range(rows):
        picture = np.clip(part + rng.normal(0, 2, part.shape), 0, 255).astype(np.uint8)
        if row % 2:
            picture[30:32, 30:33] = 255
        pictures.append(picture)
    return pictures


def test_pictures_whose_labels_differ_in_a_small_place_are_no_duplicates(tmp_path):
    rng = np.random.default_rng(0)
    pictures = parts(60, rng)
    table = table_of(tmp_path, [*pictures, pictures[0]])
    targets, seen = np.r_[np.arange(60) % 2, 0], measure_pictures(table, 3)
    found = find_duplicates(table.files, seen, targets, channels=3)
    assert [(edge.one, edge.other) for edge in found.edges] == [(0, 60)] and len(found.look_alikes) >= 20
    assert len(np.unique(found.groups)) == len(np.unique(found.own)) == 60
    findings = {one.check: one for one in duplicate_findings(found, table.ids, targets, np.arange(61) % 5)}
    assert findings["pictures look alike"].status.value == "info"
    assert loud(findings.values()) == set()
    # equal labels say nothing against it, and without labels nobody knows
    for same in (targets * 0, None):
        found = find_duplicates(table.files, seen, same, channels=3)
        assert len(np.unique(found.groups)) == 1 and found.look_alikes == []


def test_copies_with_another_label_stay_duplicates(tmp_path):
    """Somebody has saved a class again as another one: labels that disagree more often than by chance."""
    rng = np.random.default_rng(0)
    pictures = [scene(rng, row % 3) for row in range(30)]
    table = table_of(tmp_path, [*pictures, *map(resaved, pictures)])
    targets = np.r_[np.arange(30) % 3, np.arange(1, 31) % 3]
    found = find_duplicates(table.files, measure_pictures(table, 3), targets, channels=3)
    findings = duplicate_findings(found, table.ids, targets, np.zeros(60, int))
    assert loud(findings) == {"duplicates with different labels"} and found.look_alikes == []
    [told] = [one for one in findings if one.check in loud(findings)]
    assert told.value >= 20 and "is wrong" not in told.message  # said of equal pixels only


@pytest.mark.parametrize("agreeing, pairs, chance", [(19, 19, 0.9), (60, 60, 0.98), (18, 20, 0.5)])
def test_near_pairs_are_believed_unless_proven_otherwise(agreeing, pairs, chance):
    assert not disagree_by_chance(agreeing, pairs, chance)


def test_pictures_of_one_kind_are_no_duplicates(tmp_path):
    """Turned ovals of one size and light: alike from afar, and none the same."""
    pictures = []
    for angle in range(0, 180, 12):
        picture = np.full((96, 96, 3), 20, np.uint8)
        cv2.ellipse(picture, (48, 48), (34, 20), angle, 0, 360, (200, 200, 200), -1)
        pictures.append(cv2.GaussianBlur(picture, (0, 0), 1))
    table = table_of(tmp_path, pictures)
    found = find_duplicates(table.files, measure_pictures(table, 3), None, channels=3)
    assert {edge.how for edge in found.edges} <= {"mirrored"}  # at 0 + a and 180 - a, they are
