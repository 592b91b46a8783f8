from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

from compkit.competition.labels import encode_labels, sort_classes, unlabelled_rows
from compkit.types import Task


def encode(cells, task, classes=(), separator=" ", empty_token=""):
    """Labels of one column (a list) or of several (a dict)."""
    one_column = isinstance(cells, list)
    frame = pd.DataFrame({"label": cells} if one_column else cells, dtype=str)
    ids = np.array([f"row{number}" for number in range(len(frame))])
    return encode_labels(frame, ids, task, one_column, classes, separator, empty_token, Path("train.csv"))


def test_class_names_match_scikit_learn():
    names = ["dog", "cat", "NA", "dog", "None", "01"]
    labels = encode(names, Task.MULTICLASS)
    want = LabelEncoder().fit(names)
    assert labels.classes == tuple(want.classes_) and labels.targets.dtype == np.int64
    assert labels.targets.tolist() == want.transform(names).tolist()


@pytest.mark.parametrize(
    "names, want",
    [
        (["10", "9", "2"], ["2", "9", "10"]),
        (["-1", "3", "0"], ["-1", "0", "3"]),
        (["10.0", "9.0"], ["9.0", "10.0"]),
        (["01", "1", "0"], ["0", "01", "1"]),
        (["10", "9", "b"], ["10", "9", "b"]),
        (["inf", "2", "10"], ["10", "2", "inf"]),
        ([], []),
    ],
)
def test_numbers_sort_as_numbers_and_text_as_text(names, want):
    assert list(sort_classes(names)) == want


@pytest.mark.parametrize("cell", ["", "nan", "NaN"])
def test_missing_class_is_minus_one(cell):
    labels = encode(["b", cell, "a"], Task.MULTICLASS)
    assert labels.targets.tolist() == [1, -1, 0] and labels.classes == ("a", "b")
    assert unlabelled_rows(labels.targets).tolist() == [False, True, False]


def test_given_classes_fix_the_order_and_may_be_unseen():
    labels = encode(["b", "a"], Task.MULTICLASS, classes=["c", "b", "a"])
    assert labels.targets.tolist() == [1, 2] and labels.classes == ("c", "b", "a")


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_labels_outside_the_given_classes_are_listed(task):
    with pytest.raises(ValueError, match=r"1 labels are not in competition.classes: 'cow'.*'dog', 'cat'"):
        encode(["cat", "cow", "dog"], task, classes=["dog", "cat"])


@pytest.mark.parametrize(
    "cells, task",
    [
        (["a", "a", ""], Task.MULTICLASS),
        (["a", "a"], Task.MULTILABEL),
        ({"a": ["1", "1"], "b": ["0", "0"]}, Task.MULTICLASS),
        (["", ""], Task.MULTICLASS),
    ],
)
def test_a_single_class_is_an_error(cells, task):
    with pytest.raises(ValueError, match=r"only . classes in the labels.*competition.target_column"):
        encode(cells, task)


def test_one_hot_columns_are_classes():
    labels = encode({"x": ["1", "0.0", ""], "y": ["0", "1.0", ""]}, Task.MULTICLASS)
    assert labels.targets.tolist() == [0, 1, -1] and labels.classes == ("x", "y")


def test_one_hot_columns_in_the_order_of_the_given_classes():
    cells = {"x": ["True", "False"], "y": ["False", "True"]}
    labels = encode(cells, Task.MULTICLASS, classes=["y", "x"])
    assert labels.targets.tolist() == [1, 0] and labels.classes == ("y", "x")


@pytest.mark.parametrize("row", [("1", "1"), ("0", "0"), ("0.5", "0.5")])
def test_rows_that_are_not_one_hot_are_named(row):
    with pytest.raises(ValueError, match=r"1 rows do not have exactly one 1.*'row1'.*task=multilabel"):
        encode({"x": ["1", row[0], "0"], "y": ["0", row[1], "1"]}, Task.MULTICLASS)


@pytest.mark.parametrize("separator", [" ", ",", "|", ", "])
def test_joined_labels_match_scikit_learn(separator):
    sets = [["b", "a"], ["c"], [], ["a", "c"]]
    labels = encode([separator.join(names) for names in sets], Task.MULTILABEL, separator=separator)
    assert labels.targets.dtype == np.float32 and labels.classes == ("a", "b", "c")
    np.testing.assert_array_equal(labels.targets, MultiLabelBinarizer().fit_transform(sets))


def test_joined_numbers_sort_as_numbers():
    assert encode(["10 9", "2"], Task.MULTILABEL).classes == ("2", "9", "10")


def test_separator_may_have_spaces_around_it_and_at_the_ends():
    labels = encode(["a , b", "b,"], Task.MULTILABEL, separator=",")
    assert labels.targets.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("cell, token, missing", [("", "", False), ("", "none", True), ("nan", "", True)])
def test_empty_cell_is_no_class_only_if_that_is_the_empty_token(cell, token, missing):
    labels = encode(["a b", cell], Task.MULTILABEL, empty_token=token)
    assert unlabelled_rows(labels.targets).tolist() == [False, missing]
    assert missing or labels.targets[1].tolist() == [0, 0]


def test_empty_token_is_no_class_unless_given_as_one():
    assert encode(["a b", "none"], Task.MULTILABEL, empty_token="none").classes == ("a", "b")
    labels = encode(["a", "none"], Task.MULTILABEL, classes=["a", "none"], empty_token="none")
    assert labels.targets.tolist() == [[1, 0], [0, 1]]


def test_label_columns_may_be_soft_and_a_row_unlabelled():
    labels = encode({"x": ["1", "0.25", "", "True"], "y": ["0", "1", "nan", "False"]}, Task.MULTILABEL)
    assert labels.targets.dtype == np.float32
    np.testing.assert_array_equal(labels.targets, [[1, 0], [0.25, 1], [np.nan, np.nan], [1, 0]])
    assert unlabelled_rows(labels.targets).tolist() == [False, False, True, False]


@pytest.mark.parametrize("cell", ["2", "-0.1", "yes", "inf"])
def test_label_columns_hold_zero_to_one(cell):
    with pytest.raises(ValueError, match=rf"1 rows differ, first id 'row1', column 'y': '{cell}'"):
        encode({"x": ["1", "0"], "y": ["1", cell]}, Task.MULTILABEL)


@pytest.mark.parametrize("task", [Task.MULTILABEL, Task.REGRESSION])
def test_rows_labelled_in_part_are_named(task):
    with pytest.raises(ValueError, match=r"1 rows have some labels but not all, ids 'row1'"):
        encode({"x": ["1", "", ""], "y": ["0", "1", ""]}, task)


def test_regression_reads_numbers_and_names_its_columns():
    labels = encode({"x": ["1.5", "nan", "-1e3"], "y": [" 2", "", "0"]}, Task.REGRESSION)
    assert labels.classes == ("x", "y") and labels.targets.dtype == np.float32
    np.testing.assert_array_equal(labels.targets, [[1.5, 2], [np.nan, np.nan], [-1000, 0]])


def test_regression_from_one_column():
    assert encode(["1", "2"], Task.REGRESSION).targets.tolist() == [[1], [2]]


@pytest.mark.parametrize("cell", ["high", "1,5", "inf", "-inf", "1e300"])
def test_regression_names_the_cell_that_is_no_finite_number(cell):
    with pytest.raises(ValueError, match=rf"finite numbers.*'row1', column 'label': '{cell}'"):
        encode(["1", cell], Task.REGRESSION)


@pytest.mark.parametrize("task", list(Task))
def test_given_classes_must_be_the_columns(task):
    with pytest.raises(ValueError, match=r"'x', 'y'.*competition.classes lists 'x', 'z'"):
        encode({"x": ["1", "0"], "y": ["0", "1"]}, task, classes=["x", "z"])
