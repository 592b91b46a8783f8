"""A run made of others by blending: written like any run, so that it can be blended and stacked again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from compkit.engine import Console
from compkit.ensemble import (
    Aligned,
    Blended,
    Blending,
    Gain,
    Member,
    align,
    blend_runs,
    bootstrap_gain,
    check_metric,
    crossfit_parts,
)
from compkit.metrics import Metric
from compkit.results import prediction_frame, score
from compkit.run.outcome import ImageOf, conclude, derive_plan, fold_scores, open_derived, write_parquet
from compkit.run.plan import Plan
from compkit.types import Predictions


def ensemble_runs(
    plan: Plan,
    members: Sequence[Member],
    blending: Blending,
    name: str | None,
    metric: Metric | None,
    resamples: int,
    seed: int,
    image_of: ImageOf,
) -> dict[str, Any]:
    """Blend runs and conclude as any run does.

    Args:
        plan: of one of the runs.
        members: the runs, see read_members.
        blending: how.
        name: of the new run; None is ensemble_<method>.
        metric: that weights are to serve; None is the competition's.
        resamples: draws of the bootstrap; 0 for none.
        seed: of the bootstrap, and of the division of rows where runs have one fold only.
        image_of: the picture of an id, for the report.

    Returns:
        what metrics.json holds: `pooled` is the score of the nested predictions; beside it `in_sample` where weights
        were learned, `weights`, `weights_of_folds`, `members` and `gain` over the best of them.

    Raises:
        ValueError: runs that do not belong together, a blend that does not suit them, a name that is taken.
    """
    aligned = align(members)
    metric = metric or plan.metric
    for one in (plan.metric, metric):
        check_metric(aligned, one)
    blending.check(aligned, metric)
    made = {
        "by": "ensemble",
        "runs": [str(folder) for folder in aligned.folders],
        "method": blending.method,
        "weights": blending.weights,
        "per_class": blending.per_class,
        "top": blending.top,
        "max_rounds": blending.max_rounds,
        "metric": metric.name,
        "seed": seed,
    }
    new = derive_plan(plan, name or f"ensemble_{blending.method}", made)
    with Console() as console:
        console.say(
            f"method={blending.method} on {len(aligned.names)} runs x {len(aligned.classes)} outputs, "
            f"{len(aligned.ids)} out-of-fold rows, "
            + (f"{len(aligned.test_ids)} test rows" if aligned.test_ids is not None else "no test set")
        )
        if blending.method == "rank" and metric.kind != "probabilities":
            console.warn(
                f"method=rank: ranks are taken in each column by itself, while {metric.name} compares columns. Look "
                "whether method=mean scores better."
            )
        parts = crossfit_parts(aligned.fold, aligned.targets, aligned.groups, seed)
        blended = blend_runs(aligned, blending, metric, parts, console.say)
        open_derived(new, aligned.folds, console)
        write_predictions(new, aligned, blended.nested, blended.test, blended.test_of_folds)
        say_scores(new, aligned, blended, console)
        about = describe_weights(aligned, blended)
        about |= compare_with_members(new, aligned, blended.nested, resamples, seed, console)
        if blended.in_sample is not None:
            about["in_sample"] = score(aligned.targets, blended.in_sample, plan.metrics)
        return conclude(new, fold_scores(new), aligned.fold_hash, image_of, console, about)


def describe_weights(aligned: Aligned, blended: Blended) -> dict[str, Any]:
    """`weights` and `weights_of_folds` of metrics.json: by run, and by class within it where classes have their own."""

    def by_run(weights: np.ndarray) -> dict[str, Any]:
        rows = [
            dict(zip(aligned.classes, row, strict=True)) if isinstance(row, list) else row
            for row in weights.tolist()
        ]
        return dict(zip(aligned.names, rows, strict=True))

    of_parts = {str(part): by_run(weights) for part, weights in blended.weights_of_parts.items()}
    return {"weights": by_run(blended.weights)} | ({"weights_of_folds": of_parts} if of_parts else {})


def write_predictions(
    plan: Plan,
    aligned: Aligned,
    nested: np.ndarray,
    test: np.ndarray | None,
    test_of_folds: dict[int, np.ndarray],
) -> None:
    """oof.parquet, and where the runs have them, test.parquet and fold_K/test.parquet.

    Args:
        plan: of the new run.
        aligned: the runs that it is made of.
        nested: out-of-fold predictions, [N, C].
        test: [T, C], or None.
        test_of_folds: the same of each fold by itself, where these differ.
    """
    classes, folder = aligned.classes, plan.folder
    oof = Predictions(aligned.ids, nested.astype(np.float32))
    frame = prediction_frame(oof, aligned.fold, classes, aligned.table)
    if aligned.pictures is not None:
        frame.insert(1, "picture", aligned.pictures.astype(object))
    write_parquet(folder / "oof.parquet", frame)
    if test is None:
        return
    assert aligned.test_ids is not None
    for fold, values in [(-1, test), *test_of_folds.items()]:
        place = folder if fold == -1 else folder / f"fold_{fold}"
        place.mkdir(exist_ok=True)
        predictions = Predictions(aligned.test_ids, values.astype(np.float32))
        write_parquet(place / "test.parquet", prediction_frame(predictions, fold, classes))


def compare_with_members(
    plan: Plan, aligned: Aligned, nested: np.ndarray, resamples: int, seed: int, console: Console
) -> dict[str, Any]:
    """`members` of metrics.json, their scores, and `gain` over the best of them, which is told too.

    Args:
        plan: of the new run.
        aligned: the runs that it is made of.
        nested: its out-of-fold predictions, [N, C].
        resamples: draws of the bootstrap; 0 for none, and no gain.
        seed: of the bootstrap.
        console: where it is told.
    """
    scores = [score(aligned.targets, values, plan.metrics) for values in aligned.oof]
    about: dict[str, Any] = {"members": dict(zip(aligned.names, scores, strict=True))}
    if not resamples:
        return about
    sign = 1 if plan.metric.greater_is_better else -1
    best = int(np.argmax([sign * one[plan.metric.name] for one in scores]))
    console.say(f"bootstrap: {resamples} resamples of {len(aligned.ids)} rows")
    values = (aligned.targets, nested, aligned.oof[best], aligned.groups)
    gain = bootstrap_gain(plan.metric, *values, resamples, seed)
    say_gain(plan, aligned.names[best], gain, console)
    return about | {"gain": {"over": aligned.names[best], **gain.to_dict()}}


def say_scores(plan: Plan, aligned: Aligned, blended: Blended, console: Console) -> None:
    """The runs with their weights, and the blend below them."""
    metric, targets = plan.metric, aligned.targets
    weights = blended.weights if blended.weights.ndim == 1 else blended.weights.mean(axis=1)
    lines = [
        [name, f"{metric(targets, values):.5f}", f"{weight:.3f}"]
        for name, values, weight in zip(aligned.names, aligned.oof, weights, strict=True)
    ]
    if blended.in_sample is None:
        lines.append([plan.name, f"{metric(targets, blended.nested):.5f}", ""])
    else:
        lines.append(
            [
                f"{plan.name}, learned on the same rows (in sample)",
                f"{metric(targets, blended.in_sample):.5f}",
                "",
            ]
        )
        lines.append(
            [f"{plan.name}, learned on the other rows (nested)", f"{metric(targets, blended.nested):.5f}", ""]
        )
    heading = "weight" if blended.weights.ndim == 1 else "mean weight"
    console.table(f"{plan.name} and its runs", ["run", metric.name, heading], lines)


def say_gain(plan: Plan, best: str, gain: Gain, console: Console) -> None:
    """How much better than the best run, how sure that is, and a sentence if it is not."""
    console.say(
        f"gain over {best}: {gain.value:+.5f}, 95 % of {gain.resamples} resamples from {gain.low:+.5f} to "
        f"{gain.high:+.5f}" + (f"; {gain.undefined} had no value and are left out" if gain.undefined else "")
    )
    if gain.value <= 0:
        console.warn(
            f"{plan.name} is not better than {best} alone. Runs that err in other places help more: another network, "
            "size or augmentation."
        )
