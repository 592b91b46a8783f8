import os

import numpy as np
import pandas as pd
import pytest

from compkit.competition.paths import find_pictures
from compkit.competition.patterns import IMAGE_SUFFIXES

KEY = "competition.train_images"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def find(root, pattern, ids, frame=None, channel_files=()):
    frame = pd.DataFrame({"id": ids}, dtype=str) if frame is None else frame
    files = find_pictures(root, pattern, frame, np.array(ids), KEY, channel_files).files
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
    files = find_pictures("data", "{id}.png", pd.DataFrame(), np.array(["日本 ü"]), KEY).files
    assert os.fsdecode(files[0, 0]) == str(tmp_path / "data" / "日本 ü.png")


def pictures(root, pattern, ids, frame=None, channel_files=()):
    """The ids of the pictures found, and their paths relative to root."""
    frame = pd.DataFrame({"id": ids}, dtype=str) if frame is None else frame
    found = find_pictures(root, pattern, frame, np.array(ids), KEY, channel_files)
    assert found.files.shape == (len(found.rows), len(channel_files) or 1)
    files = [[os.path.relpath(os.fsdecode(file), root) for file in row] for row in found.files]
    return found.rows.tolist(), found.ids.tolist(), files


def test_padded_ids_find_their_files(tmp_path):
    touch(tmp_path, "train/000007.png", "train/000012.png")
    assert find(tmp_path, "train/{id:06}.png", ["12", "7"]) == [["train/000012.png"], ["train/000007.png"]]


@pytest.mark.parametrize(
    "pattern", ["train/**/{id}.png", "train/**/{id}", "**/{id}.png", "train/**/{site}/{id}.png"]
)
def test_files_at_any_depth(tmp_path, pattern):
    touch(tmp_path, "train/x/y/7.png", "train/z/8.png", "train/x/9.txt")
    frame = pd.DataFrame({"site": ["z", "y"]})
    assert find(tmp_path, pattern, ["8", "7"], frame) == [["train/z/8.png"], ["train/x/y/7.png"]]


def test_depth_may_be_none(tmp_path):
    touch(tmp_path, "train/7.png")
    assert find(tmp_path, "train/**/{id}.png", ["7"]) == [["train/7.png"]]


def test_depth_may_follow_a_column(tmp_path):
    touch(tmp_path, "a/x/7.png", "b/x/7.png")
    frame = pd.DataFrame({"site": ["b", "a"]})
    assert find(tmp_path, "{site}/**/{id}.png", ["7", "7"], frame) == [["b/x/7.png"], ["a/x/7.png"]]


def test_one_name_in_two_folders_names_both(tmp_path):
    touch(tmp_path, "train/x/7.png", "train/y/7.png", "train/y/8.png")
    with pytest.raises(
        ValueError, match=r"id '7' fits several files: .*train/x/7\.png.*train/y/7\.png.*more of its folder"
    ):
        find(tmp_path, "train/**/{id}.png", ["8", "7"])
    assert find(tmp_path, "train/**/{id}.png", ["8"]) == [["train/y/8.png"]]
    assert find(tmp_path, "train/**/{id}.png", ["y/7"]) == [["train/y/7.png"]]


def test_folder_whose_name_only_ends_alike_is_another(tmp_path):
    touch(tmp_path, "train/xy/7.png")
    with pytest.raises(FileNotFoundError, match="1 files of 1"):
        find(tmp_path, "train/**/{id}.png", ["y/7"])


def test_several_pictures_a_row(tmp_path):
    touch(
        tmp_path, "train/1/b.png", "train/1/a.png", "train/12/a.png", "train/1/deep/c.png", "train/1/.d.png"
    )
    rows, ids, files = pictures(tmp_path, "train/{id}/*.png", ["12", "1"])
    assert rows == [0, 1, 1] and ids == ["12/a.png", "1/a.png", "1/b.png"]
    assert files == [["train/12/a.png"], ["train/1/a.png"], ["train/1/b.png"]]
    assert pictures(tmp_path, "train/{id}/**/*", ["1"])[1] == ["1/a.png", "1/b.png", "1/deep/c.png"]


def test_several_pictures_in_one_folder(tmp_path):
    touch(tmp_path, "t/1_a.png", "t/1_b.JPG", "t/12_a.png", "t/1_notes.txt")
    assert pictures(tmp_path, "t/{id}_*", ["1", "12"])[1] == ["1/a.png", "1/b.JPG", "12/a.png"]
    assert pictures(tmp_path, "t/{id}_*.png", ["1", "12"])[1] == ["1/a.png", "12/a.png"]
    assert pictures(tmp_path, "**/{id}_*.png", ["12"])[1] == ["12/t/a.png"]


def test_picture_of_two_rows_is_an_error(tmp_path):
    touch(tmp_path, "t/1_a.png", "t/12_a.png")
    with pytest.raises(
        ValueError, match=r"12_a\.png fits 't/\{id\}\*\.png' of the ids '1', '12'.*where the id ends"
    ):
        pictures(tmp_path, "t/{id}*.png", ["1", "12"])


def test_row_without_any_picture_is_missing(tmp_path):
    touch(tmp_path, "t/1/a.png", "t/2/readme.txt")
    with pytest.raises(FileNotFoundError, match=r"2 files of 3 .*id '2': t/2/\*\.png; id '3'"):
        pictures(tmp_path, "t/{id}/*.png", ["1", "2", "3"])


def test_channel_in_the_pattern(tmp_path):
    touch(tmp_path, "t/red/1.png", "t/green/1.png", "t/1-red-x.png", "t/1-green-x.png")
    channels = ["red", "green"]
    assert find(tmp_path, "t/{channel}/{id}.png", ["1"], channel_files=channels) == [
        ["t/red/1.png", "t/green/1.png"]
    ]
    want = [["t/1-red-x.png", "t/1-green-x.png"]]
    assert find(tmp_path, "t/{id}-{channel}-x", ["1"], channel_files=channels) == want


def test_channels_of_several_pictures_a_row(tmp_path):
    touch(tmp_path, *(f"t/{channel}/1/{name}.png" for channel in ("red", "green") for name in "ab"))
    channels = ["red", "green"]
    ids, files = pictures(tmp_path, "t/{channel}/{id}/*.png", ["1"], channel_files=channels)[1:]
    assert ids == ["1/a.png", "1/b.png"] and files[1] == ["t/red/1/b.png", "t/green/1/b.png"]
    (tmp_path / "t/green/1/b.png").unlink()
    with pytest.raises(FileNotFoundError, match="t/red/1"):
        pictures(tmp_path, "t/{channel}/{id}/*.png", ["1"], channel_files=channels)


def test_channel_suffixes_of_several_pictures_a_row(tmp_path):
    touch(tmp_path, *(f"t/1/{name}{channel}.png" for channel in ("_red", "_green") for name in "ab"))
    for pattern in ("t/{id}/*.png", "t/{id}/*"):
        ids, files = pictures(tmp_path, pattern, ["1"], channel_files=["_red", "_green"])[1:]
        assert ids == ["1/a.png", "1/b.png"] and files[0] == ["t/1/a_red.png", "t/1/a_green.png"]


@pytest.mark.parametrize(
    "pattern",
    [
        "{id}.png",
        "**/{id}.png",
        "train/**/{id}.png",
        "{id}/**/a.png",
        "{id}/*.png",
        "{id}/**/*",
        "train/{id}*",
    ],
)
@pytest.mark.parametrize(
    "id_", ["../../secret/a", "../secret", "/etc", "../../competition/../secret", "../../secret/../secret/a"]
)
def test_no_form_of_pattern_leads_out(tmp_path, pattern, id_):
    touch(tmp_path, "secret/a.png", "secret.png", "competition/train/a.png")
    with pytest.raises((ValueError, FileNotFoundError), match=r"outside|are missing"):
        pictures(tmp_path / "competition", pattern, [id_])


def test_head_that_leaves_and_tail_that_returns_are_refused(tmp_path):
    touch(tmp_path, "competition/a/1.png", "elsewhere/competition/a/1.png")
    frame = pd.DataFrame({"up": [".."]})
    with pytest.raises(ValueError, match="outside"):
        pictures(tmp_path / "competition", "{up}/**/competition/a/{id}.png", ["1"], frame)


def test_linked_folders_are_searched_but_not_in_circles(tmp_path):
    touch(tmp_path, "disk/a/7.png")
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "a" / "back").symlink_to(tmp_path / "disk")
    assert find(tmp_path / "data", "train/**/{id}.png", ["7"]) == [["train/linked/a/7.png"]]


@pytest.mark.parametrize("pattern", ["train/**/{id}.png", "train/{id}_*.png"])
def test_searched_folders_are_listed_once(tmp_path, monkeypatch, pattern):
    touch(tmp_path, *(f"train/{number}_a.png" for number in range(50)))
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    ids = [f"{number}" if "*." in pattern else f"{number}_a" for number in range(50)]
    assert len(pictures(tmp_path, pattern, ids)[0]) == 50 and len(listed) == 1
