"""A trained run diagnosed from its folder; what is read there agrees with the competition's own table."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.build import build_plan
from compkit.competition import Folds, resolve_scheme
from compkit.diagnosis import FoldFacts, diagnose_fold, diagnose_run, show_findings
from compkit.diagnosis.run_facts import read_folds
from compkit.engine import Console
from compkit.pipeline import run
from compkit.report.diagnosis import diagnosis
from compkit.report.page import render
from compkit.types import Task

from ..conftest import QUICK, compose_train
from .histories import fired


@pytest.fixture(scope="module")
def make(data_dir, tmp_path_factory):
    """Train a quick run; returns its folder."""
    root = tmp_path_factory.mktemp("runs")

    def call(name, *overrides):
        paths = (f"data_dir={data_dir}", f"output_dir={root}", f"name={name}", "predict_test=false")
        plan = build_plan(compose_train(*QUICK, "epochs=1", *paths, *overrides))
        run(plan)
        return plan.folder

    return call


@pytest.fixture(scope="module")
def digits(make):
    return make("digits")


@pytest.fixture(scope="module")
def tilt(make):
    return make("tilt", "competition=tilt")


@pytest.fixture
def copy(tmp_path):
    """A copy of a run to take things from."""
    return lambda folder: shutil.copytree(folder, tmp_path / "copy")


def labels(data_dir, competition, column):
    return pd.read_csv(data_dir / competition / "train.csv", dtype={"id": str}).set_index("id")[column]


def test_guessing_costs_the_entropy_of_the_training_labels(digits, data_dir):
    split = pd.read_csv(digits / "folds.csv", dtype={"id": str}).set_index("id")["fold"]
    known = labels(data_dir, "digits", "label").loc[split.index]
    for fold, record in read_folds(digits).items():
        share = known[split != fold].value_counts(normalize=True)
        assert record.facts.prior == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)
        assert record.facts.chance == pytest.approx(known[split == fold].value_counts(normalize=True).max())
        assert (record.facts.train_rows, record.facts.val_rows) == (30, 30)
        assert record.facts.metric == "accuracy" and record.facts.is_over


def test_guessing_numbers_costs_their_variance(tilt, data_dir):
    split = pd.read_csv(tilt / "folds.csv", dtype={"id": str}).set_index("id")["fold"]
    known = labels(data_dir, "tilt", "angle").loc[split.index].astype(float)
    for fold, record in read_folds(tilt).items():
        assert record.facts.prior_is_exact
        assert record.facts.prior == pytest.approx(known[split != fold].var(ddof=0), rel=1e-5)
        assert record.facts.valid_prior == pytest.approx(known[split == fold].var(ddof=0), rel=1e-5)


def test_a_short_healthy_run_raises_no_alarm(digits, tilt):
    assert not fired(diagnose_run(digits)) and not fired(diagnose_run(tilt))
    assert {one.evidence["fold"] for one in diagnose_run(digits)} == {0, 1}


def test_a_fold_is_diagnosed_before_the_run_has_finished(digits, copy):
    folder = copy(digits)
    for name in ("metrics.json", "oof.parquet", "fold_1"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert {one.evidence["fold"] for one in diagnose_fold(folder, 0)} == {0}
    for name in ("scores.json", "oof.parquet"):
        (folder / "fold_0" / name).unlink()
    changes = yaml.safe_load((folder / "config.yaml").read_text()) | {"epochs": 50}
    (folder / "config.yaml").write_text(yaml.safe_dump(changes))
    [record] = read_folds(folder).values()
    assert not record.facts.is_over and record.facts.prior > 2 and record.facts.valid_prior is None
    assert fired(diagnose_fold(folder, 0), "pass") == {"curves"}


def test_numbers_of_one_fold_alone_are_an_estimate(tilt, copy):
    folder = copy(tilt)
    shutil.rmtree(folder / "fold_1")
    [record] = read_folds(folder).values()
    assert not record.facts.prior_is_exact and record.facts.prior > 0


@pytest.mark.parametrize(
    "keys, is_forecast",
    [
        ({"fold_scheme": "time", "time_column": "day"}, True),
        ({"fold_scheme": "auto", "time_column": "day"}, True),
        ({"fold_scheme": "auto", "time_column": "day", "fold_column": "part"}, False),
        ({"fold_scheme": "random", "time_column": "day"}, False),
    ],
)
def test_a_forecast_trains_on_what_comes_before(tilt, copy, keys, is_forecast):
    folder = copy(tilt)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["competition"] |= {"fold_column": None} | keys
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    split = pd.read_csv(folder / "folds.csv", dtype={"id": str})
    split.loc[:11, "fold"] = -1
    split.to_csv(folder / "folds.csv", index=False)
    scheme = resolve_scheme(
        keys["fold_scheme"], Task.REGRESSION, False, True, keys.get("fold_column") is not None
    )
    folds = Folds(split["id"].to_numpy(), split["fold"].to_numpy(), None, scheme)
    assert folds.expanding == is_forecast
    for fold, record in read_folds(folder).items():
        assert record.facts.train_rows == len(folds.train_rows(fold))


def test_pictures_of_one_subject_count_once(digits, copy):
    path = copy(digits) / "fold_0" / "oof.parquet"
    frame = pd.read_parquet(path)
    frame.insert(1, "subject", [f"patient {row // 3}" for row in range(len(frame))])
    frame.to_parquet(path)
    facts = read_folds(path.parent.parent)[0].facts
    assert facts.val_rows == 10 and facts.val_class_rows.sum() == pytest.approx(10, abs=3)


def test_somebody_elses_metric_gives_way_to_the_loss_until_the_run_has_finished(digits, copy):
    folder = copy(digits)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"metric": {"_target_": "mine.Accuracy"}}))
    assert read_folds(folder)[0].facts.metric == "accuracy"
    (folder / "metrics.json").unlink()
    facts: FoldFacts = read_folds(folder)[0].facts
    assert facts.metric == "loss" and not facts.greater_is_better and facts.error_of(0.5) is None


def test_runs_without_validation_have_no_diagnosis(digits, copy):
    folder = copy(digits)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for more in ({"full_data": True}, {"made": {"by": "blend", "runs": []}}):
        (folder / "config.yaml").write_text(yaml.safe_dump(config | more))
        assert diagnose_run(folder) == []


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config\.yaml.*e\.g\. run="):
        diagnose_run(tmp_path)


@pytest.fixture
def ill(digits, copy):
    """A run whose second fold diverged."""
    folder = copy(digits)
    for fold, train in ((0, [2.3, 1.0, 0.5, 0.2, 0.1]), (1, [2.3, 0.5, 0.4, 3.0, 3.1])):
        path = folder / f"fold_{fold}" / "history.csv"
        row = pd.read_csv(path)
        rows = pd.concat([row] * 5, ignore_index=True)
        rows["epoch"], rows["train_loss"] = range(1, 6), train
        rows.to_csv(path, index=False)
    return folder


def test_the_console_says_what_where_and_what_to_do(ill, capsys):
    with Console() as console:
        show_findings(diagnose_run(ill), console, "run")
    said = capsys.readouterr().out
    assert "run: diagnosis of the curves" in said and "warning: divergence, fold 1: " in said
    assert "0.4" in said and "lr=" in said and "trainer.clip_at=1" in said


def test_what_doctor_skip_names_is_left_out(ill):
    assert "divergence" in fired(diagnose_run(ill))
    config = yaml.safe_load((ill / "config.yaml").read_text())
    (ill / "config.yaml").write_text(yaml.safe_dump(config | {"doctor": {"skip": ["divergence"]}}))
    assert "divergence" not in fired(diagnose_run(ill)) and "divergence" not in fired(diagnose_fold(ill, 1))
    assert {one.evidence["fold"] for one in diagnose_run(ill)} == {0, 1}  # the rest is still told


def test_the_console_is_brief_where_nothing_is_wrong(digits, capsys):
    with Console() as console:
        show_findings(diagnose_run(digits), console, "run")
        show_findings([], console, "blend")
    assert capsys.readouterr().out == "run: diagnosis of the curves: nothing is wrong\n"


def test_the_report_has_a_chapter(ill, digits):
    [section] = diagnosis(diagnose_run(ill))
    page = render("run", [], [section], [])
    assert "divergence" in page and "trainer.clip_at=1" in page and "1 finding(s)" in page
    [healthy] = diagnosis(diagnose_run(digits))
    assert not healthy.tables and "Nothing is wrong" in healthy.sentences[0]
    assert diagnosis([]) == []
