import os

import numpy as np
import pandas as pd
import pytest

from compkit.competition.paths import IMAGE_SUFFIXES, find_files

KEY = "competition.train_images"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def find(root, pattern, ids, frame=None, channel_files=()):
    frame = pd.DataFrame({"id": ids}, dtype=str) if frame is None else frame
    files = find_files(root, pattern, frame, np.array(ids), KEY, channel_files)
    assert files.dtype.kind == "S" and files.ndim == 2
    return [[os.path.relpath(os.fsdecode(file), root) for file in row] for row in files]


@pytest.mark.parametrize(
    "pattern, id_",
    [("train/{id}.png", "007"), ("train/{id}", "007.png"), ("train", "007.png"), ("train/{id}", "007")],
)
def test_id_with_or_without_extension(tmp_path, pattern, id_):
    touch(tmp_path, "train/007.png", "train/7.png")
    assert find(tmp_path, pattern, [id_]) == [["train/007.png"]]


@pytest.mark.parametrize("suffix", [*IMAGE_SUFFIXES, ".JPG", ".Png"])
def test_unknown_extension_is_found_in_any_case(tmp_path, suffix):
    touch(tmp_path, f"train/scan.v2{suffix}", "train/scan.txt")
    assert find(tmp_path, "train/{id}", ["scan.v2"]) == [[f"train/scan.v2{suffix}"]]


def test_exact_file_wins_over_guessing(tmp_path):
    touch(tmp_path, "a", "a.png")
    assert find(tmp_path, "{id}", ["a"]) == [["a"]]


def test_two_files_that_fit_are_an_error(tmp_path):
    touch(tmp_path, "a.png", "a.jpg")
    with pytest.raises(ValueError, match=r"id 'a' fits several files.*a\.jpg.*a\.png.*train_images="):
        find(tmp_path, "{id}", ["a"])


def test_columns_of_the_csv_fill_the_pattern(tmp_path):
    touch(tmp_path, "s1/p 1/a.png", "s2/p2/b.png")
    frame = pd.DataFrame({"site": ["s1", "s2"], "the patient": ["p 1", "p2"], "id": ["x", "y"]}, dtype=str)
    found = find(tmp_path, "{site}/{the patient}/{id}.png", ["a", "b"], frame)
    assert found == [["s1/p 1/a.png"], ["s2/p2/b.png"]]


def test_unknown_column_in_the_pattern_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"names column 'site'.*'label'.*Set competition.train_images"):
        find(tmp_path, "{site}/{id}.png", ["a"], pd.DataFrame({"label": ["x"]}))


def test_attributes_in_braces_are_no_column(tmp_path):
    with pytest.raises(ValueError, match=r"names column 'id\.__class__'"):
        find(tmp_path, "{id.__class__}", ["a"])


def test_channel_files_come_in_their_order(tmp_path):
    touch(tmp_path, "a_red.png", "a_green.png", "b_red.png", "b_green.png")
    want = [["a_red.png", "a_green.png"], ["b_red.png", "b_green.png"]]
    assert find(tmp_path, "{id}.png", ["a", "b"], channel_files=["_red", "_green"]) == want
    assert find(tmp_path, "{id}", ["a", "b"], channel_files=["_red", "_green"]) == want
    assert find(tmp_path, "{id}", ["a.png", "b.png"], channel_files=["_red", "_green"]) == want


def test_all_missing_files_are_counted_and_ten_named(tmp_path):
    touch(tmp_path, "train/0.jpg")
    ids = [str(number) for number in range(25)]
    with pytest.raises(FileNotFoundError) as caught:
        find(tmp_path, "train/{id}.png", ids)
    message = str(caught.value)
    assert "25 files of 25 images are missing" in message
    assert "id '9': train/9.png" in message and "'10'" not in message
    assert "holds '0.jpg'" in message and "competition.train_images" in message


def test_missing_folder_and_guessed_extensions_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train/a \(also with \.png.*train does not exist"):
        find(tmp_path, "train/{id}", ["a"])


def test_folder_is_no_picture(tmp_path):
    touch(tmp_path, "train/a.png/inside.png")
    with pytest.raises(FileNotFoundError, match="1 files of 1"):
        find(tmp_path, "train/{id}.png", ["a"])
    with pytest.raises(FileNotFoundError, match="1 files of 1"):
        find(tmp_path, "train/{id}", ["."])


@pytest.mark.parametrize("id_", ["../../etc/passwd", "../secret.png", "a/../../../secret.png", "/etc/passwd"])
@pytest.mark.parametrize("column", ["id", "file"])
def test_paths_out_of_the_competition_are_refused(tmp_path, id_, column):
    touch(tmp_path, "secret.png", "competition/train/a.png")
    frame = pd.DataFrame({column: ["train/a.png", id_]}, dtype=str)
    ids = ["train/a.png", id_] if column == "id" else ["1", "2"]
    with pytest.raises(ValueError, match=rf"outside .*{column!r}.*Correct that row") as caught:
        find(tmp_path / "competition", f"{{{column}}}", ids, frame)
    assert repr(ids[1]) in str(caught.value)


def test_sibling_folder_with_the_same_beginning_is_outside(tmp_path):
    touch(tmp_path, "data2/a.png", "data/b.png")
    with pytest.raises(ValueError, match="outside"):
        find(tmp_path / "data", "{id}", ["../data2/a.png"])


def test_relative_parts_that_stay_inside_are_fine(tmp_path):
    touch(tmp_path, "train/a.png")
    assert find(tmp_path, "csv/{id}", ["../train/a.png"]) == [["train/a.png"]]


def test_linked_folder_is_followed(tmp_path):
    touch(tmp_path, "disk/a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(tmp_path / "disk")
    assert find(tmp_path / "data", "train/{id}", ["a"]) == [["train/a.png"]]


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    touch(tmp_path, *(f"train/{number}.png" for number in range(50)))
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    find(tmp_path, "train/{id}", [str(number) for number in range(50)])
    assert len(listed) == 1


def test_paths_are_absolute_and_not_ascii_only(tmp_path, monkeypatch):
    touch(tmp_path, "data/日本 ü.png")
    monkeypatch.chdir(tmp_path)
    files = find_files("data", "{id}.png", pd.DataFrame(), np.array(["日本 ü"]), KEY)
    assert os.fsdecode(files[0, 0]) == str(tmp_path / "data" / "日本 ü.png")
