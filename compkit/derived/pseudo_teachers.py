"""What pseudo-labelling starts from: a run whose folds can label, the pictures they label, and what they say."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.table import first_few
from compkit.demo import EMBEDDED, hidden_solution
from compkit.derived.predicted import split_table
from compkit.engine import Console, Ranks
from compkit.results import read_test
from compkit.run.folder import check_finished
from compkit.run.plan import Plan
from compkit.run.predict_table import predict_table
from compkit.run.prepare import read_unlabelled
from compkit.run.trained_fold import load_fold, trained_folds
from compkit.types import Table, Task

NOT_TRAINED = "made by {by} of other runs, so there is no training of its own to repeat on more pictures"


def check_teacher(plan: Plan) -> None:
    """Refuse a run that has no folds to label with, or no training to repeat.

    Raises:
        ValueError: with the run to give instead.
    """
    made = plan.config.get("made", {})
    if plan.full_data:
        raise ValueError(
            f"run={plan.folder}: was trained on all rows, so the student of a fold would learn what this model has "
            "been told of that fold. Give the run with folds."
        )
    if plan.pseudo_labels is not None:
        start = f": run={plan.folder.with_name(made['run'])}" if "run" in made else ""
        raise ValueError(
            f"run={plan.folder}: has itself learnt from pseudo-labels, {plan.pseudo_labels}, and no model may label a "
            f"picture it has learnt from. Give the run that it started from, with more rounds{start}"
        )
    if made and made["by"] != "predict":
        raise ValueError(f"run={plan.folder}: {NOT_TRAINED.format(by=made['by'])}. Give a run of train.py.")
    check_finished(plan.folder)


def read_tables(
    plan: Plan, unlabelled: str, ranks: Ranks, console: Console
) -> tuple[Table, dict[int, np.ndarray]]:
    """The pictures to label, none of them a training picture, and the labels that the model of each fold has learnt.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: nothing is left to label.
    """
    train, folds = split_table(plan)
    table = read_unlabelled(plan, unlabelled, "unlabelled", ranks, console)
    own = {os.path.abspath(file) for file in train.files[:, 0]}
    is_new = np.array([os.path.abspath(file) not in own for file in table.files[:, 0]])
    if not is_new.any():
        raise ValueError(
            f"unlabelled={unlabelled}: all of its pictures are training pictures. Set it to a folder of other ones."
        )
    if not is_new.all():
        console.say(f"{(~is_new).sum()} of {len(table)} pictures are training pictures and are left out")
    wanted = np.unique(folds.fold[folds.fold >= 0]).tolist() if plan.train_folds is None else plan.train_folds
    labelled = {fold: train.labels[folds.train_rows(fold)] for fold in wanted}
    return table.take(np.flatnonzero(is_new)), labelled


def hidden_truth(plan: Plan, ids: np.ndarray) -> np.ndarray | None:
    """The true classes of an embedded competition's test pictures, [U] or [U, C]; None elsewhere, and for numbers."""
    competition = plan.competition
    if competition.name not in EMBEDDED or competition.task == Task.REGRESSION:
        return None
    solution = hidden_solution(competition.name, Path(plan.config["data_dir"]))
    if not set(ids.tolist()) <= solution.keys():  # a competition of the user's under this name
        return None
    values = [solution[id] for id in ids.tolist()]
    if competition.task == Task.MULTICLASS:
        return np.array([competition.classes.index(value) for value in values])
    return np.array([[name in value for name in competition.classes] for value in values])


class Teachers:
    """What the models of each round and fold say about the unlabelled pictures, as the run itself predicts: with its
    weights and views.

    Args:
        plans: of the runs on disk, round 0 first; further rounds are appended as they end.
        table: the unlabelled pictures, U.
        classes: names of the C outputs, in their order.
        from_test: whether the table is of the test set, which each fold has predicted already.
        ranks: this process.
        console: where it is told what is predicted.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        table: Table,
        classes: tuple[str, ...],
        from_test: bool,
        ranks: Ranks,
        console: Console,
    ) -> None:
        self.plans = list(plans)
        self.table, self.classes, self.from_test = table, classes, from_test
        self.ranks, self.console = ranks, console
        self._known: dict[tuple[int, int], np.ndarray] = {}

    def predict(self, number: int, fold: int) -> np.ndarray:
        """What round `number`'s model of the fold says, float32 [U, C].

        Raises:
            ValueError: its test.parquet lacks pictures of the table, or there is none and no weights either.
        """
        if (number, fold) not in self._known:
            path = self.plans[number].folder / f"fold_{fold}" / "test.parquet"
            is_there = self.from_test and path.is_file()
            self._known[number, fold] = self._read(path) if is_there else self._predict(number, fold)
        return self._known[number, fold]

    def _read(self, path: Path) -> np.ndarray:
        found = read_test(path, self.classes)
        rows = pd.Index(found.ids).get_indexer(pd.Index(self.table.ids))
        if (rows < 0).any():
            raise ValueError(
                f"{path}: lacks {(rows < 0).sum()} pictures of the test set: "
                f"{first_few(self.table.ids[rows < 0].tolist())}. The test set has changed since; predict it again."
            )
        return found.values[rows]

    def _predict(self, number: int, fold: int) -> np.ndarray:
        plan = self.plans[number]
        if fold not in trained_folds(plan):
            raise ValueError(f"{plan.folder}: fold {fold} has no weights. Train the run to its end.")
        trained = load_fold(plan, fold, self.ranks)
        assert trained.classes == self.classes
        self.console.say(f"{plan.name}, fold {fold}: labelling {len(self.table)} pictures")
        parts = predict_table(plan, self.table, np.empty(0, dtype=np.int64), trained, self.ranks)
        return np.concatenate([part.values for part in parts])
