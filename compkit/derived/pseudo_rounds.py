"""Rounds of pseudo-labels: the models of a run label pictures, the next round's models learn from them, and so on."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compkit.derived.pseudo_labeller import Labeller, describe_kept, describe_labels, nothing_sure
from compkit.derived.pseudo_teachers import check_teacher
from compkit.engine import Console
from compkit.files import atomic_path, write_text
from compkit.pipeline import run
from compkit.results import read_scores
from compkit.run.folder import check_name, json_text
from compkit.run.outcome import derive_plan
from compkit.run.plan import Plan
from compkit.semi import RoundSettings, Selection, best_round, gains, has_stalled

PlanAgain = Callable[[str, dict[str, Any]], Plan]  # the plan of a new run, by its name and what changes
COLUMNS = ("round", "run", "pictures", "kept", "expected accuracy", "true accuracy")


def pseudo_rounds(
    parent: Plan,
    plan_again: PlanAgain,
    load: Callable[[Path], Plan],
    settings: RoundSettings,
    selection: Selection,
    unlabelled: str = "test",
    name: str | None = None,
    resume: bool = False,
) -> list[dict[str, Any]]:
    """Train the rounds, each a run of its own with the settings of the run they start from.

    The model of fold k learns from labels of the earlier models of fold k alone, for pictures that those have not
    learnt from; see `label_round` and `teachers_of_rounds`.

    Args:
        parent: the run on disk whose models label first: round 0.
        plan_again: makes the plan of a round's run.
        load: the plan of a run on disk, for predicting.
        settings: rounds, parts, thresholds, stopping.
        selection: which predictions become labels, and which kind.
        unlabelled: `test`, or a folder of pictures.
        name: the runs are <name>_1, <name>_2, …; None is <parent>_pseudo.
        resume: go on with rounds of that name.

    Returns:
        what <name>_rounds.json holds: an entry a round, 0 the run they start from.

    Raises:
        ValueError, FileNotFoundError: a run that cannot teach, names that are taken, nothing to label, settings that do
            not suit the task, or nothing sure enough in the first round.
    """
    selection.check_task(parent.competition.task)
    settings.thresholds(parent.competition.task)
    check_teacher(parent)
    name = name or f"{parent.name}_pseudo"
    runs = [f"{name}_{number}" for number in range(1, settings.rounds + 1)]
    for one in runs:
        check_name(one, parent.folder.parent / one, resume)
    base = parent.folder.parent / name
    metric = parent.metric
    with Console() as console:
        labeller = Labeller(parent, settings, selection, unlabelled, resume, console)
        entries: list[dict[str, Any]] = [{"round": 0, "run": parent.name, "score": pooled_score(parent)}]
        for number, title in enumerate(runs, start=1):
            labels = base.parent / "pseudo_labels" / f"{title}.parquet"
            about = labeller.label(number, labels)
            if message := nothing_sure(about):
                if number == 1:
                    raise ValueError(message)
                console.warn(f"{message} The rounds end here.")
                break
            changes = {"pseudo_labels": os.path.abspath(labels), "resume": resume}
            made = {"by": "pseudo_label", **about["made_with"]}
            plan = derive_plan(plan_again(title, changes), title, made)
            console.say(f"{title} learns {describe_labels(about)}")
            run(plan)
            labeller.teachers.plans.append(load(plan.folder))
            scores = [*(one["score"] for one in entries), pooled_score(plan)]
            gain = gains(scores, metric.greater_is_better)[-1]
            entries.append({"round": number, "run": title, "score": scores[-1], "gain": gain, **about})
            write_rounds(entries, base, plan.folder)
            if has_stalled(scores, metric.greater_is_better, settings.min_gain, settings.patience):
                console.say(
                    f"no gain above {settings.min_gain:g} in the last {settings.patience} round(s): the rounds end here"
                )
                break
        tell_rounds(entries, base, metric.name, metric.greater_is_better, console)
    return entries


def pooled_score(plan: Plan) -> float:
    """The score of all out-of-fold rows of a finished run."""
    return float(read_scores(plan.folder / "metrics.json")["pooled"][plan.metric.name])


def write_rounds(entries: Sequence[dict[str, Any]], base: Path, last: Path) -> None:
    """<name>_rounds.json beside the rounds, and rounds.csv in the last one's folder."""
    write_text(base.with_name(f"{base.name}_rounds.json"), json_text(list(entries)))
    with atomic_path(last / "rounds.csv") as temporary:
        pd.DataFrame(_cells(entries)).to_csv(temporary, index=False)


def tell_rounds(
    entries: Sequence[dict[str, Any]], base: Path, metric: str, greater_is_better: bool, console: Console
) -> None:
    """The table of the rounds, and which is the best."""
    rows = [[_text(value) for value in row.values()] for row in _cells(entries)]
    console.table(f"{base.name}: rounds of pseudo-labels", (*COLUMNS, f"OOF {metric}", "gain"), rows)
    best = entries[best_round([one["score"] for one in entries], greater_is_better)]
    if best["round"] == 0:
        console.say(
            f"no round is better than {best['run']} itself: keep that. A higher threshold, or a better run to start "
            "from, makes better labels."
        )
    else:
        console.say(f"the best is round {best['round']}, {base.with_name(best['run'])}: keep that one")


def _cells(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a round, for the table and the CSV."""
    return [
        {
            "round": one["round"],
            "run": one["run"],
            "pictures": one.get("pictures", ""),
            "kept": describe_kept(one["kept"]) if "kept" in one else "",
            "expected_accuracy": one.get("expected_accuracy", np.nan),
            "true_accuracy": one.get("true_accuracy", np.nan),
            "score": one["score"],
            "gain": one.get("gain", np.nan),
        }
        for one in entries
    ]


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.5f}"
