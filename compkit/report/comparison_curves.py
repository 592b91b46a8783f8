"""Curves of several runs over each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from compkit.report.curves import OPEN_FOLDS, column, main_score
from compkit.report.plots import MAX_LINES, Line, line_chart
from compkit.report.records import RunRecord
from compkit.report.section import Figure, Section, number

Named = Sequence[tuple[str, RunRecord]]


def curves_section(runs: Named) -> list[Section]:
    """Score and validation loss of every run, as the mean of its folds and fold by fold; nothing without histories."""
    trained = [(name, run) for name, run in runs if run.histories]
    if not trained:
        return []
    metric = main_score(trained[0][1], next(iter(trained[0][1].histories.values())))
    names = [f"val_{metric}"] * bool(metric) + ["val_loss"]
    charts = [
        chart for name in names for chart in _charts(f"{name}, mean of folds", name, _means(trained, name))
    ]
    figures = [Figure("Means over the folds of each run, epoch by epoch.", charts)] if charts else []
    folds = sorted({fold for _, run in trained for fold in run.histories})
    for place, fold in enumerate(folds):
        histories = [(name, run.histories[fold]) for name, run in trained if fold in run.histories]
        charts = [
            chart
            for name in names
            for chart in _charts(f"{name}, fold {fold}", name, _lines(histories, name))
        ]
        ends = ", ".join(
            f"{run} {number(column(history, names[0])[-1])}"
            for run, history in histories
            if names[0] in history
        )
        caption = f"Fold {fold}, {names[0].removeprefix('val_')} at the last epoch: {ends}."
        figures.append(Figure(caption, charts, folded=place >= OPEN_FOLDS))
    made = [name for name, run in runs if not run.histories]
    said = [f"{', '.join(made)}: made of other runs, so there are no curves."] if made else []
    return [Section("curves", "Curves", said, figures)]


def _means(runs: Named, name: str) -> list[Line]:
    """Of each run the mean of its folds, over the epochs that all of them have come to."""
    lines = []
    for run, record in runs:
        known = [history.set_index("epoch")[name] for history in record.histories.values() if name in history]
        if known:
            mean = pd.concat(known, axis=1, join="inner").astype(np.float64).mean(axis=1)
            lines.append(Line(run, mean.index.to_numpy(np.float64), mean.to_numpy(np.float64)))
    return lines


def _lines(histories: Sequence[tuple[str, pd.DataFrame]], name: str) -> list[Line]:
    return [
        Line(run, column(history, "epoch"), column(history, name))
        for run, history in histories
        if name in history
    ]


def _charts(title: str, name: str, lines: Sequence[Line]) -> list[Markup]:
    """As many charts as it takes for lines to be told apart."""
    parts = [lines[start : start + MAX_LINES] for start in range(0, len(lines), MAX_LINES)]
    return [line_chart(title, part, log=name == "val_loss", y_label=name) for part in parts]
