"""The submission while predictions come in: valid from the first minute on, and better with each fold."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.bundle.opened import Bundle
from compkit.bundle.recipe import Node, Said, Unit
from compkit.engine import Console
from compkit.inference import average_rows, first_rows
from compkit.results import prediction_frame
from compkit.run.outcome import write_parquet
from compkit.types import Predictions, Table


@dataclass
class Running:
    """What is known so far, written out whenever it grows.

    Attributes:
        bundle: the runs.
        output: the folder of submission.csv.
        console: where is said what is written.
        table: the test rows, once they are read.
        found: what each unit that is done says, float32 [P, C].
        complete: of each of these, whether it has seen all pictures.
    """

    bundle: Bundle
    output: Path
    console: Console
    table: Table | None = None
    found: dict[Unit, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.bundle.plan.submission_shape
        assert shape is not None, "a bundle without a sample submission"
        self.shape = replace(shape, classes=self.bundle.classes)
        self.ids = self.shape.sample_ids()
        self.prior = self.bundle.prior()

    @property
    def path(self) -> Path:
        """submission.csv."""
        return self.output / "submission.csv"

    def write(self) -> float:
        """Write the submission that follows from what is known, checked before it takes its place; returns seconds."""
        started = time.monotonic()
        values = np.tile(self.prior, (len(self.ids), 1))
        known = self.predictions(self.bundle.node)
        if known is not None:
            rows = pd.Index(known.ids).get_indexer(pd.Index(self.ids))
            values[rows >= 0] = known.values[rows[rows >= 0]]
        self.shape.write(self.path, self.bundle.decide(Predictions(self.ids, values)))
        return time.monotonic() - started

    def predictions(self, node: Node) -> Predictions | None:
        """What a run says so far of images, or of the subjects they show; None while nothing is known."""
        if self.table is None:
            return None
        values = node.predict(Said(self.found, self.join))
        if values is None:
            return None
        subjects = self.table.subjects
        return Predictions(self.table.ids if subjects is None else subjects[first_rows(subjects)], values)

    def join(self, values: np.ndarray) -> np.ndarray:
        """From images to subjects, where images show such."""
        assert self.table is not None
        if self.table.subjects is None:
            return values
        return average_rows(values, self.table.subjects, self.bundle.plan.competition.subject_average)

    def write_predictions(self) -> None:
        """<run>.parquet, like a run's test.parquet, for each run that the bundle was made of."""
        for name, node in self.bundle.tops.items():
            found = self.predictions(node)
            if found is not None:
                frame = prediction_frame(found, -1, self.bundle.classes)
                write_parquet(self.output / "predictions" / f"{name}.parquet", frame)

    def say_strangers(self) -> None:
        """Ids that only the sample or only the test table has: they keep the prior, or are not submitted."""
        assert self.table is not None
        subjects = self.table.subjects
        given = self.table.ids if subjects is None else subjects
        lacking, surplus = np.setdiff1d(self.ids, given), np.setdiff1d(given, self.ids)
        for ids, what in (
            (lacking, "id(s) of the sample submission are in no test row and keep the training prior"),
            (surplus, "test row(s) are not in the sample submission and are not submitted"),
        ):
            if len(ids):
                self.console.warn(
                    f"{len(ids)} {what}: {', '.join(ids[:10].tolist())}{' …' * (len(ids) > 10)}"
                )
