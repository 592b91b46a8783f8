"""Predictions of a run on disk are those the run itself made; other views make a run beside it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf
from safetensors.torch import load_file, safe_open, save_file

from compkit.build import build_plan, load_plan, with_inference
from compkit.derived import predicted
from compkit.derived.predict import predict_run
from compkit.ensemble import read_members
from compkit.inference import InferenceSettings, ViewSearch
from compkit.metrics import Accuracy
from compkit.pipeline import run
from compkit.run.trained_fold import load_fold

from ..commands import call_here
from ..conftest import QUICK, compose_train

FLIPS = {"identity": {}, "hflip": {"hflip": True}}


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """A run of one epoch that the tests of this file share."""
    output = tmp_path_factory.mktemp("trained")
    plan = build_plan(
        compose_train(*QUICK, f"data_dir={data_dir}", f"output_dir={output}", "epochs=1", "name=run")
    )
    run(plan)
    return plan.folder


def looking(folder, **settings):
    """The plan of a run on disk with other inference settings, as an option of conf/inference gives them."""
    node = {
        "_target_": "compkit.inference.InferenceSettings", "weights": "auto", "batch_size": 16, "views": {},
        "mean": "probability", "label_swaps": {}, "negated": {},
    }  # fmt: skip
    return with_inference(load_plan(folder), OmegaConf.create(node | settings))


def values(path):
    frame = pd.read_parquet(path)
    return frame.filter(like="pred_").to_numpy()


@pytest.mark.parametrize("competition, extra", [("digits", ["averaging=ema"]), ("tilt", [])])
def test_test_and_oof_are_the_run_s_own_wherever_it_was_moved(train, tmp_path, competition, extra):
    folder = tmp_path / "moved"
    shutil.move(train(f"competition={competition}", "epochs=1", *extra), folder)
    for what in ("test", "oof"):
        path = predict_run(load_plan(folder), what)
        assert path == folder / f"predicted_{what}.parquet"
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(folder / f"{what}.parquet"))
    assert not list(folder.glob(".predicted*"))
    with pytest.raises(ValueError, match="exists already"):
        predict_run(load_plan(folder), "test")


def test_any_folder_of_pictures_and_chosen_folds(trained, data_dir, tmp_path):
    pictures = tmp_path / "pictures"
    shutil.copytree(data_dir / "digits" / "test", pictures / "deep")
    broken = sorted((pictures / "deep").iterdir())[0]
    broken.write_bytes(b"")
    path = predict_run(
        load_plan(trained, changes={"train_folds": [1]}), "run", str(pictures), str(tmp_path / "p.parquet")
    )
    got = pd.read_parquet(path)
    table = pd.read_parquet(trained / "oof.parquet")
    prior = table["target"][table["fold"] == 0].value_counts(normalize=True)  # what fold 1 trained on
    unread = got.set_index("id").loc[f"deep/{broken.name}"]
    np.testing.assert_allclose([unread[f"pred_{name}"] for name in prior.index], prior, rtol=1e-6)
    got = got[got["id"] != f"deep/{broken.name}"]
    want = pd.read_parquet(trained / "fold_1" / "test.parquet").set_index("id")
    got.index = [id.removeprefix("deep/").removesuffix(".png") for id in got["id"]]
    columns = want.filter(like="pred_").columns
    np.testing.assert_allclose(got[columns], want.loc[got.index, columns], rtol=1e-4, atol=1e-6)


def test_views_make_a_run_that_is_a_run(trained, capsys):
    status, out, err = call_here(
        capsys, "scripts/predict.py", f"run={trained}", "inference=tta_flip", "num_workers=0",
        "inference.views.hflip.weight=0.5",
    )  # fmt: skip
    assert status == 0, err
    folder = trained.parent / "run_tta_flip"
    assert out.splitlines()[-1] == str(folder) and "pooled OOF" in out
    for file in ("config.yaml", "folds.csv", "metrics.json", "submission.csv", "report.html", "train.log"):
        assert (folder / file).is_file(), file
    assert not list(folder.rglob("*.safetensors"))

    plan = load_plan(trained)
    mirrored = replace(plan, inference=InferenceSettings(views={"h": {"hflip": True}}))
    for what in ("oof", "test"):
        plain, flipped = (
            trained / f"{what}.parquet",
            predict_run(mirrored, what, output=f"{folder}/{what}_h.parquet"),
        )
        want = (values(plain) + 0.5 * values(flipped)) / 1.5
        if what == "oof":  # test is the mean of folds, which are means of views
            np.testing.assert_allclose(values(folder / "oof.parquet"), want, rtol=1e-5)
        np.testing.assert_allclose(values(folder / f"{what}.parquet"), want, rtol=1e-5, atol=1e-7)
    metrics, manifest = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "submission")
    )
    scores = json.loads((folder / "fold_1" / "scores.json").read_text())
    assert (
        metrics["inference"]
        == manifest["inference"]
        == scores["inference"]
        == metrics["folds"][0]["inference"]
    )
    assert metrics["inference"]["views"]["hflip"] == scores["inference"]["views"]["hflip"]
    assert scores["inference"]["views"]["hflip"]["weight"] == 0.5 and scores["weights"] == "best"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["made"] == {"by": "predict", "runs": [str(trained)]} and config["name"] == "run_tta_flip"
    assert [member.name for member in read_members([str(trained), str(folder)])] == ["run", "run_tta_flip"]

    with pytest.raises(
        ValueError, match=r"made by predict of \['.*run'\], it has predictions but no weights"
    ):
        predict_run(load_plan(folder), "test")
    with pytest.raises(ValueError, match="other settings"):
        predict_run(looking(trained), "run", name="run_tta_flip")


def test_identity_views_give_the_run_s_own_bits(trained):
    folder = predict_run(looking(trained, views={"a": {"weight": 0.3}, "b": {}}), "run", name="same")
    for name in ("oof.parquet", "test.parquet", "fold_0/test.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / name), pd.read_parquet(trained / name))


def test_a_killed_prediction_goes_on_behind_the_last_whole_fold(trained, monkeypatch, tmp_path, capsys):
    plan = looking(trained, views=FLIPS)
    whole = predict_run(plan, "run", name="whole")
    write = predicted.write_fold_test

    def killed(derived, member, *rest):
        if member.fold == 1:
            raise KeyboardInterrupt
        write(derived, member, *rest)

    monkeypatch.setattr(predicted, "write_fold_test", killed)
    with pytest.raises(KeyboardInterrupt):
        predict_run(plan, "run", name="killed")
    monkeypatch.undo()
    folder = trained.parent / "killed"
    stamp = (folder / "fold_0" / "test.parquet").stat().st_mtime_ns
    assert not (folder / "oof.parquet").exists()
    capsys.readouterr()
    predict_run(replace(plan, inference=replace(plan.inference, batch_size=7)), "run", name="killed")
    assert "fold 0: predicted already" in capsys.readouterr().out
    assert (folder / "fold_0" / "test.parquet").stat().st_mtime_ns == stamp
    for name in ("oof.parquet", "test.parquet"):
        np.testing.assert_allclose(values(folder / name), values(whole / name), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", ["views", "search"])
def test_folds_that_were_trained_further_are_predicted_anew(trained, tmp_path, capsys, settings):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    plan = load_plan(folder)
    views = InferenceSettings(views=FLIPS) if settings == "views" else ViewSearch(candidates=FLIPS)
    plan = replace(plan, inference=views)
    predict_run(plan, "run", name="p")
    before = [values(folder.parent / "p" / f"fold_{fold}" / "oof.parquet") for fold in (0, 1)]

    file = folder / "fold_1" / "best.safetensors"
    state = load_file(file)
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    save_file({name: value * 2 for name, value in state.items()}, file, metadata=metadata)
    capsys.readouterr()
    predict_run(plan, "run", name="p")
    assert capsys.readouterr().out.count("predicted already") == 1
    after = [values(folder.parent / "p" / f"fold_{fold}" / "oof.parquet") for fold in (0, 1)]
    assert not np.allclose(before[1], after[1])
    # the views that fold 0 is predicted with are chosen on fold 1
    assert settings == "search" or np.array_equal(before[0], after[0])


def test_one_file_goes_on_too_and_only_with_the_same_settings(trained, monkeypatch, tmp_path, capsys):
    plan, path = looking(trained, views=FLIPS), tmp_path / "p.parquet"
    want = values(predict_run(plan, "test", output=str(tmp_path / "want.parquet")))
    with monkeypatch.context() as patch:
        patch.setattr("compkit.run.predict_table.mean_of_files", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_run(plan, "test", output=str(path))
    assert len(list((tmp_path / ".p.parquet.folds").glob("*.parquet"))) == 2
    capsys.readouterr()
    predict_run(plan, "test", output=str(path))
    assert capsys.readouterr().out.count("predicted already") == 2
    assert np.array_equal(values(path), want) and not (tmp_path / ".p.parquet.folds").exists()
    with monkeypatch.context() as patch:
        patch.setattr("compkit.run.predict_table.mean_of_files", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_run(plan, "test", output=str(tmp_path / "q.parquet"))
    predict_run(load_plan(trained), "test", output=str(tmp_path / "q.parquet"))
    assert np.array_equal(values(tmp_path / "q.parquet"), values(trained / "test.parquet"))


def test_flips_of_tilt_negate_the_angle(train):
    """The competition's own rule is used, whatever option is chosen afterwards."""
    folder = train("competition=tilt", "epochs=1")
    plan = looking(folder, views=FLIPS)
    assert plan.inference.negated == {"horizontal": ["angle"], "vertical": ["angle"]}
    path = predict_run(replace(plan, inference=replace(plan.inference, views={"h": {"hflip": True}})), "oof")
    without = replace(plan.inference, views={"h": {"hflip": True}}, negated={})
    bare = predict_run(replace(plan, inference=without), "oof", output=str(folder / "bare.parquet"))
    np.testing.assert_array_equal(values(path), -values(bare))
    with pytest.raises(ValueError, match="a quarter turn, but flips change labels"):
        predict_run(looking(folder, views={"t": {"quarter_turns": 1}}), "test")


def test_checkpoints_of_one_run_predict_together(train):
    folder = train("schedule=cosine_cycles", "epochs=2", "inference=snapshots")
    scores = json.loads((folder / "fold_0" / "scores.json").read_text())
    assert scores["weights"] == ["snapshot_1", "snapshot_2"]
    single = [
        values(
            predict_run(
                load_plan(folder, changes={"inference.weights": kind}),
                "oof",
                output=f"{folder}/{kind}.parquet",
            )
        )
        for kind in scores["weights"]
    ]
    np.testing.assert_allclose(values(folder / "oof.parquet"), np.mean(single, axis=0), rtol=1e-5)
    pair = load_plan(folder, changes={"inference.weights": ["last", "best"]})
    assert len(load_fold(pair, 0, predicted.Ranks()).models) == 2
    with pytest.raises(ValueError, match="weights=snapshot_3: there is no such snapshot"):
        predict_run(load_plan(folder, changes={"inference.weights": ["best", "snapshot_3"]}), "test")


def test_search_chooses_on_other_folds(trained, capsys):
    status, out, err = call_here(
        capsys, "scripts/predict.py", f"run={trained}", "inference=search", "num_workers=0",
        "~inference.candidates.center", "~inference.candidates.large", "~inference.candidates.hflip_vflip",
        "inference.max_views=2",
    )  # fmt: skip
    assert status == 0, err
    folder = trained.parent / "run_search"
    assert "candidate views, each by itself" in out and "not chosen on" in out
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["inference"]["views"]) == metrics["views"] and 1 <= len(metrics["views"]) <= 2

    # a fold's rows are predicted with the views that the other fold chose; the test set with those of all rows
    oof, classes = pd.read_parquet(folder / "oof.parquet"), [f"pred_{digit}" for digit in range(10)]
    views = {"identity": {}, "hflip": {"hflip": True}, "small": {"scale": 0.75}, "vflip": {"vflip": True}}
    plan = looking(trained)

    def as_chosen(names, what):
        settings = InferenceSettings(views={name: views[name] for name in names})
        path = trained / f"{what}_{'_'.join(names)}.parquet"
        path = (
            path if path.is_file() else predict_run(replace(plan, inference=settings), what, output=str(path))
        )
        return pd.read_parquet(path)

    for fold, names in metrics["views_of_parts"].items():
        rows = (oof["fold"] == int(fold)).to_numpy()
        np.testing.assert_allclose(
            oof[rows][classes], as_chosen(names, "oof")[rows][classes], rtol=1e-4, atol=1e-6
        )
    test = as_chosen(metrics["views"], "test")
    np.testing.assert_allclose(values(folder / "test.parquet"), test[classes], rtol=1e-4, atol=1e-6)
    targets, predicted = oof["target"].astype(int).to_numpy(), oof[classes].to_numpy()
    assert metrics["pooled"]["accuracy"] == pytest.approx(Accuracy()(targets, predicted))

    stamps = [path.stat().st_mtime_ns for path in sorted(folder.glob("fold_*/views.npz"))]
    capsys.readouterr()
    again = ViewSearch(candidates=views, max_views=2)
    (folder / "fold_1" / "views.npz").unlink()  # as killed before it
    config = yaml.safe_load((folder / "config.yaml").read_text())["inference"]
    predict_run(
        replace(plan, inference=again, config=plan.config | {"inference": config}), "run", name="run_search"
    )
    assert "fold 0: candidates predicted already" in capsys.readouterr().out
    assert (folder / "fold_0" / "views.npz").stat().st_mtime_ns == stamps[0]
    assert json.loads((folder / "metrics.json").read_text())["views_of_parts"] == metrics["views_of_parts"]


def test_search_with_one_fold_divides_its_rows(train):
    folder = train("epochs=1", "train_folds=[0]", "limit=120")
    plan = looking(folder)
    search = ViewSearch(candidates={"identity": {}, "hflip": {"hflip": True}}, max_views=1)
    found = predict_run(replace(plan, inference=search), "run", name="search")
    metrics = json.loads((found / "metrics.json").read_text())
    assert len(metrics["views_of_parts"]) == 5 and [one["fold"] for one in metrics["folds"]] == [0]
    with pytest.raises(ValueError, match="inference=search makes a run"):
        predict_run(replace(plan, inference=search), "test")


def test_training_refuses_to_search(plan):
    with pytest.raises(
        ValueError, match=r"train with inference=plain, and then\s+python scripts/predict.py run="
    ):
        run(plan("inference=search"))


def test_refusals(train, tmp_path):
    folder = train("epochs=1", "train_folds=[0]")
    with pytest.raises(ValueError, match="what: got 'train'; expected one of run, test, oof"):
        predict_run(load_plan(folder), "train")
    with pytest.raises(ValueError, match=r"folds \[0\]"):
        predict_run(load_plan(folder, changes={"train_folds": [1]}), "test")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        predict_run(load_plan(folder), "test", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"weights=ema: this run keeps no such"):
        predict_run(load_plan(folder, changes={"inference.weights": "ema"}), "test")
    (folder / "fold_0" / "last.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no weights for fold\(s\) \[0\]"):
        predict_run(load_plan(folder, changes={"inference.weights": "last"}), "test")


def test_views_too_small_for_the_network_are_named_before_anything_is_written(train):
    folder = train("epochs=1", "train_folds=[0]", "model.backbone=test_convnext", "predict_test=false")
    small = {"identity": {}, "small": {"scale": 0.75}}
    said = r"inference\.{}\.small: the network cannot take pictures of 24 x 24 pixels"
    with pytest.raises(ValueError, match=said.format("views") + r".*~inference\.views\.small"):
        predict_run(looking(folder, views=small), "run", name="smaller")
    search = replace(load_plan(folder), inference=ViewSearch(candidates=small))
    with pytest.raises(ValueError, match=said.format("candidates")):
        predict_run(search, "run", name="smaller")
    assert not (folder.parent / "smaller").exists()
