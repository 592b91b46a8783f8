"""A post-processing in a run of train.py, in a run made of that one, and in its report."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.build import build_plan, load_plan, with_postprocess
from compkit.engine import Console
from compkit.metrics import FBeta
from compkit.pipeline import run
from compkit.postprocess import NoPostprocess, Threshold
from compkit.results import read_oof, read_test
from compkit.run.outcome import derive_plan
from compkit.run.tuned import tune_run

from ..commands import call_here
from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def mosaic(data_dir, tmp_path_factory):
    """A run with thresholds, of which other tests make runs."""
    paths = (f"data_dir={data_dir}", f"output_dir={tmp_path_factory.mktemp('outputs')}", "name=own")
    plan = build_plan(
        compose_train(*QUICK, *paths, "competition=mosaic", "epochs=1", "postprocess=thresholds")
    )
    run(plan)
    return plan.folder


@pytest.fixture
def command(capsys):
    return lambda *arguments: call_here(capsys, "scripts/postprocess.py", *arguments)


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_raw_predictions_stay_and_the_submission_is_decided(mosaic):
    tuned, scores = read(mosaic, "postprocess.json"), read(mosaic, "metrics.json")
    assert scores["postprocess"] == {
        key: tuned[key] for key in ("method", "metric", "plain", "nested", "in_sample")
    }
    oof = read_oof(mosaic / "oof.parquet", "multilabel")
    metric, limits = FBeta(average="samples"), np.array(tuned["learned"]["thresholds"])
    assert scores["postprocess"]["plain"] == scores["pooled"]["f1_samples"] == metric(oof.targets, oof.values)
    assert tuned["in_sample"] == pytest.approx(metric(oof.targets, (oof.values > limits).astype(float)))
    assert tuned["in_sample"] >= tuned["plain"] and set(tuned["learned_of_parts"]) == {"0", "1"}

    test = read_test(mosaic / "test.parquet", oof.classes)
    called = test.values.astype(np.float64) > limits
    written = pd.read_csv(mosaic / "submission.csv", dtype=str, keep_default_na=False).set_index("id")[
        "labels"
    ]
    for id, row in zip(test.ids, called, strict=True):
        assert written[id].split() == [
            name for name, is_there in zip(oof.classes, row, strict=True) if is_there
        ]
    assert read(mosaic, "submission.json")["postprocess"] == "thresholds"


def test_the_report_has_a_chapter(mosaic):
    page = (mosaic / "report.html").read_text()
    assert "Post-processing" in page and "learned on the other rows (nested)" in page
    assert "nested" in (mosaic / "train.log").read_text()


def test_another_one_is_a_run_beside_it(mosaic, command):
    status, out, err = command(f"run={mosaic}", "postprocess=top_k", "postprocess.max_k=3")
    assert status == 0 and "postprocess=top_k" in out, err
    new = mosaic.parent / "own_top_k"
    assert (new / "oof.parquet").read_bytes() == (mosaic / "oof.parquet").read_bytes()
    assert read(new, "metrics.json")["pooled"] == read(mosaic, "metrics.json")["pooled"]
    assert read(new, "postprocess.json")["learned"]["k"] in (1, 2, 3)
    config = yaml.safe_load((new / "config.yaml").read_text())
    assert config["made"]["by"] == "postprocess" and config["postprocess"]["max_k"] == 3
    assert "Post-processing" in (new / "report.html").read_text()

    status, _, err = command(f"run={new}", "postprocess=none", "name=plain")  # runs nest
    assert status == 0, err
    plain = mosaic.parent / "plain"
    assert not (plain / "postprocess.json").exists() and "postprocess" not in read(plain, "metrics.json")
    assert "Post-processing" not in (plain / "report.html").read_text()
    assert load_plan(new).postprocess.max_k == 3


def test_a_single_fold_is_judged_on_parts_of_it_that_keep_groups(mosaic, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    for name in ("config.yaml", "folds.csv"):
        (folder / name).write_bytes((mosaic / name).read_bytes())
    oof = pd.read_parquet(mosaic / "oof.parquet")
    oof.assign(fold=0).to_parquet(folder / "oof.parquet")
    with Console(quiet=True) as console:
        tuned = tune_run(load_plan(folder), read_oof(folder / "oof.parquet", "multilabel"), console)
    assert 2 <= len(tuned.learned_of_parts) <= 5


def test_a_gain_of_nothing_is_said(mosaic, command):
    status, out, err = command(f"run={mosaic}", "postprocess=threshold", "postprocess.value=0.5", "name=half")
    assert (
        status == 0 and "gains nothing on rows it was not learned from" in out and "postprocess=none" in out
    ), err


def test_mistakes_end_before_a_folder_is_made(mosaic, command, plan):
    for arguments, words in (
        ([f"run={mosaic}", "postprocess=temperature"], "postprocess=temperature: is tuned for log_loss"),
        ([f"run={mosaic}", "postprocess=thresholds", "name=own"], "exists already"),
        ([f"run={mosaic.parent}/nowhere", "postprocess=thresholds"], "no such file"),
    ):
        status, _, err = command(*arguments)
        assert status == 2 and words in err and "Traceback" not in err, err
    assert not (mosaic.parent / "own_temperature").exists()
    unfinished = plan("competition=mosaic", "postprocess=cut_points")
    with pytest.raises(ValueError, match=r"postprocess=cut_points.*thresholds"):
        run(unfinished)
    assert not unfinished.folder.exists()
    with pytest.raises(ValueError, match="postprocess=cut_points"):
        derive_plan(unfinished, "new", {})


def test_an_unfinished_run_is_refused(mosaic, command, tmp_path):
    (tmp_path / "config.yaml").write_bytes((mosaic / "config.yaml").read_bytes())
    status, _, err = command(f"run={tmp_path}", "postprocess=thresholds")
    assert status == 2 and "no finished run" in err


def test_none_given_keeps_the_run_s_own(mosaic, command):
    plan = load_plan(mosaic)
    assert with_postprocess(plan, None) is plan
    status, _, err = command(f"run={mosaic}")
    assert status == 0, err
    again, first = (
        read(mosaic.parent / "own_thresholds", "postprocess.json"),
        read(mosaic, "postprocess.json"),
    )
    assert again == first


def test_without_one_nothing_is_said(mosaic, capsys):
    plan = replace(load_plan(mosaic), postprocess=NoPostprocess())
    with Console() as console:
        assert tune_run(plan, read_oof(mosaic / "oof.parquet", "multilabel"), console) is None
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def noisy(mosaic):
    """Another run of the same folds: what the first predicted, with noise."""
    folder = mosaic.parent / "noisy"
    shutil.copytree(mosaic, folder, ignore=shutil.ignore_patterns("fold_*"))
    for name in ("oof.parquet", "test.parquet"):
        frame = pd.read_parquet(folder / name)
        columns = [column for column in frame if column.startswith("pred_")]
        noise = np.random.default_rng(0).normal(0, 0.1, frame[columns].shape)
        frame[columns] = (frame[columns] + noise).clip(0, 1).astype(np.float32)
        frame.to_parquet(folder / name)
    return folder


@pytest.mark.parametrize("script, arguments", [("ensemble", ["method=mean"]), ("stack", ["stacker=ridge"])])
def test_a_run_made_of_runs_tunes_its_own(mosaic, noisy, capsys, script, arguments):
    shared = (f"runs=[{mosaic},{noisy}]", "bootstrap=10", *arguments)
    status, out, err = call_here(
        capsys, f"scripts/{script}.py", *shared, "postprocess=threshold", f"name={script}"
    )
    assert status == 0 and "postprocess=threshold" in out, err
    folder = mosaic.parent / script
    oof = read_oof(folder / "oof.parquet", "multilabel")
    tuned, metric = read(folder, "postprocess.json"), FBeta(average="samples")
    assert tuned["learned"] == Threshold().fit(oof.targets, oof.values, metric)
    assert tuned["plain"] == pytest.approx(metric(oof.targets, oof.values))
    called = np.zeros(oof.targets.shape)
    for fold in (0, 1):
        limit = Threshold().fit(oof.targets[oof.fold != fold], oof.values[oof.fold != fold], metric)[
            "threshold"
        ]
        called[oof.fold == fold] = oof.values[oof.fold == fold] > limit
    assert tuned["nested"] == pytest.approx(metric(oof.targets, called))

    status, _, err = call_here(capsys, f"scripts/{script}.py", *shared, f"name={script}_as_first")
    assert status == 0, err
    assert read(mosaic.parent / f"{script}_as_first", "postprocess.json")["method"] == "thresholds"
