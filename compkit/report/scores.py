"""The chapters about scores: verdict, table of folds, curves, the folds themselves, how to repeat."""

import json
import shlex
from typing import Any

import numpy as np
import pandas as pd

from compkit.report.analysis import baseline
from compkit.report.plots import Line, line_chart
from compkit.report.records import RunRecord
from compkit.report.section import Card, Figure, Listing, Number, Section, Table, duration, number
from compkit.results import last_scores
from compkit.types import Task

MAX_TERMS = 3  # lines in one chart; the names of more would not fit above it
MAX_LISTING = 100_000  # characters of a text shown


def verdict(run: RunRecord) -> list[Card]:
    """The numbers to know first."""
    if not run.metrics:
        epochs = sum(len(history) for history in run.histories.values())
        if run.full_data:
            return [
                Card("No score", "all rows trained", f"none is left to validate on; {epochs} epochs so far")
            ]
        return [Card("Unfinished", f"{epochs} epochs", "of all folds together, so far")]
    metrics, metric, folds = run.metrics, run.metrics["metric"], run.metrics["folds"]
    mean, std = metrics["mean"][metric], metrics["std"].get(metric)
    several = len(folds) > 1
    better = "higher" if metrics["greater_is_better"] else "lower"
    cards = [
        Card(
            f"{metric}, mean of folds",
            number(mean) + (f" ± {number(std)}" if several else ""),
            f"± standard deviation of {len(folds)} folds" if several else "one fold: no spread is known",
        ),
        Card(f"{metric}, pooled", number(metrics["pooled"].get(metric)), "all out-of-fold images at once"),
    ]
    if "scores_of" in metrics:
        cards.append(Card("Scores of", metrics["scores_of"], "the same settings; this run saw every row"))
    if run.oof is not None and (constant := _baseline(run)):
        cards.append(Card("Without looking", number(constant[0]), f"{metric} of {constant[1]}"))
    if not _is_trained(run):
        return cards
    last = float(np.mean([_value(last_scores(fold), metric) for fold in folds]))
    return [
        *cards,
        Card(
            "Best epochs",
            ", ".join(str(fold["best_epoch"]) for fold in folds),
            f"chosen on the fold itself; at the last epoch {number(last)}",
        ),
        Card("Training time", duration(sum(fold["seconds"] for fold in folds)), "all folds together"),
        Card(
            "Speed",
            f"{np.mean([fold['images_per_second'] for fold in folds]):,.0f} img/s",
            f"mean of folds; {better} {metric} is better",
        ),
    ]


def _is_trained(run: RunRecord) -> bool:
    """Whether the run's folds were trained in it, rather than made of other runs'."""
    return all("best_epoch" in fold for fold in run.metrics["folds"])


def _baseline(run: RunRecord) -> tuple[float, str] | None:
    metric = run.metrics["metric"]
    given = (run.metrics.get("baseline") or {}).get(metric)
    if given is not None:
        return given, "always the same answer"
    assert run.oof is not None
    return baseline(metric, run.oof.task, run.oof.targets)


def fold_scores(run: RunRecord) -> Section:
    """A row a fold, then their mean, deviation and the pooled score."""
    if not run.metrics:
        unfinished = "The run has not finished, so there is no score yet."
        trains_on_all = "The run trains on all rows, so there is no score."
        return Section("scores", "Scores", [trains_on_all if run.full_data else unfinished])
    metrics, main = run.metrics, run.metrics["metric"]
    others = [name for name in metrics["mean"] if name != main]
    trained = _is_trained(run)
    columns = ["fold", "val images", main, *others]
    if trained:
        of_images = ", of images" if any("last_per_picture" in fold for fold in metrics["folds"]) else ""
        columns += [f"{main} at last{of_images}", "best epoch", "train images", "time", "img/s"]
    rows: list[list[object]] = []
    for fold in metrics["folds"]:
        row: list[object] = [str(fold["fold"]), fold["val_rows"]]
        row += [Number(_value(fold["best"], name)) for name in (main, *others)]
        if trained:
            row += [Number(_value(last_scores(fold), main)), fold["best_epoch"], fold["train_rows"]]
            row += [duration(fold["seconds"]), round(fold["images_per_second"])]
        rows.append(row)
    last = [_value(last_scores(fold), main) for fold in metrics["folds"]] if trained else []
    summary: list[tuple[str, dict[str, float | None], object]] = [("pooled", metrics["pooled"], "")]
    if len(metrics["folds"]) > 1:
        at_last = (Number(np.mean(last)), Number(np.std(last))) if trained else ("", "")
        deviation = ("standard deviation", metrics["std"], at_last[1])
        summary = [("mean", metrics["mean"], at_last[0]), deviation, *summary]
    for title, values, of_last in summary:
        scores = [Number(_value(values, name)) for name in (main, *others)]
        rows.append([title, "", *scores, *([of_last, "", "", "", ""] if trained else [])])
    better = "higher" if metrics["greater_is_better"] else "lower"
    sentences = [f"Selected by {main}; {better} is better."]
    if "scores_of" in metrics:
        sentences.append(
            f"These scores and out-of-fold predictions are those of the run {metrics['scores_of']}, whose settings "
            "this one repeats on all rows: its own models have seen every row, and nothing can score them."
        )
    if trained:
        sentences[0] += (
            " The best epoch is chosen on the fold it is scored on, which flatters it a little; "
            "the column of the last epoch is free of that choice."
        )
    table = Table(
        "Scores of each fold, all metrics at its best epoch" if trained else "Scores of each fold",
        columns,
        rows,
        summary_rows=len(summary),
    )
    return Section("scores", "Scores", sentences, tables=[table])


def _value(values: dict[str, float | None], name: str) -> float:
    value = values.get(name)
    return float("nan") if value is None else value


def curves(run: RunRecord) -> list[Section]:
    """Loss, its terms, metric and learning rate of each fold, epoch by epoch; nothing for a run that trains none."""
    if run.is_derived and not run.histories:
        return []
    best = {fold["fold"]: fold.get("best_epoch") for fold in run.metrics.get("folds", [])}
    figures = [_fold_curves(run, fold, history, best.get(fold)) for fold, history in run.histories.items()]
    none = [] if figures else ["No epoch has ended in this folder, so there are no curves."]
    return [Section("curves", "Curves", none, figures)]


def _fold_curves(run: RunRecord, fold: int, history: pd.DataFrame, best: int | None) -> Figure:
    scores = [str(name) for name in history if str(name).startswith("val_") and name != "val_loss"]
    main = f"val_{run.metrics.get('metric')}"
    main = main if main in scores else next(iter(scores), "")
    epochs = history["epoch"].to_numpy(np.float64)
    words = f"Fold {fold}, {len(history)} epochs"
    charts = []
    terms = [str(name) for name in history if str(name).startswith("train_") and name != "train_loss"]
    for title, names, prefix, log in (
        ("losses", ["train_loss", "val_loss"], "", True),
        *(
            ("terms", terms[start : start + MAX_TERMS], "train_", True)
            for start in range(0, len(terms), MAX_TERMS)
        ),
        ("metric", [main], "", False),
        ("learning rate", ["lr"], "", False),
    ):
        lines = [
            Line(name.removeprefix(prefix), epochs, history[name].to_numpy(np.float64))
            for name in names
            if name in history
        ]
        if lines:
            charts.append(line_chart(f"Fold {fold}: {title}", lines, mark=best, log=log))
            words += "".join(f", {line.name} {number(line.y[0])} to {number(line.y[-1])}" for line in lines)
    return Figure(words + (f"; best epoch {best}." if best is not None else "."), charts)


def folds(run: RunRecord) -> Section:
    """How many images, and of which class, each fold validates."""
    if run.folds is None:
        return Section("folds", "Folds", ["folds.csv is not there."])
    sizes = np.unique(run.folds["fold"].to_numpy(np.int64), return_counts=True)
    with_groups = "group" in run.folds and bool(run.folds["group"].notna().any())
    rows: list[list[object]] = []
    for fold, size in zip(*sizes, strict=True):
        row: list[object] = [str(fold) if fold >= 0 else "never validated", int(size)]
        if with_groups:
            row.append(int(run.folds.loc[run.folds["fold"] == fold, "group"].nunique()))
        rows.append(row)
    columns = ["fold", "images", *(["groups"] if with_groups else [])]
    tables = [Table("Images each fold validates", columns, rows)]
    sentences = [
        f"Fold hash {run.metrics.get('fold_hash', 'not known')}: only runs that share it may be compared."
    ]
    if run.oof is None:
        sentences.append("Targets by fold follow once out-of-fold predictions are there.")
    else:
        tables.append(_targets_by_fold(run))
    return Section("folds", "Folds", sentences, tables=tables)


def _targets_by_fold(run: RunRecord) -> Table:
    assert run.oof is not None
    oof, trained = run.oof, sorted(set(run.oof.fold.tolist()))
    headings = [f"fold {fold}" for fold in trained]
    rows: list[list[object]] = []
    for position, name in enumerate(oof.classes):
        row: list[object] = [name]
        for fold in trained:
            targets = oof.targets[oof.fold == fold]
            if oof.task == Task.REGRESSION:
                row.append(f"{number(targets[:, position].mean())} ± {number(targets[:, position].std())}")
            elif oof.task == Task.MULTICLASS:
                row.append(int((targets == position).sum()))
            else:
                row.append(int(targets[:, position].sum()))
        rows.append(row)
    if oof.task == Task.REGRESSION:
        return Table("Targets by fold, mean ± standard deviation", ["target", *headings], rows)
    return Table("Images of each class by fold", ["class", *headings], rows)


def reproduce(run: RunRecord) -> Section:
    """Command, environment and the whole configuration."""
    command = shlex.join(["python", run.environment.get("command", "train.py"), *run.overrides])
    values = _flat(run.environment)
    rows = [[name, value] for name, value in values if "\n" not in value]
    texts = [Listing(name, _short(value), folded=True) for name, value in values if "\n" in value]
    return Section(
        "reproduce",
        "Reproduce",
        tables=[Table("Environment", ["what", "value"], rows)] if rows else [],
        listings=[
            Listing("Command", command),
            Listing("Configuration, resolved (config.yaml)", _short(run.config), folded=True),
            *texts,
        ],
    )


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value if isinstance(value, str) else json.dumps(value)))
    return rows


def _short(text: str) -> str:
    left_out = len(text) - MAX_LISTING
    return text if left_out <= 0 else f"{text[:MAX_LISTING]}\n({left_out} more characters left out)"
