"""What crosses folders: the table of a competition, a sample, a batch, predictions."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
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
        subjects: str [N], what is predicted as a whole when several images show it (a patient, a product), equal
            rows side by side; None when each image stands for itself.
    """

    ids: np.ndarray
    files: np.ndarray
    targets: np.ndarray | None
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    subjects: np.ndarray | None = None

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
        subjects = None if self.subjects is None else self.subjects[rows]
        return Table(self.ids[rows], self.files[rows], targets, frame, subjects)


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


class Taught(NamedTuple):
    """What teachers say of a batch; no gradient flows to them."""

    logits: Tensor  # float32 [K, B, C], of K teachers; regression: in the targets' unit
    features: tuple[
        Tensor, ...
    ] = ()  # K of them, each [B, D_k], pooled, before the neck; none unless asked for


class Targets(NamedTuple):
    """What a batch is taught: its labels, those of the images mixed into it, and what teachers say of it.

    Image i holds `share[i]` of the image with label `labels[i]` and the rest of one with `other[i]`; both are
    None when nothing was mixed. The last `unlabelled` images have no label: what stands for it means nothing.
    """

    labels: Tensor  # int64 [B], or float32 [B, C]
    other: Tensor | None = None  # as labels
    share: Tensor | None = None  # float32 [B] in [0, 1]
    auxiliary: "dict[str, Targets] | None" = None  # of auxiliary columns, by name
    taught: Taught | None = None
    unlabelled: int = 0

    def parts(self) -> list[tuple[Tensor, Tensor | None]]:
        """The labels with their share of each image [B]; a share of None is all of it.

        >>> Targets(torch.tensor([3, 5]), torch.tensor([5, 3]), share=torch.tensor([0.75, 1.0])).parts()
        [(tensor([3, 5]), tensor([0.7500, 1.0000])), (tensor([5, 3]), tensor([0.2500, 0.0000]))]
        """
        if self.share is None or self.other is None:
            return [(self.labels, None)]
        return [(self.labels, self.share), (self.other, 1 - self.share)]

    def take(self, rows: Tensor) -> "Targets":
        """The targets of some of the batch's images, int64 [B'] in rising order."""
        further = {name: one.take(rows) for name, one in (self.auxiliary or {}).items()}
        taught = self.taught
        if taught is not None:
            taught = Taught(taught.logits[:, rows], tuple(one[rows] for one in taught.features))
        first = len(self.labels) - self.unlabelled
        return Targets(
            self.labels[rows],
            other=None if self.other is None else self.other[rows],
            share=None if self.share is None else self.share[rows],
            auxiliary=further or None,
            taught=taught,
            unlabelled=int((rows >= first).sum()) if self.unlabelled else 0,
        )

    def labelled(self) -> "Targets":
        """The targets of the images that have a label.

        >>> Targets(torch.tensor([3, 5, 0]), unlabelled=1).labelled().labels
        tensor([3, 5])
        """
        if not self.unlabelled:
            return self
        count = len(self.labels) - self.unlabelled
        return self.take(torch.arange(count, device=self.labels.device))


class Outputs(NamedTuple):
    """What a network says about a batch in training; predictions are made of `logits` alone."""

    logits: Tensor  # [B, C]; regression: in the targets' unit
    features: Tensor | None = None  # [B, D], pooled, before the neck: what metric losses compare
    margin: tuple[
        Tensor, ...
    ] = ()  # logits [B, C] with a margin on the true class, one for each of Targets.parts()
    views: tuple[Tensor, ...] = ()  # several logits [B, C] of the same images, whose losses are averaged
    auxiliary: dict[str, Tensor] | None = None  # logits of auxiliary columns, each [B, C']

    def first(self, count: int) -> "Outputs":
        """What it says about the first images of the batch."""
        return Outputs(
            self.logits[:count],
            features=None if self.features is None else self.features[:count],
            margin=tuple(logits[:count] for logits in self.margin),
            views=tuple(logits[:count] for logits in self.views),
            auxiliary=None
            if self.auxiliary is None
            else {name: logits[:count] for name, logits in self.auxiliary.items()},
        )


class Moment(NamedTuple):
    """How far training has come: what is switched on, warmed up or annealed is a function of it."""

    step: int  # optimizer steps taken
    epoch: float  # epochs done, with their fraction
    epochs: int  # length of the run


class Predictions(NamedTuple):
    """What a model says about images, keyed by id."""

    ids: np.ndarray  # str [N]
    values: np.ndarray  # float32 [N, C]: probabilities, or regression values in target units
    subjects: np.ndarray | None = None  # str [N], as in Table; None when each image stands for itself


class Limits(NamedTuple):
    """Which predictions a metric can judge.

    Attributes:
        lowest, highest: of regression values; probabilities lie in 0 to 1 anyway.
        whole: regression values are whole numbers, such as grades.
        sums_to_one: probabilities of exclusive classes sum to 1.
    """

    lowest: float = -np.inf
    highest: float = np.inf
    whole: bool = False
    sums_to_one: bool = False


NO_LIMITS = Limits()
