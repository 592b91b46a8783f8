from pathlib import Path

import pytest

from compkit.competition.table import read_table

KEY = "competition.train_table"
ROWS = [["007", "NA"], ["008", ""]]


def read(folder: Path, name: str, text: str, header: bool = True):
    (folder / name).write_text(text, encoding="utf-8")
    return read_table(folder / name, KEY, header)


@pytest.mark.parametrize(
    "name, mark",
    [
        ("a.csv", ","),
        ("a.csv", ";"),
        ("a.csv", "\t"),
        ("a.tsv", "\t"),
        ("a.txt", ","),
        ("a.txt", "\t"),
        ("a.txt", ";"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_every_separator_gives_the_same_cells(tmp_path, name, mark, header):
    lines = [["id", "label"]] * header + ROWS
    frame = read(tmp_path, name, "".join(f"{mark.join(line)}\n" for line in lines), header)
    assert frame.to_numpy().tolist() == ROWS
    assert list(frame.columns) == (["id", "label"] if header else ["0", "1"])


def test_blanks_separate_where_nothing_else_does(tmp_path):
    frame = read(tmp_path, "list.txt", "train/007.jpg  3\ntrain/008.jpg 11\n", header=False)
    assert frame.to_numpy().tolist() == [["train/007.jpg", "3"], ["train/008.jpg", "11"]]


def test_marks_inside_cells_separate_nothing(tmp_path):
    frame = read(tmp_path, "a.txt", 'id\ttext\n1\ta, b\n2\t"c\td"\n')
    assert frame["text"].tolist() == ["a, b", "c\td"]
    frame = read(tmp_path, "a.csv", "id,labels\n1,a;b\n2,c\n")
    assert frame["labels"].tolist() == ["a;b", "c"]


def test_one_column_of_ids(tmp_path):
    assert read(tmp_path, "ids.txt", "007\n008\n", header=False)["0"].tolist() == ["007", "008"]


def test_packed_csv_is_unpacked(tmp_path):
    path = tmp_path / "train.csv.gz"
    read(tmp_path, "train.csv", "id,label\n007,a\n").to_csv(path, index=False)
    assert read_table(path, KEY).iloc[0].to_list() == ["007", "a"]


def test_more_cells_than_before_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"a\.csv: not a readable CSV.*train_table"):
        read(tmp_path, "a.csv", "1,2\n1,2,3\n", header=False)
