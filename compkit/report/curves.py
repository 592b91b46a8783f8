"""The chapter about the training: loss, score and learning rate, epoch by epoch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from compkit.report.plots import MAX_LINES, Line, line_chart
from compkit.report.records import RunRecord
from compkit.report.section import Figure, Section, number
from compkit.report.strips import stacked, strip

MAX_TERMS = 3  # lines in a chart of terms; their names are long
OPEN_FOLDS = 3  # folds whose charts are seen at once; further ones are opened by a click
NAMES = {"train": "training", "clean": "training, unaugmented", "val": "validation"}
AVERAGES = ("ema", "swa")


def curves(run: RunRecord) -> list[Section]:
    """Loss, its terms, metric and learning rate of each fold; nothing for a run that trains none."""
    if run.is_derived and not run.histories:
        return []
    if not run.histories:
        return [Section("curves", "Curves", ["No epoch has ended in this folder, so there are no curves."])]
    best = {fold["fold"]: fold.get("best_epoch") for fold in run.metrics.get("folds", [])}
    figures = [
        _fold_curves(run, fold, history, best.get(fold), folded=place >= OPEN_FOLDS)
        for place, (fold, history) in enumerate(run.histories.items())
    ]
    return [Section("curves", "Curves", _sentences(run), [*_all_folds(run), *figures])]


def main_score(run: RunRecord, history: pd.DataFrame) -> str:
    """Name of the metric that chooses the epoch; of an unfinished run its first one, "" without any."""
    scores = [str(name)[4:] for name in history if str(name).startswith("val_") and name != "val_loss"]
    metric = str(run.metrics.get("metric"))
    return metric if metric in scores else next(iter(scores), "")


def column(history: pd.DataFrame, name: str) -> np.ndarray:
    """A column of history.csv, float64 [E]; what is no number is NaN."""
    return pd.to_numeric(history[name], errors="coerce").to_numpy(np.float64)


def _sentences(run: RunRecord) -> list[str]:
    has_clean = any("clean_loss" in history for history in run.histories.values())
    train = "unaugmented training pictures" if has_clean else "the training loss, of augmented pictures"
    shaded = f"The shaded room between training and validation is the gap: {train} against validation."
    first = next(iter(run.histories.values()))
    others = [name for name in first if str(name).startswith("val_")]
    rest = len(others) - 1 - bool(main_score(run, first))
    return [shaded] + [f"{rest} further metrics are in history.csv of each fold."] * (rest > 0)


def _all_folds(run: RunRecord) -> list[Figure]:
    """The score of every fold in one chart; nothing of a single fold."""
    if len(run.histories) < 2:
        return []
    metric = main_score(run, next(iter(run.histories.values())))
    name = f"val_{metric}" if metric else "val_loss"
    known = {fold: history for fold, history in run.histories.items() if name in history}
    if not known:
        return []
    few = len(known) <= MAX_LINES
    lines = [
        Line(f"fold {fold}", column(history, "epoch"), column(history, name), faint=not few)
        for fold, history in known.items()
    ]
    if not few:
        lines.append(_mean(list(known.values()), name))
    ends = [line.y[-1] for line in lines if few or line.faint]
    caption = (
        f"{name.removeprefix('val_')} of {len(known)} folds; at their last epochs from {number(min(ends))} to "
        f"{number(max(ends))}" + ("." if few else "; the thin lines are folds, the thick one is their mean.")
    )
    return [Figure(caption, [line_chart(f"All folds: {name}", lines, log=name == "val_loss")])]


def _mean(histories: Sequence[pd.DataFrame], name: str) -> Line:
    """The mean over the folds that have come to an epoch."""
    joined = pd.concat([history[["epoch", name]] for history in histories]).groupby("epoch")[name].mean()
    return Line("mean of folds", joined.index.to_numpy(np.float64), joined.to_numpy(np.float64))


def _fold_curves(run: RunRecord, fold: int, history: pd.DataFrame, best: int | None, folded: bool) -> Figure:
    metric = main_score(run, history)
    losses = _lines(history, "loss", ["train", "clean", "val"])
    scores = _lines(history, metric, ["clean", "val"]) if metric else []
    terms = [str(name) for name in history if str(name).startswith("train_") and name != "train_loss"]
    charts: list[Markup] = []
    if losses:
        charts.append(line_chart(f"Fold {fold}: losses", losses, mark=best, log=True, band=_gap(losses)))
    if scores:
        charts.append(line_chart(f"Fold {fold}: {metric}", scores, mark=best, band=_gap(scores)))
    if "lr" in history and charts:
        rate = Line("learning rate", column(history, "epoch"), column(history, "lr"))
        charts[0] = stacked([charts[0], strip(f"Fold {fold}: learning rate", rate, best)])
    charts += [
        line_chart(
            f"Fold {fold}: terms",
            [Line(name[6:], column(history, "epoch"), column(history, name)) for name in some],
            mark=best,
            log=True,
        )
        for some in (terms[start : start + MAX_TERMS] for start in range(0, len(terms), MAX_TERMS))
    ]
    told = [f"{line.name}, {_ends(line)}" for line in [*losses, *scores]]
    words = f"Fold {fold}, {len(history)} epochs: " + "; ".join(told)
    if (pair := _gap(losses)) is not None:
        words += f"; gap at the end {number(losses[pair[1]].y[-1] - losses[pair[0]].y[-1])}"
    return Figure(words + (f"; best epoch {best}." if best is not None else "."), charts, folded)


def _lines(history: pd.DataFrame, name: str, sources: Sequence[str]) -> list[Line]:
    """Curves of a loss or a score: of each source that history.csv has, and of averaged weights."""
    columns = {f"{source}_{name}": f"{name}, {NAMES[source]}" for source in sources}
    columns |= {f"{average}_val_{name}": f"{name}, {average} weights" for average in AVERAGES}
    epochs = column(history, "epoch")
    return [Line(about, epochs, column(history, key)) for key, about in columns.items() if key in history]


def _gap(lines: Sequence[Line]) -> tuple[int, int] | None:
    """Positions of the least biased training curve and of the validation's; None where one is missing."""
    place = {line.name.partition(", ")[2]: at for at, line in enumerate(lines)}
    train = place.get(NAMES["clean"], place.get(NAMES["train"]))
    valid = place.get(NAMES["val"])
    return None if train is None or valid is None else (train, valid)


def _ends(line: Line) -> str:
    return f"from {number(line.y[0])} to {number(line.y[-1])}"
