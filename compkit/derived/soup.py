"""A run whose networks are averages of other runs' weights: one network to predict with instead of several."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compkit.derived.ensemble import say_gain
from compkit.derived.kitchen import Kitchen, Soup, find_ingredients
from compkit.engine import Console, Ranks, choose_device, choose_threads, read_metadata, save_weights
from compkit.ensemble import Aligned, Member, align, bootstrap_gain, greedy_soup
from compkit.files import write_text
from compkit.inference import first_rows
from compkit.ranges import one_of
from compkit.results import prediction_frame, score
from compkit.run.folder import json_text
from compkit.run.outcome import ImageOf, conclude, derive_plan, open_derived, write_parquet
from compkit.run.plan import Plan
from compkit.run.predict_table import join_folds, write_test
from compkit.run.prepare import prepare
from compkit.types import Predictions

METHODS = ("uniform", "greedy")


def soup_runs(
    plans: Sequence[Plan],
    members: Sequence[Member],
    method: str,
    kinds: Sequence[str] | None,
    name: str | None,
    resamples: int,
    seed: int,
    image_of: ImageOf,
) -> dict[str, Any]:
    """Average the weights of runs fold by fold, predict, and conclude as any run does.

    Which ingredients enter the network of a fold, and whether its batch norms are measured anew, is decided by the
    scores of the other folds, so that the rows of the fold stay unseen. With one fold it is decided on that one.

    Args:
        plans: of the runs, M.
        members: the same runs, see read_members.
        method: uniform: all ingredients; greedy: those that help.
        kinds: of weights, such as snapshot_1 and best; None is what each run predicts with.
        name: of the new run; None is soup_<method>.
        resamples: draws of the bootstrap of the gain over the best ingredient; 0 for none.
        seed: of the bootstrap.
        image_of: the picture of an id, for the report.

    Returns:
        what metrics.json holds; beside the scores `soups` (of each fold), `members` and `gain`.

    Raises:
        ValueError, FileNotFoundError: runs or weights that do not belong together, a name that is taken.
    """
    one_of("method", method, METHODS)
    aligned, first = align(members), plans[0]
    folds = np.unique(aligned.fold).tolist()
    ingredients = find_ingredients(plans, kinds, folds)
    made = {
        "by": "soup",
        "runs": [str(folder) for folder in aligned.folders],
        "method": method,
        "weights": None if kinds is None else list(kinds),
    }
    inference = replace(first.inference, weights="best")
    new = derive_plan(first, name or f"soup_{method}", made)
    config = new.config | {"inference": new.config["inference"] | {"weights": "best"}}
    new = replace(new, inference=inference, config=config)
    ranks = Ranks(device=choose_device(first.trainer.device))
    torch.set_num_threads(choose_threads(first.trainer.threads, 1))
    with Console() as console:
        data = prepare(first, ranks, console)
        _require_same_folds(first, data.folds.hash, aligned)
        kitchen = Kitchen(new, data, ingredients, folds, ranks, console)
        soups = {}
        for fold in folds:
            deciding = [one for one in folds if one != fold] or folds
            soups[fold] = choose_soup(kitchen, method, deciding)
        if len(folds) == 1 and (method == "greedy" or kitchen.has_batch_norm):
            console.warn(
                "there is one fold only, so what enters the soup was decided on the rows it is scored on"
            )

        open_derived(new, data.folds, console)
        entries = [_write_fold(new, kitchen, fold, *soups[fold]) for fold in folds]
        join_folds(new, folds, data.table, data.test is not None)
        names = [one.name for one in ingredients]
        rows, metric = np.concatenate([data.folds.valid_rows(fold) for fold in folds]), new.metric
        alone = [
            kitchen.of_subjects(
                rows, np.concatenate([kitchen.values(fold, (one,), False) for fold in folds])
            )[1]
            for one in range(len(names))
        ]
        targets, nested = kitchen.of_subjects(
            rows, np.concatenate([kitchen.values(fold, *soups[fold]) for fold in folds])
        )
        scores = [score(targets, values, new.metrics) for values in alone]
        about: dict[str, Any] = {
            "members": dict(zip(names, scores, strict=True)),
            "soups": {
                str(fold): {"ingredients": [names[one] for one in soup], "batch_norm_renewed": renew}
                for fold, (soup, renew) in soups.items()
            },
        }
        lines = [
            [one, f"{of_one[metric.name]:.5f}", _folds_with(soups, at)]
            for at, (one, of_one) in enumerate(about["members"].items())
        ]
        lines.append([new.name, f"{metric(targets, nested):.5f}", ""])
        console.table(f"{new.name} and its ingredients", ["weights", metric.name, "in folds"], lines)
        if resamples:
            best = int(np.argmax([kitchen.sign * one[metric.name] for one in scores]))
            subjects = data.table.subjects
            units = rows if subjects is None else rows[first_rows(subjects[rows])]
            groups = None if data.folds.groups is None else data.folds.groups[units]
            gain = bootstrap_gain(metric, targets, nested, alone[best], groups, resamples, seed)
            about["gain"] = {"over": names[best], **gain.to_dict()}
            say_gain(new, names[best], gain, console)
        return conclude(new, entries, aligned.fold_hash, image_of, console, about)


def choose_soup(kitchen: Kitchen, method: str, folds: Sequence[int]) -> tuple[Soup, bool]:
    """The ingredients, and whether batch norms are measured anew, by the scores of these folds."""
    count = len(kitchen.ingredients)
    soup = tuple(range(count))
    if method == "greedy":
        soup = greedy_soup(count, lambda candidate: kitchen.best_worth(folds, candidate))
    return soup, kitchen.renews(folds, soup)


def _write_fold(plan: Plan, kitchen: Kitchen, fold: int, soup: Soup, renew: bool) -> dict[str, Any]:
    """The soup's weights and predictions of a fold; returns its entry of metrics.json."""
    start = time.perf_counter()
    data, classes, folder = kitchen.data, plan.competition.classes, plan.folder / f"fold_{fold}"
    trained = kitchen.cook(fold, soup, renew)
    metadata = read_metadata(kitchen.ingredients[soup[0]].file(fold))
    names = [kitchen.ingredients[one].name for one in soup]
    save_weights(folder / "best.safetensors", trained.model, metadata | {"soup": names})
    rows = data.folds.valid_rows(fold)
    of_fold, values = data.table.take(rows), kitchen.values(fold, soup, renew)
    oof = prediction_frame(Predictions(of_fold.ids, values), fold, classes, of_fold)
    write_parquet(folder / "oof.parquet", oof)
    if data.test is not None:
        test = (data.test, data.unreadable, trained, kitchen.ranks, kitchen.console)
        write_test(folder / "test.parquet", plan, *test)
    entry = {
        "fold": fold,
        "weights": "best",
        "inference": plan.inference.record(),
        "best": score(*kitchen.of_subjects(rows, values), plan.metrics),
        "val_rows": len(rows),
        "seconds": time.perf_counter() - start,
    }
    write_text(folder / "scores.json", json_text(entry))
    return entry


def _require_same_folds(plan: Plan, fold_hash: str, aligned: Aligned) -> None:
    """The folds that the data gives now are those the runs were trained with.

    Raises:
        ValueError: they are not.
    """
    if fold_hash != aligned.fold_hash:
        raise ValueError(
            f"{plan.folder}: its folds have the hash {aligned.fold_hash[:12]}, the data gives {fold_hash[:12]} now. "
            "The competition's files changed since it was trained; restore them, or train again."
        )


def _folds_with(soups: dict[int, tuple[Soup, bool]], ingredient: int) -> str:
    return ", ".join(str(fold) for fold, (soup, _) in soups.items() if ingredient in soup)
