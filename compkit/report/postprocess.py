"""The chapter about post-processing: what was learned on out-of-fold rows, and what it is worth."""

import json

from compkit.report.records import RunRecord
from compkit.report.section import Number, Section, Table

ABOUT = {
    "plain": "predictions as they are",
    "nested": "learned on the other rows (nested)",
    "in_sample": "learned on the same rows (in sample)",
}


def postprocess(run: RunRecord) -> list[Section]:
    """Scores with and without it, and the numbers learned; no section for a run that has none."""
    path = run.folder / "postprocess.json"
    if "postprocess" not in run.metrics:
        return []
    tuned = json.loads(path.read_text(encoding="utf-8"))
    better = "higher" if run.metrics["greater_is_better"] else "lower"
    sentences = [
        f"The submission is made by postprocess={tuned['method']}; {better} {tuned['metric']} is better. Only the "
        "nested score says what it is worth: the one in sample is of the rows it was fitted to. Scores elsewhere on "
        "this page are of the predictions as they are."
    ]
    scores: list[list[object]] = [[about, Number(_float(tuned[key]))] for key, about in ABOUT.items()]
    rows: list[list[object]] = []
    for one in tuned["numbers"]:
        of_parts = [value for value in one["parts"].values() if value is not None]
        rows.append([one["name"], *(Number(value) for value in (one["all"], min(of_parts), max(of_parts)))])
    tables = [
        Table("Out-of-fold scores", ["predictions", tuned["metric"]], scores),
        Table(
            "What was learned from all rows, and the least and the most without one part: a wide range is chance",
            ["of", "all rows", "least", "most"],
            rows,
        ),
    ]
    return [Section("postprocess", "Post-processing", sentences, tables=tables)]


def _float(value: float | None) -> float:
    return float("nan") if value is None else value
