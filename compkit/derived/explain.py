"""Explanations of a run that lies on disk: its worst mistakes, its embeddings, and any pictures asked for."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from compkit.competition import Folds
from compkit.derived.predicted import split_table
from compkit.engine import Console, Ranks, choose_device, choose_threads
from compkit.report import write_report
from compkit.run.assemble import make_loader
from compkit.run.explanations import Seen, answer_rows, explain_fold, explain_pictures
from compkit.run.plan import Plan
from compkit.run.trained_fold import TrainedFold, load_fold, trained_folds
from compkit.types import Table

TOLD = 5  # unknown ids


def explain_run(plan: Plan, ids: Sequence[str], image_of: Callable[[str], np.ndarray | None]) -> Path:
    """Explain a run from its weights, as much as `plan.explain` says, and write its report anew.

    What is 0 in `plan.explain`, and pictures asked for in an earlier call where no ids are given, stay as they are.

    Args:
        plan: of the run, from its config.yaml.
        ids: pictures to explain beside the worst mistakes, of the train table (by the fold that held them out) or the
            test table (by the first fold).
        image_of: the picture of an id, for the report.

    Returns:
        Path of the report.

    Raises:
        ValueError: nothing to do, no weights, an unknown id, or a fold that has not been predicted yet.
    """
    settings = plan.explain
    if not (settings.worst or settings.points or ids):
        raise ValueError(
            "worst=0, points=0 and no ids: nothing is left to explain. Set worst=24, for example."
        )
    numbers = trained_folds(plan)
    ranks = Ranks(device=choose_device(plan.trainer.device))
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    table, folds = (None, None) if plan.full_data else split_table(plan)
    asked = _find(plan, ids, table, folds, numbers)
    with Console() as console:
        if table is None and (settings.worst or settings.points):
            console.say("trained on all rows: no validation rows to explain, only the ids asked for")
        for position, number in enumerate(numbers):
            if table is not None and folds is not None:
                trained, share = load_fold(plan, number, ranks), settings.of_fold(position, len(numbers))
                seen = _validated(plan, table, folds, trained, ranks)
                console.say(f"fold {number}: {len(seen.rows)} validation pictures")
                explain_fold(plan, share, trained, seen, ranks, console)
        if asked:
            shutil.rmtree(plan.folder / "explained", ignore_errors=True)
        for place, ((number, _), (of, rows)) in enumerate(asked.items()):
            trained = load_fold(plan, number, ranks)
            loader = make_loader(plan, of, trained.preprocessing, ranks, augment=False)
            seen = answer_rows(plan.competition.task, trained, of, rows, loader, ranks)
            folder = plan.folder / "explained" / f"asked_{place}"
            explain_pictures(folder, plan.competition.task, trained, seen, ranks, console)
    return write_report(plan.folder, image_of)


def _find(
    plan: Plan, ids: Sequence[str], table: Table | None, folds: Folds | None, numbers: Sequence[int]
) -> dict[tuple[int, str], tuple[Table, np.ndarray]]:
    """(fold, train or test) -> its table and the rows asked for there.

    Raises:
        ValueError: an id that neither table has.
    """
    if not ids:
        return {}
    table = plan.competition.read_train(plan.limit) if table is None else table
    tables = {"train": table}
    if plan.competition.test_images is not None:
        tables["test"] = plan.competition.read_test()
    found: dict[tuple[int, str], list[int]] = {}
    left = dict.fromkeys(ids)
    for name, of in tables.items():
        rows = pd.Index(of.ids).get_indexer(list(left))
        for id, row in zip(list(left), rows.tolist(), strict=True):
            if row >= 0:
                held_out = int(folds.fold[row]) if name == "train" and folds is not None else numbers[0]
                number = held_out if held_out in numbers else numbers[0]
                found.setdefault((number, name), []).append(row)
                del left[id]
    if left:
        told = ", ".join(list(left)[:TOLD])
        raise ValueError(
            f"ids: {len(left)} of {len(ids)} are in no table: {told}. Expected ids of "
            f"{' or '.join(f'{name} ({of.ids[0]}, …)' for name, of in tables.items())}. Set ids=[…] to some of them."
        )
    return {key: (tables[key[1]], np.array(rows)) for key, rows in found.items()}


def _validated(plan: Plan, table: Table, folds: Folds, trained: TrainedFold, ranks: Ranks) -> Seen:
    """The fold's validation rows with their predictions, as they lie on disk."""
    path = plan.folder / f"fold_{trained.fold}" / "oof.parquet"
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file, so this fold has not been predicted yet. Continue the run: python train.py … "
            f"name={plan.folder.name} resume=true."
        )
    rows = folds.valid_rows(trained.fold)
    frame = pd.read_parquet(path).set_index("id").loc[table.ids[rows]]
    values = frame[[f"pred_{name}" for name in trained.classes]].to_numpy(np.float32)
    return Seen(table, rows, values, make_loader(plan, table, trained.preprocessing, ranks, augment=False))
