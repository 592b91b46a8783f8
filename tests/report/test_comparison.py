import json

import numpy as np
import pandas as pd
import pytest
import yaml

from compkit.report import read_run, write_comparison
from compkit.report.comparison import file_name
from compkit.report.gains import fold_gain, row_gain
from compkit.types import Task

from .conftest import NASTY
from .test_page import Page


def edit(folder, **changes):
    path = folder / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def with_scores(folder, scores, **changes):
    """The run with other scores of its folds."""
    metrics = json.loads((folder / "metrics.json").read_text())
    for fold, score in zip(metrics["folds"], scores, strict=True):
        fold["best"][metrics["metric"]] = score
    return edit(folder, folds=metrics["folds"], **changes)


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_the_page_is_valid_self_contained_and_escaped(make_run, task):
    runs = [make_run(name, task=task, rows=90) for name in ("a", "b", "c")]
    (runs[1] / "config.yaml").write_text(yaml.safe_dump({"task": task, "lr": 0.5, "note": NASTY}))
    path = write_comparison(runs, None)
    assert path == runs[0].parent / "comparison_a_b_c.html"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert [name for name in page.sections if name] == ["scores", "differences", "curves", "settings"]
    assert (
        "<script" not in text and "&lt;script&gt;" in page.sections["settings"]
    ) or NASTY in page.sections["settings"]
    assert "http://" not in text and "https://" not in text
    assert "Fold 2, " in page.sections["curves"] and "mean of folds" in text
    assert write_comparison(runs, None) == path  # written anew


@pytest.mark.parametrize("greater", [True, False])
def test_gains_are_paired_by_fold_and_above_zero_is_better(make_run, greater):
    first = with_scores(make_run("a", rows=60), [0.5, 0.6, 0.7], greater_is_better=greater)
    second = with_scores(make_run("b", rows=60), [0.52, 0.63, 0.71], greater_is_better=greater)
    gain = fold_gain(read_run(first), read_run(second))
    differences = np.array([0.02, 0.03, 0.01]) * (1 if greater else -1)
    assert gain.mean == pytest.approx(differences.mean())
    assert gain.error == pytest.approx(differences.std(ddof=1) / np.sqrt(3))
    text = write_comparison([first, second], None).read_text()
    assert ("better ▲" if greater else "worse ▼") in text


def test_only_folds_that_both_have_are_paired(make_run):
    first = make_run("a", rows=60)
    second = make_run("b", rows=60, trained=2)
    assert fold_gain(read_run(first), read_run(second)).pairs == 2
    assert "n/a" in write_comparison([first, second], None).read_text()


def test_rows_are_paired_by_id_whatever_their_order(make_run):
    first, second = make_run("a", rows=60), make_run("b", rows=60)
    frame = pd.read_parquet(second / "oof.parquet")
    values = [name for name in frame if name.startswith("pred_")]
    frame.loc[:9, values] = 0.2  # ten rows know nothing any more
    frame.sample(frac=1, random_state=0).to_parquet(second / "oof.parquet")
    one, other = read_run(first).oof, read_run(second).oof
    found = row_gain(one, other)
    true = one.values[np.arange(60), one.targets]
    gains = np.where(np.arange(60) < 10, -np.log(true) + np.log(0.2), 0)
    assert found.gain.mean == pytest.approx(gains.mean(), rel=1e-5)
    was = one.values[:10].argmax(1) == one.targets[:10]
    now = one.targets[:10] == 0  # of equal probabilities the first class is the answer
    assert (found.mended, found.broken) == (int((now & ~was).sum()), int((was & ~now).sum()))


def test_rows_of_other_classes_or_none_are_not_paired(make_run):
    first, second = read_run(make_run("a", rows=60)).oof, read_run(make_run("b", rows=60, classes=4)).oof
    assert row_gain(first, second) is None and row_gain(None, first) is None
    stranger = type(first)(
        Task.MULTICLASS, first.ids + "x", first.fold, first.targets, first.values, first.classes
    )
    assert row_gain(first, stranger) is None


def test_runs_of_one_name_are_told_apart_by_their_folder(make_run, tmp_path):
    first, second = make_run("a", rows=60), make_run("b", rows=60)
    second = second.rename(tmp_path / "a")
    text = write_comparison([first, second], None).read_text()
    assert "digits/a" in text and f"{tmp_path.name}/a" in text


def test_many_runs_have_charts_enough(make_run):
    runs = [make_run(f"run_{index}", rows=60) for index in range(7)]
    text = write_comparison(runs, None).read_text()
    assert 'class="line c5"' in text and "run_6" in text


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"fold_hash": "beef"}, "its split is beef, that of .* is f00dfeed"),
        ({"metric": "second_metric"}, "its metric is second_metric"),
    ],
)
def test_what_cannot_be_compared_is_refused(make_run, changes, words):
    first, second = make_run("a", rows=60), edit(make_run("b", rows=60), **changes)
    with pytest.raises(ValueError, match=words):
        write_comparison([first, second], None)
    assert not list(first.parent.glob("*.html"))


def test_a_run_without_scores_is_refused(make_run):
    first, second = make_run("a", rows=60), make_run("b", rows=60)
    (second / "metrics.json").unlink()
    with pytest.raises(ValueError, match="has no scores to compare"):
        write_comparison([first, second], None)


def test_a_file_of_somebody_is_not_written_over(make_run, tmp_path):
    runs = [make_run("a", rows=60), make_run("b", rows=60)]
    mine = tmp_path / "mine.html"
    mine.write_text("<title>my own</title>")
    with pytest.raises(ValueError, match="is no comparison"):
        write_comparison(runs, mine)
    with pytest.raises(ValueError, match=r"ending in \.html"):
        write_comparison(runs, tmp_path / "page.txt")
    assert mine.read_text() == "<title>my own</title>"


def test_names_of_many_runs_make_a_file_name_that_is_not_too_long():
    names = [f"a_rather_long_name_{index}" for index in range(30)]
    assert len(file_name(names)) < 120 and file_name(names) != file_name(names[:-1])
