"""The numbers at the top of a run's page."""

from collections.abc import Sequence

import numpy as np

from compkit.diagnosis import chance_score, labels_of
from compkit.findings import Finding
from compkit.report.analysis import baseline
from compkit.report.checks import light
from compkit.report.records import RunRecord
from compkit.report.section import Card, duration, number
from compkit.results import last_scores


def verdict(run: RunRecord, findings: Sequence[Finding]) -> list[Card]:
    """The numbers to know first, and whether checks found anything wrong."""
    checks = [] if run.is_derived and not findings else [light(findings)]
    if not run.metrics:
        epochs = sum(len(history) for history in run.histories.values())
        if run.full_data:
            about = f"none is left to validate on; {epochs} epochs so far"
            return [*checks, Card("No score", "all rows trained", about)]
        return [*checks, Card("Unfinished", f"{epochs} epochs", "of all folds together, so far")]
    cards = [*checks, *_scores(run)]
    return [*cards, *_training(run)] if is_trained(run) else cards


def is_trained(run: RunRecord) -> bool:
    """Whether the run's folds were trained in it, rather than made of other runs'."""
    return all("best_epoch" in fold for fold in run.metrics["folds"])


def value_of(values: dict[str, float | None], name: str) -> float:
    """A score, NaN where it could not be computed."""
    value = values.get(name)
    return float("nan") if value is None else value


def _scores(run: RunRecord) -> list[Card]:
    metrics, metric, folds = run.metrics, run.metrics["metric"], run.metrics["folds"]
    mean, std = metrics["mean"][metric], metrics["std"].get(metric)
    several = len(folds) > 1
    better = "higher" if metrics["greater_is_better"] else "lower"
    spread = f"± standard deviation of {len(folds)} folds" if several else "one fold: no spread is known"
    cards = [
        Card(
            f"{metric}, mean of folds",
            number(mean) + (f" ± {number(std)}" if several else ""),
            f"{spread}; {better} is better",
        ),
        Card(f"{metric}, pooled", number(metrics["pooled"].get(metric)), "all out-of-fold images at once"),
    ]
    if "scores_of" in metrics:
        cards.append(Card("Scores of", metrics["scores_of"], "the same settings; this run saw every row"))
    if run.oof is not None and len(run.oof.ids) and (constant := _baseline(run)):
        cards.append(Card("Without looking", number(constant[0]), f"{metric} of {constant[1]}"))
    return cards


def _training(run: RunRecord) -> list[Card]:
    folds, metric = run.metrics["folds"], run.metrics["metric"]
    last = float(np.mean([value_of(last_scores(fold), metric) for fold in folds]))
    speed = np.mean([fold["images_per_second"] for fold in folds])
    cards = [
        Card(
            "Best epochs",
            ", ".join(str(fold["best_epoch"]) for fold in folds),
            f"chosen on the fold itself; at the last epoch {number(last)}",
        ),
        Card(
            "Training time",
            duration(sum(fold["seconds"] for fold in folds)),
            f"all folds together; {speed:,.0f} img/s",
        ),
    ]
    if peaks := [fold["peak_memory_gib"] for fold in folds if fold.get("peak_memory_gib")]:
        device = (run.environment.get("hardware") or {}).get("device", "device")
        cards.append(Card("Memory", f"{max(peaks):.2f} GiB", f"at most, of the process on the {device}"))
    return cards


def _baseline(run: RunRecord) -> tuple[float, str] | None:
    """The score of an answer that looks at no picture, and which that is; None where it is not known."""
    metric = run.metrics["metric"]
    given = (run.metrics.get("baseline") or {}).get(metric)
    if given is not None:
        return given, "always the same answer"
    assert run.oof is not None
    oof = run.oof
    known = baseline(metric, oof.task, oof.targets)
    if known is not None:
        return known
    chance = chance_score(metric, labels_of(oof.task, oof.targets, len(oof.classes)))
    return None if chance is None else (chance, "the best answer that looks at no picture")
