"""Whole runs on the embedded competitions: what lies on disk, the same bits, and what is refused."""

import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.errors import InstantiationException

from compkit.demo import grade
from compkit.metrics import RMSE, Accuracy, FBeta

FILES = [
    "config.yaml",
    "overrides.txt",
    "environment.json",
    "folds.csv",
    "oof.parquet",
    "test.parquet",
    "metrics.json",
    "submission.csv",
    "submission.json",
    "report.html",
    "train.log",
]
FOLD_FILES = [
    "last.pt",
    "best.safetensors",
    "last.safetensors",
    "history.csv",
    "oof.parquet",
    "test.parquet",
    "scores.json",
]


@pytest.fixture
def small_competition(data_dir, plan, tmp_path):
    """A copy of digits with 40 training and 20 test pictures, to damage; returns (folder, overrides)."""
    plan()  # makes the embedded competition
    folder = tmp_path / "small"
    train, test = (
        pd.read_csv(data_dir / "digits" / f"{name}.csv", dtype=str) for name in ("train", "sample_submission")
    )
    train = train.groupby("label").head(4)
    for part, table in (("train", train), ("test", test[:20])):
        (folder / part).mkdir(parents=True)
        for id in table["id"]:
            shutil.copy(data_dir / "digits" / part / f"{id}.png", folder / part)
    train.to_csv(folder / "train.csv", index=False)
    test[:20].to_csv(folder / "sample_submission.csv", index=False)
    return folder, (
        "competition=folder",
        "competition.name=small",
        f"competition.path={folder}",
        "model.pretrained=false",
        "epochs=1",
    )


@pytest.mark.parametrize(
    "name, metric", [("digits", Accuracy()), ("mosaic", FBeta(average="samples")), ("tilt", RMSE())]
)
def test_run_leaves_the_contract_s_files(train, data_dir, name, metric):
    folder = train(f"competition={name}")
    for file in [*FILES, *(f"fold_{fold}/{file}" for fold in (0, 1) for file in FOLD_FILES)]:
        assert (folder / file).is_file(), file
    assert not list(folder.rglob(".tmp-*"))

    oof, test = pd.read_parquet(folder / "oof.parquet"), pd.read_parquet(folder / "test.parquet")
    folds = pd.read_csv(folder / "folds.csv", dtype={"id": str})
    sample = pd.read_csv(data_dir / name / "sample_submission.csv", dtype=str)
    assert (
        oof["id"].is_unique
        and oof.set_index("id")["fold"].to_dict() == folds.set_index("id")["fold"].to_dict()
    )
    assert test["id"].is_unique and sorted(test["id"]) == sorted(sample["id"]) and (test["fold"] == -1).all()
    fold_tests = [pd.read_parquet(folder / f"fold_{fold}" / "test.parquet") for fold in (0, 1)]
    predicted = [column for column in test if column.startswith("pred_")]
    np.testing.assert_allclose(
        test[predicted], (fold_tests[0][predicted] + fold_tests[1][predicted]) / 2, rtol=1e-6
    )

    metrics = json.loads((folder / "metrics.json").read_text())
    values = oof[predicted].to_numpy()
    if name == "digits":
        targets = np.array([predicted.index(f"pred_{target}") for target in oof["target"]])
        np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-5)
    elif name == "mosaic":
        targets = oof[[f"target_{column.removeprefix('pred_')}" for column in predicted]].to_numpy()
    else:
        targets = oof[["target"]].to_numpy()
    assert metrics["pooled"][metric.name] == pytest.approx(metric(targets, values))
    by_fold = [metric(targets[oof["fold"] == fold], values[oof["fold"] == fold]) for fold in (0, 1)]
    assert metrics["mean"][metric.name] == pytest.approx(np.mean(by_fold))
    assert metrics["std"][metric.name] == pytest.approx(np.std(by_fold))

    name_of_metric, score = grade(name, folder / "submission.csv", data_dir)
    assert name_of_metric == metric.name and np.isfinite(score)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["competition"]["name"] == name and config["epochs"] == 2


def test_same_seed_same_bits_for_any_number_of_workers_and_another_seed_differs(train):
    runs = {
        "none": train("augment=medium", "num_workers=0", name="none"),
        "two": train("augment=medium", "num_workers=2", name="two"),
        "again": train("augment=medium", "seed=0", "num_workers=1", name="again"),
        "other": train("augment=medium", "seed=1", name="other"),
    }
    bits = {name: (folder / "oof.parquet").read_bytes() for name, folder in runs.items()}
    assert bits["none"] == bits["two"] == bits["again"]
    assert bits["none"] != bits["other"]
    folds = {(folder / "folds.csv").read_bytes() for folder in runs.values()}
    assert len(folds) == 1  # the split does not follow the training seed


def test_one_fold_alone_is_the_fold_of_the_whole_run(train):
    whole, alone = train(name="whole"), train("train_folds=[1]", name="alone")
    assert (whole / "fold_1" / "oof.parquet").read_bytes() == (alone / "fold_1" / "oof.parquet").read_bytes()
    assert not (alone / "fold_0").exists()
    assert set(pd.read_parquet(alone / "oof.parquet")["fold"]) == {1}


def test_averaged_weights_predict_when_there_are_any(train):
    folder = train("averaging=ema", "averaging.decay=0.5", "inference.weights=auto")
    scores = json.loads((folder / "fold_0" / "scores.json").read_text())
    assert scores["weights"] == "ema" and (folder / "fold_0" / "ema.safetensors").exists()
    history = pd.read_csv(folder / "fold_0" / "history.csv")
    assert {"val_accuracy", "ema_val_accuracy"} <= set(history)
    assert scores["best"]["accuracy"] == pytest.approx(history["ema_val_accuracy"][scores["best_epoch"] - 1])


def test_finished_run_resumes_to_the_same_files_and_more_epochs_go_on(train):
    folder = train()
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    stamp = (folder / "fold_0" / "oof.parquet").stat().st_mtime_ns
    train("resume=true")
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "fold_0" / "oof.parquet").stat().st_mtime_ns == stamp  # not predicted again
    train("resume=true", "epochs=3")
    assert pd.read_csv(folder / "fold_0" / "history.csv")["epoch"].tolist() == [1, 2, 3]
    assert json.loads((folder / "metrics.json").read_text())["folds"][0]["epochs"] == 3


def test_name_in_use_and_changed_settings_are_refused(train):
    folder = train("train_folds=[0]", "epochs=1")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(ValueError, match=r"exists already.*resume=true.*name="):
        train()
    with pytest.raises(ValueError, match=r"other settings.*lr was 0\.001, is 0\.01"):
        train("resume=true", "lr=0.01")
    with pytest.raises(ValueError, match="expected letters"):
        train(name="a/../../elsewhere")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_unreadable_training_pictures_stop_the_run_by_name_or_are_dropped(train, small_competition, tmp_path):
    folder, overrides = small_competition
    ids = sorted(path.stem for path in (folder / "train").iterdir())
    (folder / "train" / f"{ids[0]}.png").write_bytes(b"no picture")
    whole = (folder / "train" / f"{ids[1]}.png").read_bytes()
    (folder / "train" / f"{ids[1]}.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="corrupt_images=drop") as caught:
        train(*overrides)
    assert ids[0] in str(caught.value) and ids[1] in str(caught.value)
    assert not (tmp_path / "outputs" / "small" / "run").exists()
    run = train(*overrides, "competition.corrupt_images=drop")
    assert not set(ids[:2]) & set(pd.read_parquet(run / "oof.parquet")["id"])


def test_unreadable_test_picture_gets_the_training_prior(train, small_competition):
    folder, overrides = small_competition
    bad = sorted((folder / "test").iterdir())[3]
    bad.write_bytes(b"")
    run = train(*overrides)
    test = pd.read_parquet(run / "test.parquet").set_index("id").filter(like="pred_")
    np.testing.assert_allclose(test.loc[bad.stem], np.full(10, 0.1), atol=1e-6)
    assert bad.stem in (run / "train.log").read_text()  # said before the folder existed, kept all the same
    assert len(pd.read_csv(run / "submission.csv")) == 20


@pytest.mark.parametrize(
    "override, words",
    [
        ("competition.target_column=digit", r"train\.csv.*digit.*label"),
        ("competition.id_column=name", r"train\.csv.*name"),
        ("competition.train_images='pictures/{id}.png'", "pictures"),
        ("competition.path=/nowhere", "/nowhere"),
        ("competition.classes=[0,1,2]", "classes"),
        ("metric=rmse", "metric"),
        ("loss=mse", "loss"),
        ("folds=1", "holdout"),
        ("folds=100", "folds"),
        ("image_size=0", "image_size=0"),
        ("image_size=[8,8,8]", "image_size"),
        ("epochs=0", "epochs=0"),
        ("batch_size=1.5", "batch_size"),
        ("limit=0", "limit"),
        ("seed=-1", "seed"),
        ("lr=-1", "lr"),
        ("train_folds=[5]", "train_folds"),
        ("schedule.warmup_epochs=9", "warmup_epochs"),
        ("trainer.precision=fp8", "trainer.precision"),
        ("trainer.device=cuda:77", "trainer.device"),
        ("trainer.accumulate=0", "trainer.accumulate"),
        ("inference.weights=ema", "averaging=ema"),
        ("model.backbone=resnet19", "resnet1"),
        ("model.weights=/nowhere.safetensors", "/nowhere.safetensors"),
        ("+augment.bad={_target_: albumentations.HorizontalFlip, angle: 3}", "angle"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(train, small_competition, tmp_path, override, words):
    _, overrides = small_competition
    with pytest.raises(Exception, match=words) as caught:
        train(*overrides, override)
    error = caught.value.__cause__ if isinstance(caught.value, InstantiationException) else caught.value
    assert isinstance(error, (ValueError, OSError)), error
    assert not (tmp_path / "outputs" / "small" / "run").exists()


def test_bad_tables_are_named(train, small_competition, tmp_path):
    folder, overrides = small_competition
    table = pd.read_csv(folder / "train.csv", dtype=str)

    def refused(changed, words):
        changed.to_csv(folder / "train.csv", index=False)
        with pytest.raises((ValueError, OSError), match=words):
            train(*overrides)
        assert not (tmp_path / "outputs" / "small" / "run").exists()

    refused(pd.concat([table, table[:1]]), table["id"][0])
    refused(table.assign(label=table["label"].where(table.index != 3)), "unlabelled")
    refused(pd.concat([table, pd.DataFrame({"id": ["99999"], "label": ["1"]})]), "99999")
    table.to_csv(folder / "train.csv", index=False)
    sample = pd.read_csv(folder / "sample_submission.csv", dtype=str)
    columns = {f"{digit}": 0.1 for digit in [*range(9), "ten"]}
    sample[["id"]].assign(**columns).to_csv(folder / "sample_submission.csv", index=False)
    with pytest.raises(ValueError, match="ten"):
        train(*overrides)


def test_place_that_cannot_be_written(train, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="output_dir"):
        train(f"output_dir={tmp_path}/file")


def test_class_folders_without_a_test_set(train, small_competition, tmp_path):
    folder, _ = small_competition
    for id, label in pd.read_csv(folder / "train.csv", dtype=str).itertuples(index=False):
        target = tmp_path / "pets" / f"class {label}" / f"{id}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), cv2.imread(str(folder / "train" / f"{id}.png")))
    run = train(
        "competition=folder", "competition.name=pets", f"competition.path={tmp_path / 'pets'}", "model.pretrained=false",
        "competition.train_table=null", "competition.train_images=.", "competition.test_images=null",
        "competition.sample_submission=null", "epochs=1",
    )  # fmt: skip
    oof = pd.read_parquet(run / "oof.parquet")
    assert len(oof) == 40 and set(oof["target"]) == {f"class {digit}" for digit in range(10)}
    assert not (run / "submission.csv").exists() and not (run / "test.parquet").exists()


def test_deep_pictures_of_five_channels(train, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "cells").mkdir()
    table = pd.DataFrame({"id": [f"{row:02d}" for row in range(24)], "label": ["a", "b"] * 12})
    for id in table["id"]:
        for channel in range(5):
            pixels = rng.integers(0, 65536, (20, 20), dtype=np.uint16)
            cv2.imwrite(str(tmp_path / "cells" / f"{id}_{channel}.png"), pixels)
    table.to_csv(tmp_path / "train.csv", index=False)
    run = train(
        "competition=folder", "competition.name=cells", f"competition.path={tmp_path}", "limit=null", "epochs=1",
        "competition.train_images='cells/{id}.png'", "competition.test_images=null", "competition.sample_submission=null",
        "competition.channels=5", "competition.channel_files=[_0,_1,_2,_3,_4]", "model.pretrained=false",
        "competition.fold_scheme=holdout", "augment=light",
    )  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["folds"][0]["val_rows"] == 5 and metrics["folds"][0]["train_rows"] == 19


def test_a_loss_of_the_user_s_own_is_one_file_outside_the_package(train, tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text(
        "from compkit.losses import CrossEntropy\n"
        "class Tempered(CrossEntropy):\n"
        "    def per_sample(self, logits, targets):\n"
        "        return super().per_sample(logits / 2, targets)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own, plain = (
        train("loss._target_=my_losses.Tempered", "epochs=1", name="own"),
        train("epochs=1", name="plain"),
    )
    losses = [pd.read_csv(run / "fold_0" / "history.csv")["val_loss"][0] for run in (own, plain)]
    assert losses[0] != losses[1]


def test_a_score_that_cannot_be_computed_survives_resuming(train):
    folder = train("epochs=1")
    path = folder / "fold_0" / "scores.json"
    scores = json.loads(path.read_text())
    scores["best"]["log_loss"] = None  # as AUC is for a fold of one class
    path.write_text(json.dumps(scores))
    train("epochs=1", "resume=true")
    folds = json.loads((folder / "metrics.json").read_text())["folds"]
    assert folds[0]["best"]["log_loss"] is None and folds[1]["best"]["log_loss"] > 0


def test_a_test_set_of_which_nothing_can_be_read_still_gives_a_submission(train, small_competition):
    folder, overrides = small_competition
    for path in (folder / "test").iterdir():
        path.write_bytes(b"")
    run = train(*overrides)
    np.testing.assert_allclose(pd.read_parquet(run / "test.parquet").filter(like="pred_"), 0.1, atol=1e-6)
    assert len(pd.read_csv(run / "submission.csv")) == 20
