"""Several runs of one split on one page: scores, differences and how sure they are, curves, settings."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compkit.files import write_text
from compkit.report.changes import leaves, read_settings, setting_counts
from compkit.report.comparison_curves import curves_section
from compkit.report.gains import Rows, fold_gain, row_gain, scores_of_folds
from compkit.report.intervals import Paired
from compkit.report.page import render, require_own_page
from compkit.report.records import RunRecord, read_run
from compkit.report.section import Card, Figure, Number, Right, Section, Table, duration, number
from compkit.report.strips import Interval, interval_chart
from compkit.report.verdict import value_of

MOST_NAME = 80  # characters of the runs' names in a file's


class Compared(NamedTuple):
    """A run under the name it has on the page."""

    name: str
    run: RunRecord


def write_comparison(folders: Sequence[Path], html: Path | None) -> Path:
    """Write a page that holds runs against the first of them.

    Args:
        folders: of two or more finished runs with the same split and metric.
        html: the page; None is comparison_<names>.html beside the first run.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: a folder is not there.
        ValueError: fewer than two runs, one without scores, another split or metric, or `html` is somebody's file.
    """
    compared = read_compared(folders)
    path = html or compared[0].run.folder.resolve().parent / file_name([one.name for one in compared])
    require_own_page(path, "comparison")
    title = f"{', '.join(one.name for one in compared)} / comparison"
    sections = [
        scores_section(compared),
        differences_section(compared),
        *curves_section([(one.name, one.run) for one in compared]),
        settings_section(compared),
    ]
    write_text(path, render(title, _cards(compared), sections, []))
    return path


def read_compared(folders: Sequence[Path]) -> list[Compared]:
    """The runs, checked to be comparable; runs of one name are told apart by their parent folder.

    Raises:
        FileNotFoundError, ValueError: as `write_comparison`.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ValueError(
            f"runs={list(map(str, folders))}: expected at least two different runs. Set "
            "runs=[outputs/digits/a,outputs/digits/b], the one to compare with first."
        )
    runs = [read_run(folder) for folder in folders]
    for run in runs:
        if not run.metrics:
            raise ValueError(
                f"{run.folder}: has no scores to compare. Let it finish, or leave it out of runs."
            )
        for key, what in (("metric", "metric"), ("fold_hash", "split")):
            own, first = run.metrics[key], runs[0].metrics[key]
            if own != first:
                raise ValueError(
                    f"{run.folder}: its {what} is {own}, that of {runs[0].folder} is {first}; scores of different "
                    f"{what}s cannot be compared. Leave it out of runs, or train it with the same folds and metric."
                )
    names = [run.folder.resolve().name for run in runs]
    longer = [f"{run.folder.resolve().parent.name}/{run.folder.resolve().name}" for run in runs]
    return [
        Compared(*pair) for pair in zip(names if len(set(names)) == len(names) else longer, runs, strict=True)
    ]


def file_name(names: Sequence[str]) -> str:
    """Of the page, by its runs; cut where it gets too long.

    >>> file_name(["a", "b"])
    'comparison_a_b.html'
    """
    joined = "_".join(names).replace("/", "-")
    if len(joined) > MOST_NAME:
        joined = f"{joined[:MOST_NAME]}-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"
    return f"comparison_{joined}.html"


def scores_section(compared: Sequence[Compared]) -> Section:
    """Score of each run in each fold, mean, spread, pooled, time."""
    metric = compared[0].run.metrics["metric"]
    better = "higher" if compared[0].run.metrics["greater_is_better"] else "lower"
    folds = sorted({fold for one in compared for fold in scores_of_folds(one.run)})
    rows: list[list[object]] = []
    for one in compared:
        metrics, scores = one.run.metrics, scores_of_folds(one.run)
        seconds = [fold["seconds"] for fold in metrics["folds"] if "seconds" in fold]
        rows.append(
            [
                one.name,
                *(Number(scores.get(fold, float("nan"))) for fold in folds),
                Number(value_of(metrics["mean"], metric)),
                Number(value_of(metrics["std"], metric)),
                Number(value_of(metrics["pooled"], metric)),
                Right(duration(sum(seconds)) if seconds else ""),
            ]
        )
    columns = ["run", *(f"fold {fold}" for fold in folds), "mean", "std", "pooled", "time"]
    sentence = (
        f"{metric}, {better} is better; all runs have the split {compared[0].run.metrics['fold_hash'][:12]}."
    )
    return Section("scores", "Scores", [sentence], tables=[Table("Scores of each run", columns, rows)])


def differences_section(compared: Sequence[Compared]) -> Section:
    """Gains over the first run: by folds, and by the loss of each out-of-fold row."""
    first = compared[0]
    rows: list[list[object]] = []
    intervals = []
    for one in compared[1:]:
        gain, of_rows = fold_gain(first.run, one.run), row_gain(first.run.oof, one.run.oof)
        rows.append([one.name, *_paired_cells(gain), *_row_cells(of_rows)])
        if gain.pairs > 1:
            intervals.append(Interval(one.name, gain.mean, gain.low, gain.high))
    columns = [
        "run",
        "gain",
        "95 % interval of folds",
        "beyond 2 SE",
        "gain in loss a row",
        "95 % interval of rows",
    ]
    columns += ["mended", "broken"]
    sentences = [
        f"Gains over {first.name}; above 0 is better, whatever the metric's direction. By folds: the mean of their "
        "differences, its interval by Student's t, and whether it lies beyond two standard errors (SE); with few folds "
        "the interval is the stricter of the two.",
        "By rows: the difference of each out-of-fold row's loss, which is surer as there are more rows than folds, but "
        f"knows nothing of how trainings differ by chance. Mended and broken: rows that only {first.name} calls wrong, "
        "and rows that only the other run does.",
    ]
    figures = []
    if intervals:
        chart = interval_chart(
            f"Gains over {first.name}", intervals, f"gain in {first.run.metrics['metric']}"
        )
        figures = [
            Figure("Gain by folds with its 95 % interval; right of the dashed line is better.", [chart])
        ]
    return Section(
        "differences", "Differences", sentences, figures, [Table(f"Gains over {first.name}", columns, rows)]
    )


def settings_section(compared: Sequence[Compared]) -> Section:
    """Every setting that is not the same in all runs."""
    trees = [
        dict(leaves(found.config)) if (found := read_settings(one.run.folder)) else {} for one in compared
    ]
    keys = [
        key
        for key in dict.fromkeys(key for tree in trees for key in tree)
        if setting_counts(key) and len({str(tree.get(key)) for tree in trees}) > 1
    ]
    rows = [[key, *(str(tree.get(key, "not there")) for tree in trees)] for key in keys]
    table = Table("Settings that differ", ["setting", *(one.name for one in compared)], rows)
    sentences = [] if rows else ["All settings are the same."]
    return Section("settings", "Settings", sentences, tables=[table] if rows else [])


def _cards(compared: Sequence[Compared]) -> list[Card]:
    metrics = compared[0].run.metrics
    sign, metric = (1 if metrics["greater_is_better"] else -1), metrics["metric"]
    best = max(
        compared,
        key=lambda one: np.nan_to_num(sign * value_of(one.run.metrics["pooled"], metric), nan=-np.inf),
    )
    cards = [
        Card("Runs", str(len(compared)), f"held against {compared[0].name}"),
        Card(f"Best {metric}, pooled", number(best.run.metrics["pooled"].get(metric)), best.name),
    ]
    gains = {one.name: fold_gain(compared[0].run, one.run) for one in compared[1:]}
    apart = [
        f"{name} ({'better' if gain.mean > 0 else 'worse'})" for name, gain in gains.items() if gain.is_beyond
    ]
    return [
        *cards,
        Card("Beyond two SE", str(len(apart)), ", ".join(apart) or "none can be told apart by its folds"),
    ]


def _paired_cells(gain: Paired) -> list[object]:
    interval = "one fold" if gain.pairs < 2 else f"{number(gain.low)} to {number(gain.high)}"
    told = ("better ▲" if gain.mean > 0 else "worse ▼") if gain.is_beyond else "no"
    return [Number(gain.mean), Right(interval), told]


def _row_cells(rows: Rows | None) -> list[object]:
    if rows is None:
        return [Right("n/a"), Right(""), Right(""), Right("")]
    interval = f"{number(rows.gain.low)} to {number(rows.gain.high)}"
    return [Number(rows.gain.mean), Right(interval), rows.mended, rows.broken]
