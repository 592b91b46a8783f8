"""What crosses folders: the table of a competition, a sample, a batch, predictions."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor


class Task(StrEnum):
    """What is predicted for an image; decides target dtype, activation and submission shape."""

    MULTICLASS = "multiclass"  # exactly one of C classes
    MULTILABEL = "multilabel"  # any subset of C classes
    REGRESSION = "regression"  # C real numbers


@dataclass(frozen=True)
class Table:
    """Rows of a competition, one image each, in the order of their CSV.

    Arrays rather than lists of objects: a worker process that only reads them keeps sharing
    their memory with its parent.

    Attributes:
        ids: unique names of the images, str [N].
        files: UTF-8 paths, bytes [N, F]; F > 1 when each channel has a file of its own.
        targets: int64 [N] for multiclass, float32 [N, C] for multilabel and regression, None
            when there are no labels. A row without label has -1 or NaN.
        frame: the CSV's own columns, one row an image (groups, time, official folds …).
    """

    ids: np.ndarray
    files: np.ndarray
    targets: np.ndarray | None
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> np.ndarray:
        """The targets of a table that has them."""
        assert self.targets is not None, "a table without labels"
        return self.targets

    def take(self, rows: np.ndarray) -> "Table":
        """The given rows, in the given order."""
        targets = None if self.targets is None else self.targets[rows]
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return Table(self.ids[rows], self.files[rows], targets, frame)


class Sample(NamedTuple):
    """One decoded and augmented image with its label."""

    image: np.ndarray  # uint8 [H, W, C], or float32 in [0, 1] for deeper images
    target: np.ndarray  # int64 [], or float32 [C]
    row: int  # position in the table


class Batch(NamedTuple):
    """Samples stacked: as loaded, and then again once on the device and normalised."""

    images: Tensor  # [B, H, W, C] as loaded; float [B, C, H, W] normalised
    targets: Tensor  # int64 [B], or float32 [B, C]
    rows: Tensor  # int64 [B], positions in the table


class Predictions(NamedTuple):
    """What a model says about images, keyed by id."""

    ids: np.ndarray  # str [N]
    values: np.ndarray  # float32 [N, C]: probabilities, or regression values in target units
