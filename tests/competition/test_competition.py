import logging
import os

import cv2
import numpy as np
import pandas as pd
import pytest

from compkit.competition import Competition


@pytest.fixture
def folder(tmp_path):
    """Six labelled and two test images, as they are downloaded."""
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    for number in range(6):
        cv2.imwrite(str(tmp_path / "train" / f"0{number}.png"), np.full((4, 4, 3), number, np.uint8))
    for number in range(2):
        cv2.imwrite(str(tmp_path / "test" / f"1{number}.png"), np.full((4, 4, 3), number, np.uint8))
    frame = pd.DataFrame({"id": [f"0{number}" for number in (3, 1, 2, 0, 5, 4)]})
    frame["label"] = ["NA", "b", "b", "NA", "b", "b"]
    frame["patient"], frame["day"] = list("xxyyzz"), ["10", "9", "8", "7", "6", "5"]
    frame.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "sample_submission.csv").write_text("id,label\n11,b\n10,b\n")
    return tmp_path


def make(folder, task="multiclass", **keys):
    return Competition("pets", folder, task, **keys)


def names_of(table):
    return [os.path.basename(os.fsdecode(file)) for file in table.files[:, 0]]


def edit(folder, column, cells):
    frame = pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False)
    frame[column] = cells
    frame.to_csv(folder / "train.csv", index=False)


def test_training_rows_keep_the_order_of_the_csv(folder):
    competition = make(folder)
    table = competition.read_train()
    assert table.ids.tolist() == ["03", "01", "02", "00", "05", "04"]
    assert names_of(table) == [f"{id_}.png" for id_ in table.ids]
    assert table.targets.tolist() == [0, 1, 1, 0, 1, 1] and competition.classes == ("NA", "b")
    assert table.frame["patient"].tolist() == list("xxyyzz")
    pixel = [cv2.imread(os.fsdecode(file))[0, 0, 0] for file in table.files[:, 0]]
    assert pixel == [3, 1, 2, 0, 5, 4]


def test_table_can_be_taken_apart(folder):
    table = make(folder).read_train().take(np.array([2, 0]))
    assert table.ids.tolist() == ["02", "03"] and table.frame["id"].tolist() == ["02", "03"]
    assert names_of(table) == ["02.png", "03.png"] and table.targets.tolist() == [1, 0]


def test_test_rows_come_from_the_sample(folder):
    table = make(folder).read_test()
    assert table.ids.tolist() == ["11", "10"] and names_of(table) == ["11.png", "10.png"]
    assert table.targets is None


def test_test_rows_come_from_the_test_table_first(folder):
    (folder / "test.csv").write_text("id,site\n10,test\n")
    table = make(folder, test_table="test.csv", test_images="{site}/{id}.png").read_test()
    assert table.ids.tolist() == ["10"] and table.frame["site"].tolist() == ["test"]


def test_test_rows_come_from_the_folder_when_nothing_lists_them(folder):
    table = make(folder, sample_submission=None).read_test()
    assert table.ids.tolist() == ["10", "11"] and table.frame["id"].tolist() == ["10", "11"]


def test_class_folders_train_without_a_csv(folder):
    for name in ("dog/1.png", "cat/1.png", "cat/2.jpg"):
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).touch()
    competition = make(folder, train_table=None, train_images="tree")
    table = competition.read_train()
    assert table.ids.tolist() == ["cat/1.png", "cat/2.jpg", "dog/1.png"]
    assert table.targets.tolist() == [0, 0, 1] and competition.classes == ("cat", "dog")
    assert table.frame["label"].tolist() == ["cat", "cat", "dog"]


def test_picture_beside_the_class_folders_has_no_label(folder):
    for name in ("dog/1.png", "cat/1.png", "stray.png"):
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).touch()
    with pytest.raises(ValueError, match=r"1 rows have no label.*'stray\.png'"):
        make(folder, train_table=None, train_images="tree").read_train()
    table = make(folder, train_table=None, train_images="tree", unlabelled="drop").read_train()
    assert table.ids.tolist() == ["cat/1.png", "dog/1.png"]


def test_limit_needs_only_the_files_it_takes_and_keeps_all_classes(folder):
    table = make(folder).read_train(limit=3)
    assert len(table) == len(table.frame) == 3 and set(table.targets) == {0, 1}
    order = [["03", "01", "02", "00", "05", "04"].index(id_) for id_ in table.ids]
    assert order == sorted(order)
    for id_ in {"00", "01", "02", "03", "04", "05"} - set(table.ids):
        (folder / "train" / f"{id_}.png").unlink()
    assert make(folder).read_train(limit=3).ids.tolist() == table.ids.tolist()
    assert len(make(folder).read_test(limit=1)) == 1


def test_limit_does_not_change_the_classes(folder):
    edit(folder, "label", ["b", "b", "b", "b", "b", "a"])
    competition = make(folder)
    competition.read_train(limit=1)
    assert competition.classes == ("a", "b")
    competition.read_train()
    assert competition.classes == ("a", "b")


def test_unlabelled_rows_are_an_error_unless_dropped(folder, caplog):
    edit(folder, "label", ["a", "", "b", "nan", "a", "b"])
    with pytest.raises(ValueError, match=r"2 rows have no label.*'01', '00'.*competition.unlabelled=drop"):
        make(folder).read_train()
    with caplog.at_level(logging.WARNING):
        table = make(folder, unlabelled="drop").read_train()
    assert table.ids.tolist() == ["03", "02", "05", "04"] and table.targets.tolist() == [0, 1, 0, 1]
    assert len(table.frame) == 4 and "dropped 2 of 6 rows" in caplog.text


def test_no_label_at_all_is_an_error(folder):
    edit(folder, "label", [""] * 6)
    with pytest.raises(ValueError, match=r"no row has a label in 'label'.*competition.target_column"):
        make(folder, task="regression", unlabelled="drop").read_train()


def test_several_target_columns(folder):
    edit(folder, "x", ["1", "0", "1", "0", "1", "0"])
    edit(folder, "y", ["0.5", "1", "1", "0", "0", "0"])
    competition = make(folder, task="multilabel", target_column=["x", "y"])
    assert competition.read_train().targets[0].tolist() == [1, 0.5] and competition.classes == ("x", "y")


def test_time_column_becomes_sortable_and_others_stay_text(folder):
    frame = make(folder, time_column="day", group_column="patient").read_train().frame
    assert frame["day"].tolist() == [10, 9, 8, 7, 6, 5]
    assert all(type(cell) is str for cell in frame["id"].tolist())


def test_fold_column_may_have_empty_cells(folder):
    edit(folder, "part", ["0", "1", "", "0", "1", ""])
    assert make(folder, fold_column="part").read_train().frame["part"].tolist()[2] == ""


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"id_column": "Id"}, r"column 'Id' not found.*Set competition\.id_column=id"),
        ({"target_column": "labels"}, r"column 'labels' not found.*Set competition\.target_column=label"),
        ({"group_column": "patients"}, r"Set competition\.group_column=patient"),
        ({"time_column": "days"}, r"Set competition\.time_column=day"),
        ({"fold_column": "patien"}, r"Set competition\.fold_column=patient"),
    ],
)
def test_missing_columns_name_their_key(folder, keys, message):
    with pytest.raises(ValueError, match=message):
        make(folder, **keys).read_train()


def test_empty_group_is_an_error(folder):
    edit(folder, "patient", ["x", "", "y", "y", "z", "z"])
    with pytest.raises(ValueError, match=r"'patient' is empty in 1 rows, lines 3"):
        make(folder, group_column="patient").read_train()


@pytest.mark.parametrize(
    "keys, read, message",
    [
        ({"train_table": "labels.csv"}, "read_train", r"labels\.csv.*competition\.train_table"),
        ({"train_images": "images/{id}.png"}, "read_train", r"6 files of 6.*competition\.train_images"),
        ({"train_table": None, "train_images": "no"}, "read_train", r"no such folder.*train_images"),
        ({"test_images": "images/{id}.png"}, "read_test", r"2 files of 2.*competition\.test_images"),
        ({"test_table": "test.csv"}, "read_test", r"test\.csv.*competition\.test_table"),
        ({"sample_submission": "s.csv"}, "read_test", r"s\.csv.*competition\.sample_submission"),
    ],
)
def test_missing_files_name_their_key(folder, keys, read, message):
    with pytest.raises(FileNotFoundError, match=message):
        getattr(make(folder, **keys), read)()


@pytest.mark.parametrize("read", ["read_train", "read_test"])
def test_missing_competition_folder(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"no such folder.*'pets'.*set competition\.path"):
        getattr(make(tmp_path / "no"), read)()


def test_repeated_test_ids_are_an_error(folder):
    (folder / "sample_submission.csv").write_text("id,label\n11,b\n11,b\n")
    with pytest.raises(ValueError, match=r"sample_submission\.csv: 1 ids occur more than once.*'11'"):
        make(folder).read_test()


@pytest.mark.parametrize(
    "keys, message",
    [
        (
            {"task": "classification"},
            "task=classification: expected one of multiclass, multilabel, regression",
        ),
        ({"fold_scheme": "kfold"}, r"competition\.fold_scheme=kfold: expected one of auto, stratified"),
        ({"submission_format": "csv"}, r"competition\.submission_format=csv: expected one of auto, labels"),
        ({"corrupt_images": "skip"}, r"competition\.corrupt_images=skip: expected one of error, drop"),
        ({"unlabelled": "keep"}, r"competition\.unlabelled=keep: expected one of error, drop"),
        ({"channels": 0}, r"competition\.channels=0: expected at least 1"),
        ({"channel_files": ["_r", "_g"]}, r"2 suffixes for 3 channels.*competition\.channels=2"),
        ({"max_value": 0}, r"competition\.max_value=0\.0: expected a number above 0"),
        ({"holdout_fraction": 1}, r"competition\.holdout_fraction=1\.0: expected between 0 and 1"),
        ({"separator": ""}, r"competition\.separator='': expected at least one character"),
        ({"target_column": []}, r"competition\.target_column: .*at least one"),
        ({"target_column": ["x", "x"]}, r"competition\.target_column: 'x', 'x'; expected names that differ"),
        ({"classes": [1, "1"]}, r"competition\.classes: '1', '1'; expected names that differ"),
        ({"train_table": None, "task": "multilabel"}, r"class folders are for task=multiclass"),
        ({"train_table": None, "target_column": ["x", "y"]}, r"class folders give one label"),
    ],
)
def test_arguments_are_checked_before_anything_is_read(tmp_path, keys, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "no", **keys)


def test_numbers_may_come_as_the_command_line_gives_them(tmp_path):
    competition = make(tmp_path, max_value=4095, classes=[1, 0], channels="3")
    assert competition.max_value == 4095.0 and isinstance(competition.max_value, float)
    assert competition.classes == ("1", "0") and competition.channels == 3
