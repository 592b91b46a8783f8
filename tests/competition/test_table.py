from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compkit.competition.table import (
    first_few,
    parse_times,
    read_ids,
    read_table,
    require_column,
    require_filled,
)

KEY = "competition.train_table"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "train.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("cell", ["007", "NA", "None", "null", "1e5", "nan", "1_0", "TRUE", " a", "ü"])
def test_cells_stay_the_text_they_are(tmp_path, cell):
    frame = read_table(write(tmp_path, f"id,label\na,{cell}\n"), KEY)
    assert frame["label"].tolist() == [cell]


def test_empty_and_absent_cells_are_empty_text_of_python_type(tmp_path):
    frame = read_table(write(tmp_path, "id,label,more\na,,\nb\n"), KEY)
    assert frame["label"].tolist() == ["", ""] and frame["more"].tolist() == ["", ""]
    assert all(type(cell) is str for cell in frame["label"].tolist())


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    assert list(read_table(write(tmp_path, "id,label\na,b\n", "utf-8-sig"), KEY).columns) == ["id", "label"]


def test_missing_file_names_the_key_and_what_lies_there(tmp_path):
    write(tmp_path, "id\na\n")
    with pytest.raises(FileNotFoundError, match=r"labels\.csv: no such file.*'train\.csv'.*train_table"):
        read_table(tmp_path / "labels.csv", KEY)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not a readable CSV"),
        ("id,label\na,\xfc\n".encode("latin-1"), "not a readable CSV"),
        (b'id,label\na,"b\n', "not a readable CSV"),
        (b"id,label\na,b\nc,d,e\n", "not a readable CSV"),
        (b"id,label\na,b,c\nd,e,f\n", "more cells than the header's 2 columns.*double quotes"),
        (b"id,label\n", "no rows"),
    ],
)
def test_unreadable_csv_is_an_error_with_its_path(tmp_path, content, message):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path, KEY)
    assert str(path) in str(caught.value)


def test_missing_column_lists_columns_and_suggests_the_nearest():
    frame = pd.DataFrame(columns=["Image_ID", "Target", "fold"])
    with pytest.raises(ValueError, match=r"'image_id' not found.*'Target'.*competition.id_column=Image_ID"):
        require_column(frame, "image_id", Path("train.csv"), "competition.id_column")


def test_ids_are_numpy_text_with_their_zeros(tmp_path):
    ids = read_ids(read_table(write(tmp_path, "id\n01\n1\n"), KEY), "id", tmp_path)
    assert ids.dtype.kind == "U" and ids.tolist() == ["01", "1"]


def test_repeated_ids_are_counted_and_named():
    frame = pd.DataFrame({"id": ["b", "a", "b", "a", "c"]})
    with pytest.raises(ValueError, match=r"train\.csv: 2 ids occur more than once.*'a', 'b'.*Keep one row"):
        read_ids(frame, "id", Path("train.csv"))


def test_empty_id_names_its_line():
    with pytest.raises(ValueError, match="no id in column 'id', first in line 3"):
        read_ids(pd.DataFrame({"id": ["a", ""]}), "id", Path("train.csv"))


def test_group_column_must_be_there_and_filled():
    frame = pd.DataFrame({"patient": ["p", "", "nan"]})
    with pytest.raises(ValueError, match=r"empty in 2 rows, lines 3, 4; competition.group_column"):
        require_filled(frame, "patient", Path("train.csv"), "competition.group_column")
    with pytest.raises(ValueError, match=r"competition\.group_column=patient"):
        require_filled(frame, "patients", Path("train.csv"), "competition.group_column")


@pytest.mark.parametrize(
    "cells", [["10", "9", "9.5"], ["2024-01-10", "2023-12-31 23:59", "2024-01-09T10:00:00"]]
)
def test_times_sort_by_time_and_not_as_text(cells):
    times = parse_times(pd.Series(cells), Path("train.csv"))
    assert np.argsort(times.to_numpy()).tolist() == [1, 2, 0]


def test_what_is_no_time_is_named():
    with pytest.raises(ValueError, match=r"1 cells of column 'day' are no time: '13/01/2024'"):
        parse_times(pd.Series(["2024-01-01", "13/01/2024"], name="day"), Path("train.csv"))


def test_first_few_says_when_there_are_more():
    assert first_few(range(3), 3) == "0, 1, 2" and first_few(range(4), 3).endswith("...")
