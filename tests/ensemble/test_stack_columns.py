"""Columns of the competition's tables, joined on id and turned into numbers."""

import numpy as np
import pandas as pd
import pytest

from compkit.competition import Competition
from compkit.ensemble.stack_columns import MAX_VALUES, ColumnEncoder, describe_columns, read_columns


@pytest.fixture
def leaf(tmp_path):
    """A competition with columns of every kind: leaf(**keys of Competition)."""
    rows = [
        "id,label,width,camera,mixed,when,fold,only_train,empty",
        "1,oak,10,front,1,2024-01-02,0,x,",
        "2,ash,,back,two,2024-01-03,1,x,",
        "3,oak,30,,3,2024-01-04,0,y,nan",
    ]
    test = ["id,width,camera,mixed,when,empty", "9,5,side,7,2024-02-01,", "8,nan,back,8,2024-02-02,"]
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "test.csv").write_text("\n".join(test) + "\n")
    for name in ("train/1", "train/2", "train/3", "test/9", "test/8"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").touch()

    def make(**keys):
        return Competition("leaf", tmp_path, "multiclass", **{"test_table": "test.csv"} | keys)

    return make


IDS, TEST_IDS = np.array(["3", "1", "2"]), np.array(["8", "9"])


def test_columns_are_joined_on_id(leaf):
    columns = read_columns(leaf(), ["width", "camera", "mixed"], IDS, TEST_IDS)
    np.testing.assert_array_equal(columns.train["width"], [30, 10, np.nan])
    np.testing.assert_array_equal(columns.test["width"], [np.nan, 5])
    assert columns.train["camera"].tolist() == ["", "front", "back"]
    assert columns.train["mixed"].tolist() == ["3", "1", "two"] and columns.test["mixed"].tolist() == [
        "8",
        "7",
    ]
    assert describe_columns(columns) == "width (numbers), camera (text), mixed (text)"


def test_moments_are_days(leaf):
    columns = read_columns(leaf(time_column="when"), ["when"], IDS, TEST_IDS)
    assert (columns.train["when"] - columns.train["when"][1]).tolist() == [2, 0, 1]
    assert (columns.test["when"] - columns.train["when"][1]).tolist() == [31, 30]


def test_no_columns_read_nothing(tmp_path):
    nowhere = Competition("leaf", tmp_path / "nowhere", "multiclass")
    columns = read_columns(nowhere, [], IDS, None)
    assert columns.train.shape == (3, 0) and columns.test is None
    assert read_columns(nowhere, [], IDS, TEST_IDS).test.shape == (2, 0)


@pytest.mark.parametrize(
    "keys, names, ids, words",
    [
        ({}, ["label"], IDS, "'label' is the target"),
        ({"fold_column": "fold"}, ["fold"], IDS, "'fold' is the fold"),
        ({}, ["widht"], IDS, "Set columns=width"),
        ({}, ["only_train"], IDS, "'only_train' is not in .*test.csv, so it is not known of the test rows"),
        ({}, ["width"], np.array(["3", "77"]), "lacks 1 of the 2 rows that the runs predicted: '77'"),
    ],
)
def test_columns_that_cannot_be_had(leaf, keys, names, ids, words):
    with pytest.raises(ValueError, match=words):
        read_columns(leaf(**keys), names, ids, TEST_IDS)


def test_what_the_test_table_lacks_is_fine_without_a_test_set(leaf):
    assert read_columns(leaf(), ["only_train"], IDS, None).train["only_train"].tolist() == ["y", "x", "x"]


def test_encoder_knows_only_what_its_rows_know():
    frame = pd.DataFrame({"size": [1.0, 2.0, 9.0], "kind": ["a", "a", "b"]})
    encoder = ColumnEncoder(frame)
    assert encoder.encode(frame).tolist() == [[1, 1], [2, 1], [9, 0]]
    later = pd.DataFrame({"size": [np.nan], "kind": ["b"]})
    assert encoder.encode(later).tolist() == [[2, 0]]  # the median; no column for gaps that were not there


def test_encoder_keeps_the_most_frequent_texts():
    texts = np.repeat([f"t{number}" for number in range(MAX_VALUES + 5)], np.arange(MAX_VALUES + 5, 0, -1))
    encoded = ColumnEncoder(pd.DataFrame({"text": texts.astype(object)})).encode(
        pd.DataFrame({"text": ["t0", f"t{MAX_VALUES}", "new"]}, dtype=object)
    )
    assert encoded.shape == (3, MAX_VALUES) and encoded.sum(axis=1).tolist() == [1, 0, 0]


def test_a_missing_text_is_a_text(leaf):
    frame = pd.DataFrame({"camera": ["", "", "front", "front"]}, dtype=object)
    assert ColumnEncoder(frame).encode(frame)[:, 0].tolist() == [1, 1, 0, 0]


def test_columns_that_tell_nothing_are_refused(leaf):
    columns = read_columns(leaf(), ["empty"], IDS, TEST_IDS)
    with pytest.raises(ValueError, match="'empty' has no value in any of 3 rows"):
        ColumnEncoder(columns.train)
    with pytest.raises(ValueError, match="'id' has another text in every row"):
        ColumnEncoder(pd.DataFrame({"id": ["a", "b"]}, dtype=object))
