"""A page on a run of every kind: what is not there is said, and nothing breaks."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.report import write_report
from compkit.report.data import MOST_ROWS, targets_by_fold
from compkit.report.errors import error_sections
from compkit.results import OutOfFold
from compkit.types import Task

from .test_page import page_of


def settings(folder, **changes):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def scores(folder, change):
    """metrics.json, changed in place."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    change(metrics)
    path.write_text(json.dumps(metrics))


def test_trained_on_all_rows(make_run):
    folder = make_run()
    for name in ("metrics.json", "oof.parquet", "folds.csv"):
        (folder / name).unlink()
    settings(folder, full_data=True)
    page = page_of(write_report(folder, None))
    assert "all rows trained" in page.sections[""] and "trains on all rows" in page.sections["scores"]
    assert "Fold 0" in page.sections["curves"] and "diagnosis" not in page.sections


def test_refit_with_the_scores_of_another(make_run):
    folder = make_run()
    scores(folder, lambda metrics: metrics.update(scores_of="resnet18"))
    page = page_of(write_report(folder, None))
    assert "resnet18" in page.sections[""] and "repeats on all rows" in page.sections["scores"]


def test_made_of_other_runs(make_run):
    folder = make_run()
    for path in folder.glob("fold_*/history.csv"):
        path.unlink()
    settings(folder, made={"by": "ensemble", "runs": ["a", "b"]})

    def of_members(metrics):
        for fold in metrics["folds"]:
            for key in ("best_epoch", "seconds", "images_per_second", "last", "train_rows"):
                del fold[key]
        metrics["members"] = {"a": {"accuracy": 0.5}, "b": {"accuracy": None}}

    scores(folder, of_members)
    page = page_of(write_report(folder, None))
    assert not {"doctor", "curves", "diagnosis"} & set(page.sections)
    assert "n/a" in page.sections["members"] and "Checks" not in page.sections[""]


def test_subjects_of_several_pictures(make_run):
    folder = make_run(rows=90)
    frame = pd.read_parquet(folder / "oof.parquet")
    frame.insert(1, "picture", frame["id"])
    frame["id"] = [f"patient {row}" for row in range(90)]
    frame.to_parquet(folder / "oof.parquet")

    def of_pictures(metrics):
        for fold in metrics["folds"]:
            fold["last_per_picture"] = fold.pop("last")

    scores(folder, of_pictures)
    page = page_of(write_report(folder, None))
    assert "of images" in page.sections["scores"] and "patient" in page.sections["mistakes"]


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_scores_that_could_not_be_computed(make_run, task):
    folder = make_run(task=task, rows=90)

    def lose(metrics):
        name = metrics["metric"]
        metrics["pooled"][name] = metrics["mean"][name] = metrics["std"][name] = None
        for fold in metrics["folds"]:
            fold["best"][name] = fold["last"][name] = None

    scores(folder, lose)
    page = page_of(write_report(folder, None))
    assert "n/a" in page.sections[""] and "n/a" in page.sections["scores"]


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_no_row_has_a_label(make_run, task):
    folder = make_run(task=task, rows=60)
    frame = pd.read_parquet(folder / "oof.parquet")
    frame[[name for name in frame if name.startswith("target")]] = None
    frame.to_parquet(folder / "oof.parquet")
    assert "mistakes" not in page_of(write_report(folder, None)).sections


def test_one_regression_target(make_run):
    page = page_of(write_report(make_run(task="regression", classes=1), None))
    assert "residuals" in page.sections and "Without looking" in page.sections[""]


def test_a_single_class_and_a_single_row_in_a_fold(make_run):
    page = page_of(write_report(make_run(rows=3, classes=2, num_folds=3, epochs=1), None))
    assert "Fold 2, 1 epochs" in page.sections["curves"]


def test_memory_has_a_card_once_it_is_recorded(make_run):
    folder = make_run()
    assert "Memory" not in page_of(write_report(folder, None)).sections[""]

    def remember(metrics):
        for fold, peak in zip(metrics["folds"], (1.5, 2.25, None), strict=True):
            fold["peak_memory_gib"] = peak

    scores(folder, remember)
    assert "2.25 GiB" in page_of(write_report(folder, None)).sections[""]


def test_very_many_classes_take_no_matrix_of_all_of_them():
    many, rows = 50_000, 20
    values = np.random.default_rng(0).random((rows, many))
    names = tuple(map(str, range(many)))
    ids = np.array([f"{row}" for row in range(rows)], dtype=object)
    oof = OutOfFold(Task.MULTICLASS, ids, np.arange(rows) % 2, np.arange(rows) * 7, values, names)
    sections = {one.anchor: one for one in error_sections(oof, None)}
    assert "the matrix is not drawn" in sections["confusion"].sentences[1]
    assert len(sections["classes"].tables[0].rows) == 31
    assert len(targets_by_fold(oof).rows) == MOST_ROWS + 1
