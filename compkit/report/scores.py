"""The chapters about scores and folds."""

import numpy as np

from compkit.report.records import RunRecord
from compkit.report.section import Number, Section, Table, duration
from compkit.report.verdict import is_trained, value_of
from compkit.results import last_scores


def fold_scores(run: RunRecord) -> Section:
    """A row a fold, then their mean, deviation and the pooled score."""
    if not run.metrics:
        unfinished = "The run has not finished, so there is no score yet."
        trains_on_all = "The run trains on all rows, so there is no score."
        return Section("scores", "Scores", [trains_on_all if run.full_data else unfinished])
    metrics, main = run.metrics, run.metrics["metric"]
    others = [name for name in metrics["mean"] if name != main]
    trained = is_trained(run)
    columns = ["fold", "val images", main, *others]
    if trained:
        of_images = ", of images" if any("last_per_picture" in fold for fold in metrics["folds"]) else ""
        columns += [f"{main} at last{of_images}", "best epoch", "train images", "time", "img/s"]
    rows: list[list[object]] = []
    for fold in metrics["folds"]:
        row: list[object] = [str(fold["fold"]), fold["val_rows"]]
        row += [Number(value_of(fold["best"], name)) for name in (main, *others)]
        if trained:
            row += [Number(value_of(last_scores(fold), main)), fold["best_epoch"], fold["train_rows"]]
            row += [duration(fold["seconds"]), round(fold["images_per_second"])]
        rows.append(row)
    last = [value_of(last_scores(fold), main) for fold in metrics["folds"]] if trained else []
    summary: list[tuple[str, dict[str, float | None], object]] = [("pooled", metrics["pooled"], "")]
    if len(metrics["folds"]) > 1:
        at_last = (Number(np.mean(last)), Number(np.std(last))) if trained else ("", "")
        deviation = ("standard deviation", metrics["std"], at_last[1])
        summary = [("mean", metrics["mean"], at_last[0]), deviation, *summary]
    for title, values, of_last in summary:
        scores = [Number(value_of(values, name)) for name in (main, *others)]
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


def folds(run: RunRecord) -> Section:
    """How many images and groups each fold validates."""
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
    known = run.metrics.get("fold_hash", "not known")
    sentences = [f"Fold hash {known}: only runs that share it may be compared."]
    return Section("folds", "Folds", sentences, tables=[Table("Images each fold validates", columns, rows)])
