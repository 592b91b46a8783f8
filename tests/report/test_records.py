import json

import numpy as np
import pandas as pd
import pytest

from compkit.report import read_run
from compkit.types import Task


def test_reads_what_the_run_wrote(make_run):
    folder = make_run(classes=4, rows=60)
    run = read_run(folder)
    assert run.missing == []
    assert run.overrides == ["competition=digits", "name=it's a demo"]
    assert list(run.histories) == [0, 1, 2]
    assert run.oof is not None and run.oof.task == Task.MULTICLASS
    frame = pd.read_parquet(folder / "oof.parquet")
    assert [run.oof.classes[target] for target in run.oof.targets] == frame["target"].tolist()
    np.testing.assert_array_equal(run.oof.values, frame.filter(like="pred_").to_numpy())


@pytest.mark.parametrize("task, classes", [("multilabel", 4), ("regression", 1), ("regression", 3)])
def test_targets_of_other_tasks_have_a_column_each(make_run, task, classes):
    folder = make_run(task=task, classes=classes, rows=60)
    oof = read_run(folder).oof
    assert oof is not None
    assert oof.targets.shape == oof.values.shape == (60, classes)
    frame = pd.read_parquet(folder / "oof.parquet")
    np.testing.assert_array_equal(oof.targets, frame.filter(like="target").to_numpy())


def test_ids_stay_text(make_run):
    folder = make_run(rows=30)
    folds = pd.read_csv(folder / "folds.csv")
    folds["id"] = [f"{row:04d}" for row in range(30)]
    folds.to_csv(folder / "folds.csv", index=False)
    found = read_run(folder).folds
    assert found is not None and found["id"][1] == "0001"


def test_rows_without_label_are_left_out(make_run):
    folder = make_run(rows=30)
    frame = pd.read_parquet(folder / "oof.parquet")
    frame.loc[[0, 5], "target"] = None
    frame.to_parquet(folder / "oof.parquet")
    oof = read_run(folder).oof
    assert oof is not None and len(oof.ids) == 28


@pytest.mark.parametrize(
    "name", ["metrics.json", "oof.parquet", "folds.csv", "overrides.txt", "environment.json"]
)
def test_each_missing_piece_is_named(make_run, name):
    folder = make_run(rows=30)
    (folder / name).unlink()
    assert [note.split(" ")[0] for note in read_run(folder).missing] == [name]


def test_no_epoch_yet(make_run):
    folder = make_run(rows=30)
    for path in folder.glob("fold_*/history.csv"):
        path.write_text("epoch,train_loss\n")
    (folder / "fold_0" / "history.csv").write_text("")
    run = read_run(folder)
    assert run.histories == {}
    assert "no epoch has ended" in run.missing[0]


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_run(tmp_path / "absent")


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.yaml"):
        read_run(tmp_path)


def test_oof_of_someone_else(make_run):
    folder = make_run(rows=30)
    frame = pd.read_parquet(folder / "oof.parquet")
    frame.drop(columns="fold").to_parquet(folder / "oof.parquet")
    with pytest.raises(ValueError, match=r"oof\.parquet: expected the columns"):
        read_run(folder)


def test_oof_of_an_unknown_task(make_run):
    folder = make_run(rows=30)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"task": "juggling"}))
    with pytest.raises(ValueError, match="juggling"):
        read_run(folder)


def test_oof_with_a_class_that_is_not_predicted(make_run):
    folder = make_run(rows=30)
    frame = pd.read_parquet(folder / "oof.parquet")
    frame.loc[3, "target"] = "unicorn"
    frame.to_parquet(folder / "oof.parquet")
    with pytest.raises(ValueError, match="unicorn"):
        read_run(folder)
