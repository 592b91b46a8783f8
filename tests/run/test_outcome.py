"""What follows from predictions in a run's folder."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from compkit.competition import Folds
from compkit.engine import Console
from compkit.run.outcome import conclude, derive_plan, fold_scores, open_derived, write_parquet


@pytest.fixture
def trained(train, plan):
    folder = train(name="base")
    return plan("resume=true", name="base"), folder


def test_a_derived_run_is_a_run(trained):
    base, folder = trained
    made = {"by": "ensemble", "runs": [str(folder)]}
    derived = derive_plan(base, "copy", made)
    folds = Folds.read(folder / "folds.csv")
    with Console(quiet=True) as console:
        open_derived(derived, folds, console)
        for name in ("oof.parquet", "test.parquet"):
            frame = pd.read_parquet(folder / name)
            write_parquet(derived.folder / name, frame.sample(frac=1, random_state=0))
        about = {"in_sample": {"accuracy": 1.0}}
        scores = fold_scores(derived)
        metrics = conclude(derived, scores, folds.hash, lambda id: None, console, about)
    of_base = json.loads((folder / "metrics.json").read_text())
    for key in ("pooled", "mean", "std"):  # whatever the order of rows; the base's metrics saw float32
        assert metrics[key] == pytest.approx(of_base[key], rel=1e-6)
    assert metrics["in_sample"] == {"accuracy": 1.0} and metrics["fold_hash"] == of_base["fold_hash"]
    assert [one["val_rows"] for one in scores] == [one["val_rows"] for one in of_base["folds"]]
    submission = (derived.folder / "submission.csv").read_text()
    assert submission == (folder / "submission.csv").read_text()
    assert json.loads((derived.folder / "submission.json").read_text())["runs"] == [str(folder)]
    assert "copy" in (derived.folder / "report.html").read_text()
    with pytest.raises(ValueError, match="exists already"):
        derive_plan(replace(base, resume=False), "copy", made)


def test_scores_of_folds_are_those_of_their_rows(trained):
    base, folder = trained
    oof = pd.read_parquet(folder / "oof.parquet")
    for entry in fold_scores(base):
        rows = oof[oof["fold"] == entry["fold"]]
        guesses = rows.filter(regex="^pred_").to_numpy().argmax(axis=1).astype(str)
        assert entry["best"]["accuracy"] == np.mean(guesses == rows["target"])
