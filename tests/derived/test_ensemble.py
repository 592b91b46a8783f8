"""scripts/ensemble.py from runs of train.py to a run that can be blended again."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.build import build_plan
from compkit.metrics import accuracy, log_loss
from compkit.pipeline import run
from compkit.results import read_oof

from ..commands import call_here
from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """Two runs of the same folds, which tests only add others beside."""
    outputs = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={outputs}", "epochs=1")
    for seed in range(2):
        run(build_plan(compose_train(*QUICK, *paths, f"seed={seed}", f"name=seed-{seed}")))
    other = outputs / "digits" / "other_folds"
    shutil.copytree(outputs / "digits" / "seed-0", other)
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(metrics | {"fold_hash": "0" * 64}))
    return outputs / "digits"


@pytest.fixture
def ensemble(runs, capsys):
    """ensemble("method=mean", …) of the two runs -> (exit status, stdout, stderr)."""

    def call(*arguments, of="seed-*"):
        return call_here(capsys, "scripts/ensemble.py", f"runs=[{runs}/{of}]", "bootstrap=50", *arguments)

    return call


def read(folder, name):
    return pd.read_parquet(folder / name).filter(like="pred_").to_numpy()


def test_a_mean_is_a_run_and_nests(ensemble, runs):
    status, out, err = ensemble("method=mean")
    assert status == 0 and "gain over seed-" in out, err
    made = runs / "ensemble_mean"
    for name in ("oof.parquet", "test.parquet", "fold_1/test.parquet"):
        want = np.mean([read(runs / f"seed-{seed}", name) for seed in range(2)], axis=0)
        np.testing.assert_allclose(read(made, name), want, rtol=1e-5)
    metrics = json.loads((made / "metrics.json").read_text())
    oof = read_oof(made / "oof.parquet", "multiclass")
    assert metrics["pooled"]["accuracy"] == pytest.approx(accuracy(oof.targets, oof.values))
    assert metrics["weights"] == {f"seed-{seed}": pytest.approx(1 / 2) for seed in range(2)}
    assert "in_sample" not in metrics and set(metrics["members"]) == set(metrics["weights"])
    single = [one["accuracy"] for one in metrics["members"].values()]
    assert metrics["gain"]["value"] == pytest.approx(metrics["pooled"]["accuracy"] - max(single))
    assert (made / "submission.csv").is_file() and (made / "report.html").is_file()
    assert yaml.safe_load((made / "config.yaml").read_text())["made"]["by"] == "ensemble"

    status, _, err = ensemble("method=mean", "name=one_run", of="seed-0")
    assert status == 0, err
    np.testing.assert_array_equal(read(runs / "one_run", "oof.parquet"), read(runs / "seed-0", "oof.parquet"))
    status, _, err = ensemble("method=mean", "name=of_made", of="ensemble_mean")
    assert status == 0, err
    np.testing.assert_array_equal(read(runs / "of_made", "test.parquet"), read(made, "test.parquet"))


def test_learned_weights_are_reported_nested_and_in_sample(ensemble, runs):
    status, out, err = ensemble("method=optimize", "metric=log_loss", "name=fitted")
    assert status == 0 and "(nested)" in out and "(in sample)" in out, err
    made = runs / "fitted"
    metrics = json.loads((made / "metrics.json").read_text())
    assert (
        metrics["in_sample"]["log_loss"] <= min(one["log_loss"] for one in metrics["members"].values()) + 1e-9
    )
    assert sorted(metrics["weights_of_folds"]) == ["0", "1"]
    oof = read_oof(made / "oof.parquet", "multiclass")
    members = [read_oof(runs / f"seed-{seed}" / "oof.parquet", "multiclass").values for seed in range(2)]
    for fold in (0, 1):
        weights = list(metrics["weights_of_folds"][str(fold)].values())
        rows = oof.fold == fold
        np.testing.assert_allclose(
            oof.values[rows], np.tensordot(weights, np.array(members)[:, rows], axes=1), rtol=1e-5
        )
    assert metrics["pooled"]["log_loss"] == pytest.approx(log_loss(oof.targets, oof.values))


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("climbed", ["method=hill_climb", "per_class=true", "top=1"]),
        ("ranks", ["method=rank", "weights=[2,1]"]),
        ("geometric", ["method=geometric"]),
    ],
)
def test_every_method_runs(ensemble, runs, name, arguments):
    status, out, err = ensemble(*arguments, f"name={name}", "bootstrap=0")
    assert status == 0 and "gain" not in out.split("and its runs")[1].split("pooled")[0], err
    metrics = json.loads((runs / name / "metrics.json").read_text())
    assert ("in_sample" in metrics) == (name == "climbed") and "gain" not in metrics
    assert ("ranks are taken in each column" in out) == (name == "ranks")
    if name == "climbed":
        assert len(metrics["weights"]["seed-0"]) == 10 and "mean weight" in out


def test_a_blend_that_gains_nothing_says_so(ensemble):
    status, out, err = ensemble("method=mean", "name=alone", of="seed-1")
    assert status == 0 and "alone is not better than seed-1 alone" in out, err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["runs=[]"], "error: runs=[]: expected at least one run"),
        (["runs=[outputs/nowhere]"], "error: outputs/nowhere: no such folder"),
        (["runs=[{runs}/seed-0,{runs}/other_folds]"], "other_folds: its fold hash is"),
        (["name=seed-1"], "seed-1 exists already"),
        (["method=median"], "error: method: got 'median'"),
        (["method=rank", "metric=log_loss"], "ranks are no probabilities"),
        (["metric=rmse"], "metric rmse: measures regression"),
        (["weights=[1]", "method=mean"], "1 for 2 runs"),
        (["bootstrap=-1"], "error: bootstrap=-1"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(ensemble, runs, arguments, words):
    before = sorted(path.name for path in runs.iterdir())
    status, _, err = ensemble(*(one.format(runs=runs) for one in ["name=refused", *arguments]))
    assert status == 2 and words in err and "Traceback" not in err, err
    assert sorted(path.name for path in runs.iterdir()) == before
