import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from compkit.findings import Finding, Status
from compkit.report.details import count_parameters, details, status_of, step_from_parent
from compkit.report.standings import read_standings

from .runs_of_a_competition import add_run


@pytest.fixture
def leaf(tmp_path):
    return tmp_path / "leaf"


def folds(*scores):
    return [{"fold": fold, "best": {"f1": score}, "seconds": 60.0} for fold, score in enumerate(scores)]


def steps(leaf):
    runs = {one.name: one for one in read_standings(leaf)}
    return {name: step_from_parent(one, runs) for name, one in runs.items()}


def test_a_step_is_paired_by_fold_with_its_mark(leaf):
    add_run(leaf, "first", 0.5, folds=folds(0.5, 0.6, 0.7), started="2026-01-01 10:00:00")
    add_run(leaf, "better", 0.5, folds=folds(0.52, 0.63, 0.71))
    add_run(leaf, "alike", 0.5, folds=folds(0.52, 0.59, 0.70))
    found = steps(leaf)
    assert found["first"].gain is None
    assert found["better"].gain.mean == pytest.approx(0.02) and found["better"].gain.is_beyond
    assert not found["alike"].gain.is_beyond
    cells = {row[0]: str(row[4]) for row in details(read_standings(leaf)).rows}
    assert cells["better"].endswith("▲") and "▲" not in cells["alike"] and cells["first"] == ""


def test_runs_of_another_split_or_metric_have_no_step(leaf):
    add_run(leaf, "first", 0.5, started="2026-01-01 10:00:00")
    add_run(leaf, "split", 0.5, fold_hash="beef")
    add_run(leaf, "measure", 0.5, metric="auc")
    add_run(leaf, "none", 0.5, folds=[{"fold": 7, "best": {"f1": 0.5}}])
    add_run(leaf, "one", 0.5, folds=folds(0.6)[:1])
    found = steps(leaf)
    assert [found[name].why for name in ("split", "measure", "none")] == [
        "another split",
        "another metric",
        "no common fold",
    ]
    cells = {row[0]: str(row[4]) for row in details(read_standings(leaf)).rows}
    assert cells["one"] == "+0.1000 (one fold)" and cells["split"] == "another split"


def test_parameters_are_counted_without_statistics(leaf):
    folder = add_run(leaf, "a", 0.5)
    assert count_parameters(folder) is None
    (folder / "fold_0").mkdir()
    path = folder / "fold_0" / "best.safetensors"
    save_file(
        {
            "conv.weight": np.zeros((4, 3, 2), "f4"),
            "bn.running_mean": np.zeros(9, "f4"),
            "p": np.zeros((), "f4"),
        },
        path,
    )
    assert count_parameters(folder) == 25
    path.write_bytes(b"torn")
    assert count_parameters(folder) is None


def test_the_status_is_the_worst_of_doctor_and_curves(leaf):
    folder = add_run(leaf, "a", 0.5, by="ensemble")
    assert status_of(folder) == "not checked"
    path = folder / "doctor.json"
    for status in (Status.PASS, Status.WARN, Status.FAIL):
        path.write_text(json.dumps([Finding("a", status, "seen", remedy="do").to_dict()]))
        assert status_of(folder, with_curves=False) == status.upper()
    path.write_text("{")
    assert status_of(folder, with_curves=False) == status_of(folder) == "damaged"


def test_unfinished_runs_have_no_row(leaf):
    add_run(leaf, "a", 0.5)
    add_run(leaf, "b")
    assert [row[0] for row in details(read_standings(leaf)).rows] == ["a"]
