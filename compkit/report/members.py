"""The chapter about the runs that a blend, a stack or a soup is made of."""

import numpy as np

from compkit.report.records import RunRecord
from compkit.report.section import Number, Section, Table, number


def members(run: RunRecord) -> list[Section]:
    """Their scores and weights, and what was gained over the best of them; no section for other runs."""
    of_members = run.metrics.get("members")
    if not of_members:
        return []
    metric, weights = run.metrics["metric"], run.metrics.get("weights", {})
    rows: list[list[object]] = [
        [name, Number(_float(scores[metric])), *([Number(_mean(weights[name]))] if weights else [])]
        for name, scores in of_members.items()
    ]
    in_sample = run.metrics.get("in_sample")
    summary = [(run.folder.resolve().name, run.metrics["pooled"])]
    if in_sample:
        summary.append(("the same, learned on the very rows it is scored on (in sample)", in_sample))
    rows += [[name, Number(_float(scores[metric])), *([""] if weights else [])] for name, scores in summary]
    sentences = ["All scores are of the same out-of-fold rows."]
    if gain := run.metrics.get("gain"):
        value, low, high = (number(gain[key]) for key in ("value", "low", "high"))
        sentences.append(
            f"Gain over {gain['over']}: {value}; 95 % of {gain['resamples']} resamples lie from {low} to {high}."
        )
    columns = ["run", metric, *(["weight"] if weights else [])]
    table = Table("Scores of the runs it is made of", columns, rows, summary_rows=len(summary))
    return [Section("members", "Made of", sentences, tables=[table])]


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(weight: float | dict[str, float]) -> float:
    """The weight of a run, or the mean of those it has for each class."""
    return float(np.mean([*weight.values()])) if isinstance(weight, dict) else weight
