from pathlib import Path

import pandas as pd
import pytest

from compkit.competition.joined_table import join_table, keep_rows

KEY = "competition.train_rows"
PATH = Path("all.csv")
FRAME = pd.DataFrame({"id": list("abcd"), "split": ["train", "val", "test", "train"], "site": list("xxyy")})


def test_rows_are_kept_in_their_order_by_every_column():
    kept = keep_rows(FRAME, {"split": ["val", "train"], "site": ["x"]}, PATH, KEY)
    assert kept["id"].tolist() == ["a", "b"] and keep_rows(FRAME, {}, PATH, KEY) is FRAME


@pytest.mark.parametrize(
    "wanted, message",
    [
        ({"splits": ["train"]}, r"column 'splits' not found.*train_rows=split"),
        (
            {"split": ["train", "valid"]},
            r"no row of all\.csv has 'valid' in column 'split'; it has 'test', 'train', 'val'",
        ),
        ({"split": ["val"], "site": ["y"]}, r"no row of all\.csv has all of"),
    ],
)
def test_rows_that_there_are_not(wanted, message):
    with pytest.raises(ValueError, match=message):
        keep_rows(FRAME, wanted, PATH, KEY)


def join(folder, text, column="id", name="meta.csv"):
    (folder / name).write_text(text)
    return join_table(FRAME, folder / name, column, "competition.train_join")


def test_join_is_the_one_of_pandas(tmp_path):
    text = "age,id,unused\n4,d,\n3,c,\n1,a,\n2,b,\n9,z,\n"
    joined = join(tmp_path, text)
    want = FRAME.merge(pd.DataFrame({"id": list("abcd"), "age": list("1234")}), on="id")
    assert joined.drop(columns="unused").equals(want.astype(str))


def test_several_rows_may_share_one_of_the_other(tmp_path):
    assert join(tmp_path, "site,lat\ny,2\nx,1\n", "site")["lat"].tolist() == ["1", "1", "2", "2"]


def test_column_of_both_is_called_after_its_file(tmp_path):
    joined = join(tmp_path, '[{"site": "x", "split": 1}, {"site": "y", "split": 2}]', "site", "places.json")
    assert joined["split"].tolist() == FRAME["split"].tolist() and joined["places.split"].tolist() == list(
        "1122"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,age\na,1\nb,2\n", r"lacks 2 cells that our column 'id' has: 'c', 'd'"),
        ("id,age\na,1\nb,2\nc,3\nd,4\nd,5\n", r"1 cells of column 'id' occur more than once: 'd'"),
        ("image,age\na,1\n", r"meta\.csv: column 'id' not found"),
    ],
)
def test_tables_that_do_not_go_together(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        join(tmp_path, text)


def test_other_rows_of_the_other_may_repeat(tmp_path):
    assert len(join(tmp_path, "id,age\na,1\nb,2\nc,3\nd,4\nz,5\nz,6\n")) == 4


def test_our_column_must_be_there(tmp_path):
    with pytest.raises(ValueError, match=r"column 'image' not found.*train_join"):
        join(tmp_path, "image,age\na,1\n", "image")
