"""A run made of others by stacking: its out-of-fold predictions are the level-2 models' own, so runs of it nest."""

from collections.abc import Sequence
from typing import Any

from compkit.derived.ensemble import compare_with_members, write_predictions
from compkit.engine import Console
from compkit.ensemble import (
    Aligned,
    Member,
    Stacked,
    align,
    check_metric,
    choose_test_features,
    describe_columns,
    read_columns,
    stack,
)
from compkit.ensemble.stackers import Stacker
from compkit.results import score
from compkit.run.outcome import ImageOf, conclude, derive_plan, fold_scores, open_derived
from compkit.run.plan import Plan


def stack_runs(
    plan: Plan,
    members: Sequence[Member],
    stacker: Stacker,
    columns: Sequence[str],
    test_features: str,
    name: str | None,
    settings: dict[str, Any],
    resamples: int,
    seed: int,
    image_of: ImageOf,
) -> dict[str, Any]:
    """Stack runs and conclude as any run does.

    Args:
        plan: of one of the runs.
        members: the runs, see read_members.
        stacker: how to learn.
        columns: of the competition's tables, as further inputs.
        test_features: auto, per_fold or mean, see choose_test_features.
        name: of the new run; None is stack_<stacker>.
        settings: of the stacker, for config.yaml.
        resamples: draws of the bootstrap; 0 for none.
        seed: of the level-2 models, of the bootstrap, and of the division of rows where runs have one fold only.
        image_of: the picture of an id, for the report.

    Returns:
        what metrics.json holds: `pooled` is the score of the nested predictions; beside it `in_sample`, `members`
        and `gain` over the best of them.

    Raises:
        ValueError: runs that do not belong together, a metric without a value, a name that is taken; see stack.
    """
    aligned = align(members)
    check_metric(aligned, plan.metric)
    chosen = choose_test_features(test_features, aligned)
    made = {
        "by": "stack",
        "runs": [str(one.folder) for one in members],
        "stacker": settings,
        "columns": list(columns),
        "test_features": chosen,
        "seed": seed,
    }
    new = derive_plan(plan, name or f"stack_{stacker.name}", made)
    table = read_columns(plan.competition, columns, aligned.ids, aligned.test_ids, plan.limit)
    with Console() as console:
        console.say(describe(aligned, stacker, chosen))
        if columns:
            console.say(f"columns: {describe_columns(table)}")
        stacked = stack(aligned, stacker, table, chosen, seed, console.say)
        open_derived(new, aligned.folds, console)
        write_predictions(new, aligned, stacked.nested, stacked.test, stacked.test_of_folds)
        say_scores(new, aligned, stacked, console)
        about = {"in_sample": score(aligned.targets, stacked.in_sample, plan.metrics)}
        about |= compare_with_members(new, aligned, stacked.nested, resamples, seed, console)
        return conclude(new, fold_scores(new), aligned.fold_hash, image_of, console, about)


def describe(aligned: Aligned, stacker: Stacker, test_features: str) -> str:
    """What is about to be fitted on what."""
    test = {
        "per_fold": "test set: the level-2 model without fold k gets the predictions of fold k's models (per_fold)",
        "mean": "test set: each level-2 model gets the runs' mean test predictions (mean)",
    }[test_features]
    return (
        f"stacker={stacker.name} on {len(aligned.names)} runs x {len(aligned.classes)} outputs, "
        f"{len(aligned.ids)} out-of-fold rows\n" + (test if aligned.test is not None else "no test set")
    )


def say_scores(plan: Plan, aligned: Aligned, stacked: Stacked, console: Console) -> None:
    """The runs, and the stack below them."""
    values = {
        **dict(zip(aligned.names, aligned.oof, strict=True)),
        f"{plan.name}, learned on the same rows (in sample)": stacked.in_sample,
        f"{plan.name}, learned on the other rows (nested)": stacked.nested,
    }
    lines = [[name, f"{plan.metric(aligned.targets, one):.5f}"] for name, one in values.items()]
    console.table(f"{plan.name} and its runs", ["run", plan.metric.name], lines)
