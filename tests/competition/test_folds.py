import hashlib

import numpy as np
import pandas as pd
import pytest

from compkit.competition import Folds
from compkit.types import Task

IDS = np.array(["007", "7", "a,b", 'quo"te', "x/ü.png", "z"])


def some_folds(fold=(0, 1, 2, 0, 1, 2), groups=None, scheme="random"):
    return Folds(IDS, np.array(fold), None if groups is None else np.array(groups), scheme)


def test_rows_of_a_fold_and_of_its_training_are_complementary():
    folds = some_folds((0, 1, -1, 0, 1, -1))
    for k in range(folds.num_folds):
        assert sorted([*folds.train_rows(k), *folds.valid_rows(k)]) == list(range(6))
    assert folds.train_rows(0).dtype == folds.valid_rows(0).dtype == np.int64
    assert {2, 5} <= set(folds.train_rows(0)) & set(folds.train_rows(1))


def test_expanding_folds_train_on_earlier_blocks_only():
    folds = some_folds((-1, -1, 0, 0, 1, 1), scheme="time")
    assert folds.expanding and not some_folds().expanding
    assert folds.train_rows(0).tolist() == [0, 1]
    assert folds.train_rows(1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("groups", [None, ["01", "1", "p,q", "01", "1", "p,q"]])
def test_csv_round_trip(tmp_path, groups):
    folds = some_folds(groups=groups)
    folds.write(tmp_path / "folds.csv")
    again = Folds.read(tmp_path / "folds.csv", scheme="random")
    np.testing.assert_array_equal(again.ids, folds.ids)
    np.testing.assert_array_equal(again.fold, folds.fold)
    assert again.fold.dtype == np.int64
    assert (again.groups is None) if groups is None else again.groups.tolist() == groups
    assert again.hash == folds.hash and again.scheme == "random"
    assert folds.hash == hashlib.sha256((tmp_path / "folds.csv").read_bytes()).hexdigest()
    assert [file.name for file in tmp_path.iterdir()] == ["folds.csv"]


def test_hash_depends_on_ids_folds_groups_and_order_only():
    folds = some_folds()
    assert folds.hash == some_folds().hash
    assert folds.hash != some_folds((0, 1, 2, 0, 2, 1)).hash
    assert folds.hash != some_folds(groups=list("aabbcc")).hash
    assert folds.hash != folds.aligned_to(IDS[::-1].copy()).hash


def test_aligned_to_keeps_each_id_in_its_fold():
    folds = some_folds(groups=list("abcabc"))
    order = np.array([3, 0, 5, 1, 2, 4])
    aligned = folds.aligned_to(IDS[order])
    np.testing.assert_array_equal(aligned.fold, folds.fold[order])
    np.testing.assert_array_equal(aligned.groups, folds.groups[order])
    assert aligned.aligned_to(IDS).hash == folds.hash


def test_aligned_to_names_missing_and_extra_ids():
    with pytest.raises(ValueError, match=r"1 ids have no fold \('new'\).*1 ids of the folds.*'z'"):
        some_folds().aligned_to(np.array([*IDS[:5], "new"]))
    with pytest.raises(ValueError, match=r"0 ids have no fold .*1 ids of the folds.*'z'"):
        some_folds().aligned_to(IDS[:5])


def test_audit_is_silent_on_good_folds():
    folds = some_folds((0, 0, 1, 1, 0, 1), groups=list("aabbab"))
    assert folds.audit(np.array([0, 1, 0, 1, 1, 1]), Task.MULTICLASS, ("cat", "dog")) == []
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 0], [0, 0]], dtype=np.float32)
    assert folds.audit(labels, Task.MULTILABEL, ("cat", "dog")) == []
    assert folds.audit(labels, Task.REGRESSION, ("x", "y")) == []


def test_audit_names_classes_absent_from_a_part():
    targets = np.array([0, 0, 2, 0, 0, 0])  # class 1 has no rows at all, which is no fault of the folds
    findings = some_folds((0, 0, 0, 1, 1, 1)).audit(targets, Task.MULTICLASS, ("cat", "dog", "eel"))
    assert len(findings) == 2
    assert "fold 0: 1 classes have no training rows: 'eel (1 rows in all)'" in findings[0]
    assert "fold 1: 1 classes have no validation rows: 'eel (1 rows in all)'" in findings[1]
    labels = np.eye(3, dtype=np.float32)[targets]
    assert some_folds((0, 0, 0, 1, 1, 1)).audit(labels, Task.MULTILABEL, ("cat", "dog", "eel")) == findings


def test_audit_says_when_sizes_differ_much():
    findings = some_folds((0, 1, 1, 1, 1, 1)).audit(np.zeros((6, 1)), Task.REGRESSION)
    assert len(findings) == 1 and "folds differ in size: [1, 5] validation rows" in findings[0]


@pytest.mark.parametrize(
    "fold, scheme, message",
    [
        ((0, 0, 2, 2, 0, 2), "predefined", "fold 1 has no validation rows"),
        ((0, 0, 0, 0, 0, 0), "predefined", "fold 0 has no training rows"),
        ((-1, -1, -1, -1, -1, -1), "holdout", "fold 0 has no validation rows"),
        ((0, 0, 0, 1, 1, 1), "time", "fold 0 has no training rows"),
    ],
)
def test_audit_refuses_empty_parts(fold, scheme, message):
    with pytest.raises(ValueError, match=message):
        some_folds(fold, scheme=scheme).audit(np.zeros(6, np.int64), Task.MULTICLASS, ("cat",))


@pytest.mark.parametrize("fold", [(0, 1, 0, 0, 1, 1), (0, -1, 0, 0, 1, 1)])
def test_audit_refuses_a_torn_group_even_when_one_part_never_validates(fold):
    with pytest.raises(ValueError, match=r"1 groups lie in more than one fold .*'p1'"):
        some_folds(fold, groups=["p1", "p1", "p2", "p2", "p3", "p3"]).audit(np.zeros((6, 1)), Task.REGRESSION)


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,fold\na,0\n", r"columns \['id', 'fold'\]"),
        ("id,fold,group\na,0,\na,1,\n", "more than once: 'a'"),
        ("id,fold,group\na,0,\nb,-2,\n", "folds '-2'"),
        ("id,fold,group\na,0.5,\nb,,\n", "folds '0.5', ''"),
    ],
)
def test_read_refuses_what_no_run_wrote(tmp_path, text, message):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        Folds.read(tmp_path / "folds.csv")


def test_read_without_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Folds.read(tmp_path / "none.csv")


def test_ids_that_look_like_missing_values_survive(tmp_path):
    folds = Folds(np.array(["NA", "null", "1e5"]), np.array([0, 1, 0]), None, "random")
    folds.write(tmp_path / "folds.csv")
    assert Folds.read(tmp_path / "folds.csv").ids.tolist() == ["NA", "null", "1e5"]
    assert list(pd.read_csv(tmp_path / "folds.csv").columns) == ["id", "fold", "group"]
