"""Stacking as a user calls it: from run folders to a run folder, which nests."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import accuracy_score

from compkit.build import build_plan
from compkit.derived.stack import stack_runs
from compkit.ensemble import read_members
from compkit.ensemble.stackers import RidgeStacker
from compkit.pipeline import run
from compkit.types import Task

from ..commands import call_here
from ..conftest import QUICK, compose_train
from ..ensemble.run_folders import write_run
from ..ensemble.stackers import some_task

SETTINGS = {"_target_": "compkit.ensemble.stackers.RidgeStacker", "penalty": 5}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_dir):
    """Two runs on digits with a further column: one trained, one with its predictions shaken; their folder."""
    place = tmp_path_factory.mktemp("stack")
    build_plan(compose_train(f"data_dir={data_dir}"))  # makes digits
    shutil.copytree(data_dir / "digits", place / "leaf")
    for source, table, rows in (("train", "train", None), ("sample_submission", "test", 40)):
        frame = pd.read_csv(place / "leaf" / f"{source}.csv", dtype=str)[:rows]
        if rows:
            frame.to_csv(place / "leaf" / f"{source}.csv", index=False)
        frame["width"] = np.arange(len(frame))
        frame.to_csv(place / "leaf" / f"{table}.csv", index=False)
    keys = ("name=leaf", f"path={place / 'leaf'}", "channels=1", "test_table=test.csv")
    paths = (f"output_dir={place / 'outputs'}", "name=a", "epochs=1", "model.pretrained=false")
    plan = build_plan(
        compose_train(*QUICK, "competition=folder", *(f"competition.{key}" for key in keys), *paths)
    )
    run(plan)
    other = shutil.copytree(plan.folder, plan.folder.parent / "b")
    rng = np.random.default_rng(0)
    for path in other.rglob("*.parquet"):
        frame = pd.read_parquet(path)
        columns = [name for name in frame if name.startswith("pred_")]
        shaken = frame[columns].to_numpy() * rng.uniform(0.5, 2, (len(frame), len(columns)))
        frame[columns] = shaken / shaken.sum(axis=1, keepdims=True)
        frame.sample(frac=1, random_state=1).to_parquet(path, index=False)
    return plan.folder.parent


@pytest.fixture
def stacked(runs, tmp_path):
    """A copy of the runs that a test may add to."""
    return shutil.copytree(runs, tmp_path / "outputs")


def call(capsys, *arguments):
    return call_here(capsys, "scripts/stack.py", *arguments)


def test_a_stack_is_a_run_and_nests(stacked, capsys):
    both = f"runs=[{stacked / 'a'},{stacked / 'b'}]"
    status, out, err = call(capsys, both, "stacker=ridge", "columns=[width]", "bootstrap=50")
    assert status == 0, err
    assert "columns: width (numbers)" in out and "(per_fold)" in out and "gain over" in out
    assert "learned on the other rows (nested)" in out and "learned on the same rows (in sample)" in out

    folder = stacked / "stack_ridge"
    metrics = json.loads((folder / "metrics.json").read_text())
    oof, first = pd.read_parquet(folder / "oof.parquet"), pd.read_parquet(stacked / "a" / "oof.parquet")
    guesses = oof.filter(regex="^pred_").to_numpy().argmax(axis=1).astype(str)
    assert metrics["pooled"]["accuracy"] == accuracy_score(oof["target"], guesses)
    assert set(metrics["members"]) == {"a", "b"} and metrics["in_sample"].keys() == metrics["pooled"].keys()
    assert metrics["members"]["a"]["accuracy"] == pytest.approx(
        json.loads((stacked / "a" / "metrics.json").read_text())["pooled"]["accuracy"]
    )
    assert metrics["gain"]["over"] in ("a", "b") and metrics["gain"]["resamples"] == 50
    assert metrics["fold_hash"] == json.loads((stacked / "a" / "metrics.json").read_text())["fold_hash"]
    pd.testing.assert_frame_equal(oof[["id", "fold", "target"]], first[["id", "fold", "target"]])

    tests = [pd.read_parquet(folder / part / "test.parquet") for part in ("", "fold_0", "fold_1")]
    values = [test.filter(regex="^pred_").to_numpy() for test in tests]
    np.testing.assert_allclose(values[0], np.mean(values[1:], axis=0), atol=1e-6)
    assert len(pd.read_csv(folder / "submission.csv")) == 40 and (folder / "report.html").is_file()
    made = yaml.safe_load((folder / "config.yaml").read_text())["made"]
    assert made["by"] == "stack" and made["test_features"] == "per_fold" and made["columns"] == ["width"]
    assert "stacker=ridge: learning from" in (folder / "train.log").read_text()

    status, _, err = call_here(capsys, "scripts/ensemble.py", both, "name=blend", "bootstrap=0")
    assert status == 0, err
    nested = f"runs=[{folder},{stacked / 'blend'},{stacked / 'b'}]"
    status, out, err = call(
        capsys,
        nested,
        "stacker=logistic",
        "stacker.penalty=100",
        "bootstrap=0",
        "name=second",
        "postprocess=class_weights",
    )
    assert status == 0 and "gain over" not in out, err
    metrics = json.loads((stacked / "second" / "metrics.json").read_text())
    assert set(metrics["members"]) == {"stack_ridge", "blend", "b"} and "gain" not in metrics
    assert metrics["postprocess"]["plain"] == metrics["pooled"]["accuracy"]
    assert len(pd.read_parquet(stacked / "second" / "test.parquet")) == 40


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["runs=[]"], "error: runs=[]"),
        (["runs=[{a},{a}]"], "is given more than once"),
        (["runs=[{a},{other}]"], "its fold hash is"),
        (["runs=[{a},{b}]", "columns=[label]"], "'label' is the target"),
        (["runs=[{a},{b}]", "stacker=ridge", "stacker.penalty=0"], "stacker.penalty: got 0"),
        (["runs=[{a},{b}]", "test_features=fold"], "test_features: got 'fold'"),
        (["runs=[{a},{b}]", "name=a"], "exists already"),
        (["runs=[{a},{b}]", "stacker=forest"], "forest"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(stacked, capsys, arguments, words):
    other = shutil.copytree(stacked / "b", stacked / "other")
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(metrics | {"fold_hash": "0" * 64}))
    before = sorted(stacked.rglob("*"))
    given = [one.format(a=stacked / "a", b=stacked / "b", other=other) for one in arguments]
    status, _, err = call(capsys, *given)
    assert status == 2 and words in err and "Traceback" not in err, err
    assert sorted(stacked.rglob("*")) == before


@pytest.mark.parametrize(
    "task, competition",
    [(Task.MULTICLASS, "digits"), (Task.MULTILABEL, "mosaic"), (Task.REGRESSION, "tilt")],
)
@pytest.mark.parametrize("folds", [1, 3])
def test_every_task_with_folds_and_without(plan, tmp_path, capsys, task, competition, folds):
    values, targets = some_task(task, rows=60, num_classes=1 if task == Task.REGRESSION else 4)
    classes = tuple("abcd")[: values.shape[2]]
    places = [
        write_run(
            tmp_path / "runs" / f"run{number}",
            one,
            targets,
            np.arange(60) % folds,
            classes,
            test=one[:9],
            task=str(task),
        )
        for number, one in enumerate(values)
    ]
    first = replace(
        plan(f"competition={competition}", "predict_test=false"), folder=tmp_path / "runs" / "run0"
    )
    metrics = stack_runs(
        first,
        read_members(places),
        RidgeStacker(penalty=5),
        [],
        "auto",
        None,
        SETTINGS,
        20,
        0,
        lambda id: None,
    )
    better = first.metric.greater_is_better
    name = first.metric.name
    worst = (min if better else max)(one[name] for one in metrics["members"].values())
    assert (metrics["pooled"][name] > worst) if better else (metrics["pooled"][name] < worst)
    assert "(mean)" in capsys.readouterr().out
    folder = Path(tmp_path / "runs" / "stack_ridge")
    assert len(pd.read_parquet(folder / "test.parquet")) == 9 and not list(folder.glob("fold_*"))
    assert len(metrics["folds"]) == folds
