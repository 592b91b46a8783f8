import re

import numpy as np
import pandas as pd

from compkit.report import read_run, write_report
from compkit.report.curves import OPEN_FOLDS, curves
from compkit.report.plots import MAX_LINES, Line, line_chart
from compkit.report.section import number

from .test_page import page_of


def add(folder, fold=0, **columns):
    """Further columns of a fold's history."""
    path = folder / f"fold_{fold}" / "history.csv"
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def figure_of(folder, fold):
    [section] = curves(read_run(folder))
    return next(one for one in section.figures if one.caption.startswith(f"Fold {fold},"))


def test_losses_have_a_log_axis_the_rate_below_them_and_the_gap_shaded(make_run):
    folder = make_run(rows=60)
    history = pd.read_csv(folder / "fold_0" / "history.csv")
    figure = figure_of(folder, 0)
    losses, score = map(str, figure.charts)
    assert ">log<" in losses and "learning rate" in losses and losses.count("<svg") == 2
    assert 'class="band"' in losses and 'class="band"' not in score
    assert losses.count('class="mark"') == 2 and score.count('class="mark"') == 1
    gap = history["val_loss"].iloc[-1] - history["train_loss"].iloc[-1]
    assert f"gap at the end {number(gap)}" in figure.caption


def test_the_gap_is_that_of_unaugmented_pictures_where_it_is_measured(make_run):
    folder = make_run(rows=60)
    add(folder, clean_loss=0.25, clean_accuracy=0.75, ema_val_accuracy=0.5)
    figure = figure_of(folder, 0)
    history = pd.read_csv(folder / "fold_0" / "history.csv")
    assert f"gap at the end {number(history['val_loss'].iloc[-1] - 0.25)}" in figure.caption
    losses, score = map(str, figure.charts)
    assert "loss, training, unaugmented" in losses and 'class="band"' in score
    assert "accuracy, ema weights" in score


def test_the_best_epoch_is_marked_where_it_is(make_run):
    folder = make_run(rows=60)
    best = read_run(folder).metrics["folds"][0]["best_epoch"]
    score = str(figure_of(folder, 0).charts[1])
    at = float(re.findall(r'class="mark" d="M([\d.]+)', score)[0])
    points = re.findall(r"[ML]([\d.]+) [\d.]+", re.findall(r'class="line c0" d="([^"]*)"', score)[0])
    assert at == float(points[best])


def test_all_folds_are_in_one_chart_and_further_ones_are_folded(make_run):
    folder = make_run(rows=120, num_folds=MAX_LINES + 2)
    [section] = curves(read_run(folder))
    overview = str(section.figures[0].charts[0])
    assert overview.count('class="line faint"') == MAX_LINES + 2 and "mean of folds" in overview
    assert [figure.folded for figure in section.figures] == [False] * (1 + OPEN_FOLDS) + [True] * (
        MAX_LINES + 2 - OPEN_FOLDS
    )
    few = str(curves(read_run(make_run("few", rows=60, num_folds=3)))[0].figures[0].charts[0])
    assert "faint" not in few and "fold 2" in few


def test_histories_without_validation_or_with_scores_that_are_none(make_run):
    folder = make_run(rows=60)
    for fold in range(3):
        path = folder / f"fold_{fold}" / "history.csv"
        history = pd.read_csv(path)
        history.drop(columns=[name for name in history if name.startswith("val_")]).to_csv(path, index=False)
    assert "Fold 0, 10 epochs" in page_of(write_report(folder, None)).sections["curves"]
    other = make_run("nan", rows=60)
    add(other, val_accuracy=np.nan, val_loss=np.nan)
    assert "n/a" in page_of(write_report(other, None)).sections["curves"]


def test_many_terms_share_charts(make_run):
    folder = make_run(rows=60)
    add(folder, **{f"train_term_{index}": 1.0 for index in range(7)})
    charts = figure_of(folder, 0).charts
    assert len(charts) == 2 + 3


def test_long_names_get_a_row_of_their_own():
    ten = np.arange(10.0)
    lines = [Line(f"a name that is rather long {index}", ten, ten) for index in range(4)]
    svg = str(line_chart("loss", lines))
    height = float(re.findall(r'viewBox="0 0 \d+ (\d+)"', svg)[0])
    places = [float(x) for x in re.findall(r'd="M([\d.]+) \d+h16"', svg)]
    assert len(places) == 4 and max(places) < 420 / 2 and height > 230


def test_the_last_epoch_is_drawn_however_long_the_curve():
    many = np.arange(50_001.0)
    svg = str(line_chart("loss", [Line("loss", many, many)]))
    one = str(line_chart("loss", [Line("loss", many[:: len(many) - 1], many[:: len(many) - 1])]))
    ends = [re.findall(r'class="line c0" d="([^"]*)"', chart)[0].split("L")[-1] for chart in (svg, one)]
    assert ends[0] == ends[1]
