"""A run's settings once more on all rows: epochs from the folds, nothing validates, the scores are the parent's."""

import functools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from compkit.build import build_plan, load_plan, plan_again
from compkit.competition import Folds
from compkit.demo import grade
from compkit.derived.predict import predict_run
from compkit.derived.refit import refit, refit_epochs
from compkit.engine import Console, Ranks
from compkit.optim import SWA
from compkit.pipeline import run
from compkit.report.records import read_run
from compkit.report.scores import fold_scores
from compkit.report.verdict import verdict
from compkit.run.prepare import prepare
from compkit.run.trained_fold import load_fold

from ..commands import call_here
from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def parent(tmp_path_factory, data_dir):
    """A run of two folds on digits, trained once."""
    outputs = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={outputs}", "name=run")
    extra = ("postprocess=class_weights", "trainer.early_stopping_epochs=5")
    plan = build_plan(compose_train(*QUICK, *paths, *extra))
    run(plan)
    return plan.folder


@pytest.fixture
def run_of(parent, tmp_path):
    """A copy of the run to refit or to damage, alone in its folder."""
    return shutil.copytree(parent, tmp_path / "outputs" / "digits" / "run")


def call_refit(folder, **arguments):
    again = functools.partial(plan_again, folder)
    return refit(load_plan(folder), again, lambda id: None, **arguments)


def test_the_median_of_the_best_epochs_a_half_up():
    rng = np.random.default_rng(0)
    for folds in (1, 2, 3, 4, 5, 10):
        best = rng.integers(1, 40, folds)
        middle = np.sort(best)[(folds - 1) // 2 : folds // 2 + 1].mean()
        assert refit_epochs(best.tolist()) == int(np.ceil(middle))
        assert refit_epochs(rng.permutation(best).tolist()) == refit_epochs(best.tolist())
    assert refit_epochs([1]) == 1


def test_a_refit_trains_on_all_rows_and_carries_the_scores_of_its_run(run_of, data_dir):
    entries = json.loads((run_of / "metrics.json").read_text())
    for entry, epoch in zip(entries["folds"], (1, 4), strict=True):
        entry["best_epoch"] = epoch
    (run_of / "metrics.json").write_text(json.dumps(entries))
    metrics = call_refit(run_of, seeds=2)
    folder = run_of.parent / "run_full"

    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["epochs"], config["full_data"], config["train_folds"]) == (3, True, [0, 1])
    assert config["trainer"]["early_stopping_epochs"] is None  # it has told the epochs, and waits for a score
    assert config["made"] == {"by": "refit", "run": "run", "best_epochs": [1, 4]}
    for model in ("fold_0", "fold_1"):
        scores = json.loads((folder / model / "scores.json").read_text())
        assert (scores["train_rows"], scores["val_rows"], scores["best_epoch"]) == (60, 0, 3)
        history = pd.read_csv(folder / model / "history.csv")
        assert history["epoch"].tolist() == [1, 2, 3] and history["val_accuracy"].isna().all()
        best, last = (load_file(folder / model / f"{kind}.safetensors") for kind in ("best", "last"))
        assert all(best[name].equal(last[name]) for name in best)
        assert not (folder / model / "oof.parquet").exists()
    assert not (folder / "fold_2").exists()

    assert metrics["scores_of"] == "run" and metrics["pooled"] == pytest.approx(entries["pooled"])
    assert (
        metrics["postprocess"] == entries["postprocess"]
    )  # learned on the same predictions, applied to other ones
    assert metrics["fold_hash"] == entries["fold_hash"] == Folds.read(folder / "folds.csv").hash
    for file in ("oof.parquet", "folds.csv"):
        assert (folder / file).read_bytes() == (run_of / file).read_bytes()
    tests = [pd.read_parquet(folder / model / "test.parquet") for model in ("fold_0", "fold_1")]
    columns = tests[0].filter(like="pred_").columns
    mean = pd.read_parquet(folder / "test.parquet")[columns]
    np.testing.assert_allclose(mean, (tests[0][columns] + tests[1][columns]) / 2, rtol=1e-6)
    assert not np.allclose(tests[0][columns], tests[1][columns], atol=1e-3)  # each of another seed
    assert np.isfinite(grade("digits", folder / "submission.csv", data_dir)[1])
    assert "seen every row" in (folder / "report.html").read_text()

    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    assert call_refit(run_of, seeds=2, resume=True)["pooled"] == metrics["pooled"]
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(ValueError, match=r"run_full exists already.*resume=true"):
        call_refit(run_of)
    with pytest.raises(ValueError, match="itself trained on all rows"):
        call_refit(folder)
    with pytest.raises(ValueError, match="none is left for out-of-fold predictions"):
        predict_run(load_plan(folder), "oof")
    student = build_plan(compose_train(*config_of(folder), "semi=distillation", f"semi.teachers=[{folder}]"))
    with Console(quiet=True) as console, pytest.raises(ValueError, match="run_full was trained on all rows"):
        prepare(student, Ranks(), console)


def config_of(folder):
    """What a new run of the same rows and folds is composed of."""
    data_dir = yaml.safe_load((folder / "config.yaml").read_text())["data_dir"]
    return *QUICK, f"data_dir={data_dir}", f"output_dir={folder.parent.parent}", "name=student"


@pytest.mark.parametrize(
    "damage, words",
    [
        (
            lambda folder: (folder / "metrics.json").unlink(),
            r"lacks metrics\.json.*not finished.*resume=true",
        ),
        (lambda folder: (folder / "oof.parquet").unlink(), r"lacks oof\.parquet"),
        (lambda folder: made_by(folder, "ensemble"), r"made of other runs by ensemble"),
    ],
)
def test_a_run_that_cannot_be_repeated_is_refused(run_of, damage, words):
    damage(run_of)
    with pytest.raises(ValueError, match=words):
        call_refit(run_of)
    assert not (run_of.parent / "run_full").exists()


def made_by(folder, command):
    """Make the run look like one that was made of others."""
    config = yaml.safe_load((folder / "config.yaml").read_text()) | {"made": {"by": command}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["folds"] = [{key: one[key] for key in ("fold", "best", "val_rows")} for one in metrics["folds"]]
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_full_data_alone_ends_without_scores(train, data_dir, monkeypatch):
    averaged = {}
    add_up = SWA.end_epoch

    def remember(self, model, epoch, epochs):
        add_up(self, model, epoch, epochs)
        averaged.update({key: value.clone() for key, value in self.copy.state_dict().items()})

    monkeypatch.setattr(SWA, "end_epoch", remember)
    folder = train("full_data=true", "averaging=swa", "averaging.start=0.5", "epochs=2")
    assert (folder / "fold_0").is_dir() and not (folder / "fold_1").exists()
    for file in ("metrics.json", "oof.parquet", "folds.csv"):
        assert not (folder / file).exists()
    assert np.isfinite(grade("digits", folder / "submission.csv", data_dir)[1])
    record = read_run(folder)
    assert record.full_data and any("trains on all rows" in one for one in record.missing)
    assert [card.title for card in verdict(record, [])] == ["Checks", "No score"]
    assert "trains on all rows" in fold_scores(record).sentences[0] and (folder / "report.html").is_file()
    assert "nan" not in (folder / "train.log").read_text()
    saved = load_file(folder / "fold_0" / "swa.safetensors")
    changed = {key for key in averaged if not torch.equal(saved[key], averaged[key])}
    assert changed and all(
        "running" in key or "num_batches" in key for key in changed
    )  # batch norm, measured anew
    before = (folder / "test.parquet").read_bytes()
    train("full_data=true", "averaging=swa", "averaging.start=0.5", "epochs=2", "resume=true")
    assert (folder / "test.parquet").read_bytes() == before


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["trainer.early_stopping_epochs=2"], r"trainer\.early_stopping_epochs=2 waits for"),
        (["schedule=plateau"], "schedule=plateau waits for"),
        (
            ["competition=mosaic", "postprocess=threshold"],
            r"postprocess=threshold is learned.*scripts/refit\.py",
        ),
        (["train_folds=[]"], r"train_folds=\[\].*numbers of the models"),
        (["train_folds=[-1]"], r"train_folds=\[-1\]"),
        (["train_folds=[a]"], r"train_folds=\['a'\]"),
    ],
)
def test_what_waits_for_a_score_is_refused(train, tmp_path, overrides, words):
    with pytest.raises(ValueError, match=words):
        train("full_data=true", *overrides)
    assert not (tmp_path / "outputs" / "digits" / "run").exists()


def test_the_command(run_of, capsys):
    status, out, err = call_here(capsys, "scripts/refit.py", f"run={run_of}", "epochs=1", "name=whole")
    assert status == 0 and "whole: 1 model(s) on all rows for 1 epochs" in out, err
    assert len(load_fold(load_plan(run_of.parent / "whole"), 0, Ranks()).classes) == 10
    for argument, words in [("epochs=0", "epochs=0"), ("seeds=0", "seeds=0"), ("epochs=many", "epochs=many")]:
        status, _, err = call_here(capsys, "scripts/refit.py", f"run={run_of}", argument)
        assert status == 2 and words in err and "Traceback" not in err
