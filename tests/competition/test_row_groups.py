"""Groups of rows: merged, named, written and read back."""

import numpy as np
import pytest

from compkit.competition import RowUnion, group_names, merge_groups, read_groups, write_groups


def test_merged_groups_are_the_transitive_closure():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 30, 60), rng.integers(0, 40, 60)
    union = RowUnion(60)
    for groups in (first, second):
        for i in range(60):
            for j in range(i):
                if groups[i] == groups[j]:
                    union.join(i, j)
    assert (merge_groups([first, None, second]) == union.group_of()).all()


def test_merged_groups_are_named_by_their_first_row():
    merged = np.array([0, 1, 1, 2])
    own, ids = np.array(["p", "q", "r", "s"]), np.array(list("abcd"))
    assert group_names(merged, own, ids).tolist() == ["p", "q", "q", "s"]
    assert group_names(merged, None, ids).tolist() == ["a", "b", "b", "d"]


def test_groups_are_read_back_for_the_training_rows(tmp_path):
    path, ids = tmp_path / "groups.csv", np.array(["a", "b", "c", "a"])
    parts, groups = np.array(["train"] * 3 + ["test"]), np.array([5, 6, 5, 6])
    write_groups(path, ids, parts, groups)
    assert read_groups(path, np.array(["c", "x", "b", "a"])).tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,group\na,1\n", "expected id, part, group"),
        ("id,part,group\na,train,1\na,train,2\n", "more than once"),
        ("id,part,group\nz,train,1\n", "none of its ids"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_groups(path, np.array(["a", "b"]))


def test_a_part_of_the_rows_may_have_no_duplicates(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("id,part,group\nz,train,1\n")
    assert read_groups(path, np.array(["a", "b"]), is_whole=False).tolist() == [0, 1]
