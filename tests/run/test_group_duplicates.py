"""Duplicates kept in one fold by `group_duplicates`, whatever the scheme; told by the inspection without it."""

import os

import numpy as np
import pandas as pd
import pytest

from compkit.competition import Folds, write_groups
from compkit.engine import Console, Ranks
from compkit.pictures.duplicates import duplicate_groups
from compkit.run.prepare import prepare
from compkit.run.split import duplicates_path, with_duplicates

from ..inspection.planted import exact_duplicates, healthy, near_duplicates, plan_of, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """72 pictures of which 12 come again, some saved anew, and columns to split by."""
    folder = tmp_path_factory.mktemp("duplicates")
    contest = healthy(rows=72, test=6)
    near_duplicates(contest)
    exact_duplicates(contest._replace(pictures=contest.pictures[6:-6], labels=contest.labels[6:-6]))
    write(contest, folder)
    frame = pd.read_csv(folder / "train.csv", dtype=str)
    rows = np.arange(len(frame))
    frame["patient"], frame["day"], frame["part"] = rows // 2, rows, rows % 3
    frame.to_csv(folder / "train.csv", index=False)
    return folder


def folds_of(folder, *overrides):
    plan = plan_of(folder, "folds=3", *overrides)
    return prepare(plan, Ranks(), Console(quiet=True)).folds


def torn(folder, folds):
    """Pairs of planted duplicates of which each half lies in another fold."""
    found = duplicate_groups(plan_of(folder).competition.read_train(), 3)
    return sum(len(set(folds.fold[found == group])) > 1 for group in np.unique(found))


def test_without_the_key_duplicates_lie_in_several_folds(folder):
    assert torn(folder, folds_of(folder)) > 3


@pytest.mark.parametrize(
    "overrides, scheme",
    [
        ((), "stratified_group"),
        (("competition.fold_scheme=group",), "group"),
        (("competition.fold_scheme=holdout",), "holdout"),
        (("competition.time_column=day",), "time"),
        (("competition.group_column=patient",), "stratified_group"),
    ],
)
def test_no_group_lies_in_two_folds(folder, overrides, scheme):
    folds = folds_of(folder, "group_duplicates=true", *overrides)
    assert folds.scheme == scheme and torn(folder, folds) == 0
    if "competition.group_column=patient" in overrides:
        patients = np.arange(72) // 2
        assert all(len(set(folds.fold[patients == one])) == 1 for one in patients)


def test_folds_and_hash_are_the_same_from_the_stored_groups_and_from_a_file(folder, monkeypatch, tmp_path):
    first = folds_of(folder, "group_duplicates=true")
    plan = plan_of(folder, "folds=3", "group_duplicates=true")
    stored = duplicates_path(plan, plan.competition.read_train())
    assert stored.is_file()

    def fail(*args, **kwargs):
        raise AssertionError("looked for duplicates again")

    monkeypatch.setattr("compkit.run.split.duplicate_groups", fail)
    again, given = folds_of(folder, "group_duplicates=true"), folds_of(folder, f"group_duplicates={stored}")
    assert first.hash == again.hash == given.hash != folds_of(folder).hash
    # a picture that was changed since is looked at again
    picture = next((folder / "train").iterdir())
    before = picture.stat()
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    with pytest.raises(AssertionError, match="again"):
        folds_of(folder, "group_duplicates=true")
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    # a continued run keeps its own, where nothing is stored
    first.write(plan.folder / "folds.csv")
    stored.unlink()
    assert folds_of(folder, "group_duplicates=true", "resume=true").hash == first.hash


def test_folds_of_others_that_tear_duplicates_apart_are_refused(folder):
    with pytest.raises(ValueError, match=r"8 groups of duplicates lie .* competition.fold_column=part"):
        folds_of(folder, "group_duplicates=true", "competition.fold_column=part")


def test_a_scheme_that_keeps_no_groups_is_refused(folder):
    with pytest.raises(ValueError, match="with group_duplicates, pictures that show the same"):
        folds_of(folder, "group_duplicates=true", "competition.fold_scheme=stratified")


def test_other_values_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"group_duplicates=.*yes: no such file"):
        folds_of(folder, "group_duplicates=yes")
    with pytest.raises(ValueError, match="group_duplicates=3: expected true, false"):
        folds_of(folder, "group_duplicates=3")
    write_groups(tmp_path / "of_others.csv", np.array(["x", "y"]), np.array(["train"] * 2), np.array([0, 0]))
    with pytest.raises(ValueError, match="none of its ids"):
        folds_of(folder, f"group_duplicates={tmp_path / 'of_others.csv'}")
    limited = folds_of(folder, f"group_duplicates={tmp_path / 'of_others.csv'}", "limit=30")
    assert limited.groups is None


def test_without_duplicates_folds_stay_as_they_were(tmp_path):
    write(healthy(rows=60, test=6, seed=3), tmp_path)
    plain, asked = folds_of(tmp_path), folds_of(tmp_path, "group_duplicates=true")
    assert isinstance(plain, Folds) and plain.hash == asked.hash
    own = np.array(["a", "b"])
    assert with_duplicates(own, np.array([0, 1]), own) is own
