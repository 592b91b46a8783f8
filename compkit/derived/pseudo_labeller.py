"""The labels of a round of pseudo-labelling as a file, made once, and what is known of them."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compkit.derived.pseudo_teachers import Teachers, hidden_truth, read_tables
from compkit.engine import Console, Ranks, choose_device, choose_threads
from compkit.files import write_text
from compkit.results import read_scores
from compkit.run.folder import json_text
from compkit.run.plan import Plan
from compkit.semi import (
    RoundSettings,
    Selection,
    label_round,
    quantiles_text,
    split_into_parts,
    teachers_of_rounds,
)


class Labeller:
    """Makes the labels of the rounds, one after the other.

    Args:
        parent: round 0.
        settings, selection, unlabelled: as in `pseudo_rounds`.
        resume: take the labels that lie there, if they were made with the same settings.
        console: where it is told what is predicted.
    """

    def __init__(
        self,
        parent: Plan,
        settings: RoundSettings,
        selection: Selection,
        unlabelled: str,
        resume: bool,
        console: Console,
    ) -> None:
        torch.set_num_threads(choose_threads(parent.trainer.threads, 1))
        ranks = Ranks(device=choose_device(parent.trainer.device))
        self.parent, self.settings, self.selection, self.resume = parent, settings, selection, resume
        self.unlabelled = (
            unlabelled if unlabelled == "test" else os.path.abspath(Path(unlabelled).expanduser())
        )
        self.table, self.labelled = read_tables(parent, unlabelled, ranks, console)
        self.truth = hidden_truth(parent, self.table.ids) if unlabelled == "test" else None
        # the pictures of a subject stay in one part: a model that learnt from one knows the others
        units = self.table.ids if self.table.subjects is None else self.table.subjects
        self.part = split_into_parts(units, settings.parts, settings.seed)
        classes = parent.competition.classes
        self.teachers = Teachers([parent], self.table, classes, unlabelled == "test", ranks, console)

    def label(self, number: int, path: Path) -> dict[str, Any]:
        """Make the labels of a round, or find them there.

        Returns:
            what the JSON file beside the labels holds.

        Raises:
            ValueError: labels are there, and were made with other settings.
        """
        made_with, beside = self._made_with(number), path.with_suffix(".json")
        if self.resume and beside.is_file():
            about = read_scores(beside)
            if json_text(about["made_with"]) != json_text(made_with):
                raise ValueError(
                    f"{beside}: round {number} was labelled with other settings: {about['made_with']}, now "
                    f"{made_with}. Use the same ones, or set name=… for new rounds."
                )
            return about | {"made_with": made_with}
        task = self.parent.competition.task
        labels = label_round(
            self.table,
            self.part,
            self._schedule(number),
            self.teachers.predict,
            self.labelled,
            task,
            self.selection,
            self.settings.thresholds(task)[number - 1],
            self.settings.seed,
            self.truth,
        )
        about = {
            "pictures": int(np.isin(self.part, list(self._schedule(number))).sum()),
            "kept": {str(fold): count for fold, count in labels.kept().items()},
            "expected_accuracy": labels.expected_accuracy,
            "true_accuracy": labels.true_accuracy,
            "confidence": {str(fold): quantiles_text(sure) for fold, sure in labels.sure.items()},
            "made_with": made_with,
        }
        if not nothing_sure(about):
            labels.pseudo.write(path, self.parent.competition.classes)
            write_text(beside, json_text(about))
        return about

    def _schedule(self, number: int) -> dict[int, int]:
        return teachers_of_rounds(self.settings.rounds, self.settings.parts)[number - 1]

    def _made_with(self, number: int) -> dict[str, Any]:
        """All that the labels of a round hang on."""
        teachers = {
            f"part {one}": self.teachers.plans[teacher].name
            for one, teacher in self._schedule(number).items()
        }
        return {
            "run": self.parent.name,
            "round": number,
            "unlabelled": self.unlabelled,
            "parts": self.settings.parts,
            "seed": self.settings.seed,
            "teachers": teachers,
            "threshold": self.settings.thresholds(self.parent.competition.task)[number - 1],
            **asdict(self.selection),
        }


def nothing_sure(about: dict[str, Any]) -> str:
    """What to tell when a student has nothing to learn from; empty when all have something."""
    lacking = [fold for fold, kept in about["kept"].items() if not kept]
    if not lacking:
        return ""
    made_with = about["made_with"]
    return (
        f"round {made_with['round']}: of {about['pictures']} pictures none is kept for the model(s) of fold(s) "
        f"{', '.join(lacking)}; threshold={made_with['threshold']}, and their confidences are: "
        f"{about['confidence'][lacking[0]]}. Set a lower threshold, or a larger max_share or balance."
    )


def describe_labels(about: dict[str, Any]) -> str:
    """What a round learns, in words."""
    kept, teachers = about["kept"], about["made_with"]["teachers"]
    of = ", ".join(f"{part} labelled by {run}" for part, run in teachers.items())
    return f"{describe_kept(kept)} of {about['pictures']} pictures a fold ({of})"


def describe_kept(kept: dict[str, int]) -> str:
    """Pictures that a fold's student learns from: one number, or the range over folds.

    >>> describe_kept({"0": 120, "1": 131})
    '120-131'
    """
    low, high = min(kept.values()), max(kept.values())
    return f"{low}" if low == high else f"{low}-{high}"
