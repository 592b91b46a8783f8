"""A competition that asks about patients, each shown by several pictures: the whole way to the submission."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.build import build_plan, image_reader, load_plan
from compkit.derived.ensemble import ensemble_runs
from compkit.derived.predict import predict_run
from compkit.derived.pseudo_labeller import Labeller
from compkit.derived.soup import soup_runs
from compkit.engine import Console
from compkit.ensemble import Blending, align, read_columns, read_members
from compkit.inference import ViewSearch
from compkit.pipeline import run
from compkit.run import predict_table as module
from compkit.run.submission_file import check_submission
from compkit.semi import RoundSettings, Selection

from ..conftest import QUICK, compose_train

PREDICTED = ["pred_ill", "pred_well"]


def make_competition(folder: Path) -> None:
    """16 patients to train on and 7 to predict, most with three pictures, which lie all over the tables."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("test", 7)):
        (folder / part).mkdir(parents=True)
        rows = []
        for number in range(count):
            patient, label = f"{part}-{number:02d}", ("ill", "well")[number % 2]
            for view in range(1 if number == 3 else 3):
                name = f"{rng.integers(10**9)}"
                picture = rng.integers(0, 100, (40, 40, 3)) + (80 if label == "ill" else 0)
                cv2.imwrite(str(folder / part / f"{name}.png"), picture.astype(np.uint8))
                rows.append((name, patient, f"age {number}", f"view {view}", label))
        frame = pd.DataFrame(rows, columns=["picture", "patient", "age", "view", "label"])
        frame = frame.sample(frac=1, random_state=0)
        if part == "test":
            frame = frame.drop(columns="label")
            patients = sorted(set(frame["patient"]), reverse=True)
            sample = pd.DataFrame({"who": patients, "ill": 0, "well": 0})
            sample.to_csv(folder / "sample_submission.csv", index=False)
        frame.to_csv(folder / f"{part}.csv", index=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of two runs, whose test set is predicted in chunks that tear patients."""
    folder, output = tmp_path_factory.mktemp("patients"), tmp_path_factory.mktemp("outputs")
    make_competition(folder)
    keys = {
        "path": folder,
        "id_column": "picture",
        "test_table": "test.csv",
        "sample_id_column": "who",
        "subject_column": "patient",
    }
    overrides = [
        *(one for one in QUICK if not one.startswith("limit")),
        "competition=folder",
        "task=multiclass",
        "model.pretrained=false",
        "epochs=1",
        *(f"competition.{key}={value}" for key, value in keys.items()),
        f"output_dir={output}",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 4)
        found = []
        for seed in range(2):
            plan = build_plan(compose_train(*overrides, f"seed={seed}", f"name=run{seed}"))
            run(plan)
            found.append(plan.folder)
    return found


def naive_oof(folder):
    """What a groupby makes of the pictures in the folds' files, by patient."""
    pictures = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("fold_*/oof.parquet"))])
    patients = pd.read_csv(
        yaml.safe_load((folder / "config.yaml").read_text())["competition"]["path"] + "/train.csv"
    )
    patient_of = dict(zip(patients["picture"].astype(str), patients["patient"], strict=True))
    assert len(pictures) == len(patients)
    by = pictures.groupby(pictures["id"].map(patient_of))
    return by[PREDICTED].mean().assign(target=by["target"].first(), fold=by["fold"].first())


def test_out_of_fold_predictions_are_of_patients(runs):
    oof, want = pd.read_parquet(runs[0] / "oof.parquet").set_index("id"), naive_oof(runs[0])
    assert sorted(oof.index) == sorted(want.index) and len(oof) == 16
    np.testing.assert_allclose(oof[PREDICTED], want.loc[oof.index, PREDICTED], rtol=1e-6)
    assert (oof["target"] == want.loc[oof.index, "target"]).all()
    assert (oof["fold"] == want.loc[oof.index, "fold"]).all()


def test_no_patient_is_torn_and_folds_are_of_pictures(runs):
    folds = pd.read_csv(runs[0] / "folds.csv", dtype=str)
    assert len(folds) == 46 and folds.groupby("group")["fold"].nunique().max() == 1
    assert sorted(folds["group"].unique()) == [f"train-{number:02d}" for number in range(16)]


def test_scores_are_of_patients(runs):
    metrics, oof = (
        json.loads((runs[0] / "metrics.json").read_text()),
        pd.read_parquet(runs[0] / "oof.parquet"),
    )
    hit = oof[PREDICTED].to_numpy().argmax(axis=1) == (oof["target"] == "well")
    assert metrics["pooled"]["accuracy"] == pytest.approx(hit.mean())
    for entry in metrics["folds"]:
        assert entry["best"]["accuracy"] == pytest.approx(hit[oof["fold"] == entry["fold"]].mean())
        assert "last" not in entry and "accuracy" in entry["last_per_picture"]
        assert entry["val_rows"] > (oof["fold"] == entry["fold"]).sum()


def test_test_predictions_are_of_patients_whatever_the_chunks(runs):
    test, folds = pd.read_parquet(runs[0] / "test.parquet"), []
    for fold in range(2):
        frame = pd.read_parquet(runs[0] / f"fold_{fold}" / "test.parquet")
        assert len(frame) == 19  # pictures
        folds.append(frame.groupby("subject")[PREDICTED].mean())
    want = (folds[0] + folds[1]) / 2
    assert sorted(test["id"]) == sorted(want.index) and len(test) == 7
    np.testing.assert_allclose(test.set_index("id")[PREDICTED], want.loc[test["id"]], rtol=1e-5)
    with (runs[0] / "submission.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["who", "ill", "well"]
    assert [row[0] for row in rows[1:]] == [f"test-{number:02d}" for number in range(6, -1, -1)]
    np.testing.assert_array_equal(
        np.float32([row[1:] for row in rows[1:]]),
        test.set_index("id").loc[[row[0] for row in rows[1:]], PREDICTED],
    )
    assert check_submission(load_plan(runs[0])).rows == 7


def test_a_blend_of_two_is_of_patients(runs):
    plan, members = load_plan(runs[0]), read_members(runs)
    aligned = align(members)
    assert aligned.test_of_folds is not None and aligned.test_of_folds[0].shape == (2, 7, 2)
    assert sorted(aligned.groups) == sorted(aligned.ids) and len(aligned.ids) == 16
    ensemble_runs(plan, members, Blending("hill_climb"), "blend", None, 20, 0, image_reader(runs[0]))
    folder = runs[0].parent / "blend"
    oof, first = pd.read_parquet(folder / "oof.parquet"), pd.read_parquet(runs[0] / "oof.parquet")
    assert oof["id"].tolist() == first["id"].tolist() and oof["picture"].tolist() == first["picture"].tolist()
    check_submission(load_plan(folder))
    again = align(read_members([folder, runs[1]]))  # a blend can be blended again
    assert sorted(again.groups) == sorted(again.ids)
    manifest = json.loads((folder / "submission.json").read_text())
    assert [one["run"] for one in manifest["members"]] == [str(one) for one in runs]
    assert sum(one["weight"] for one in manifest["members"]) == pytest.approx(1)
    assert manifest["cv"]["nested"] == manifest["cv"]["pooled"]


def test_a_mean_of_two_is_the_mean_of_their_groupbys(runs):
    ensemble_runs(
        load_plan(runs[0]), read_members(runs), Blending("mean"), "mean", None, 0, 0, image_reader(runs[0])
    )
    oof = pd.read_parquet(runs[0].parent / "mean" / "oof.parquet").set_index("id")[PREDICTED]
    want = (naive_oof(runs[0])[PREDICTED] + naive_oof(runs[1])[PREDICTED]) / 2
    np.testing.assert_allclose(oof, want.loc[oof.index], rtol=1e-6)


def test_predicted_again_it_is_the_same(runs):
    plan = load_plan(runs[0])
    for what, file in (("oof", "oof.parquet"), ("test", "test.parquet")):
        again, first = pd.read_parquet(predict_run(plan, what)), pd.read_parquet(runs[0] / file)
        assert again["id"].tolist() == first["id"].tolist()
        np.testing.assert_allclose(again[PREDICTED], first[PREDICTED], rtol=1e-5)
    folder = predict_run(plan, "run", name="again")
    first, again = (json.loads((one / "metrics.json").read_text()) for one in (runs[0], folder))
    assert again["pooled"] == pytest.approx(first["pooled"], rel=1e-5)
    assert [one["best"] for one in again["folds"]] == [
        pytest.approx(one["best"], rel=1e-5) for one in first["folds"]
    ]


def test_views_are_searched_for_by_patients(runs):
    plan = load_plan(runs[0])
    search = ViewSearch(candidates={"plain": {}, "hflip": {"hflip": True}}, max_views=2)
    folder = predict_run(replace(plan, inference=search), "run", name="searched")
    oof, metrics = pd.read_parquet(folder / "oof.parquet"), json.loads((folder / "metrics.json").read_text())
    assert len(oof) == 16
    hit = oof[PREDICTED].to_numpy().argmax(axis=1) == (oof["target"] == "well")
    assert metrics["pooled"]["accuracy"] == pytest.approx(hit.mean())


def test_the_picture_of_a_patient_is_the_first_one(runs):
    picture_of, table = image_reader(runs[0]), load_plan(runs[0]).competition.read_train()
    first = table.subjects.tolist().index("train-05")
    assert np.array_equal(picture_of("train-05"), picture_of(table.ids[first]))
    report = (runs[0] / "report.html").read_text()
    assert not re.search(r"\d+ of them without a picture: ", report)
    assert "accuracy at last, of images" in report


def test_columns_of_a_stack_are_of_patients(runs):
    competition = load_plan(runs[0]).competition
    oof, test = pd.read_parquet(runs[0] / "oof.parquet"), pd.read_parquet(runs[0] / "test.parquet")
    columns = read_columns(
        competition, ["age"], oof["id"].to_numpy(dtype=str), test["id"].to_numpy(dtype=str)
    )
    assert columns.train["age"].tolist() == [f"age {int(one[-2:])}" for one in oof["id"]]
    assert columns.test["age"].tolist() == [f"age {int(one[-2:])}" for one in test["id"]]
    with pytest.raises(ValueError, match=r"columns: 'view' of .* differs between the images of 15 subjects"):
        read_columns(competition, ["view"], oof["id"].to_numpy(dtype=str), None)


def test_a_largest_probability_of_exclusive_classes_is_refused_for_log_loss(runs, tmp_path):
    """Refused before training, where the submission would have to sum to one."""
    folder = Path(load_plan(runs[0]).config["competition"]["path"])
    other = tmp_path / "patients"
    shutil.copytree(folder, other)
    train = pd.read_csv(other / "train.csv")
    train["label"] = train["label"].where(train["patient"] > "train-03", "unclear")
    train.to_csv(other / "train.csv", index=False)
    (other / "sample_submission.csv").write_text("who,ill,unclear,well\ntest-00,0,0,0\n")
    changes = {"competition.path": str(other), "competition.subject_average": "max", "train_folds": [0]}
    plan = load_plan(runs[0], changes=changes | {"metric": {"_target_": "compkit.metrics.LogLoss"}})
    with pytest.raises(
        ValueError, match=r"subject_average=max: the largest probabilities .* metric log_loss asks for"
    ):
        run(plan)


def test_a_soup_is_judged_by_patients(runs):
    plans = [load_plan(one) for one in runs]
    soup_runs(plans, read_members(runs), "greedy", None, "soup", 20, 0, image_reader(runs[0]))
    folder = runs[0].parent / "soup"
    oof, metrics = pd.read_parquet(folder / "oof.parquet"), json.loads((folder / "metrics.json").read_text())
    np.testing.assert_allclose(
        oof.set_index("id")[PREDICTED], naive_oof(folder).loc[oof["id"], PREDICTED], rtol=1e-6
    )
    pooled = [json.loads((one / "metrics.json").read_text())["pooled"]["accuracy"] for one in runs]
    assert sorted(one["accuracy"] for one in metrics["members"].values()) == pytest.approx(sorted(pooled))
    hit = oof[PREDICTED].to_numpy().argmax(axis=1) == (oof["target"] == "well")
    for entry in metrics["folds"]:
        assert entry["best"]["accuracy"] == pytest.approx(hit[oof["fold"] == entry["fold"]].mean())


def test_pictures_of_a_patient_are_pseudo_labelled_by_the_same_models(runs):
    with Console(quiet=True) as console:
        labeller = Labeller(load_plan(runs[0]), RoundSettings(), Selection(), "test", False, console)
        parts = pd.Series(labeller.part).groupby(labeller.table.subjects)
        assert len(labeller.part) == 19 and parts.nunique().max() == 1 and labeller.part.max() == 1
        of_pictures = labeller.teachers.predict(0, 1)
    frame = pd.read_parquet(runs[0] / "fold_1" / "test.parquet").set_index("id")
    np.testing.assert_array_equal(of_pictures, frame.loc[labeller.table.ids, PREDICTED])
