"""Rows that models have labelled: a file that a run reads, each fold its own part of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compkit.files import atomic_path
from compkit.semi.selection import hardened
from compkit.types import Table, Task


@dataclass(frozen=True)
class PseudoLabels:
    """Further training rows, each for the student of one fold; an image may occur once for each student.

    Attributes:
        ids: of the images, str [U].
        files: their paths, bytes [U, F], as in `Table`.
        student: the fold whose model learns from the row, int64 [U].
        labels: probabilities (one-hot where hard) or regression values, float32 [U, C].
    """

    ids: np.ndarray
    files: np.ndarray
    student: np.ndarray
    labels: np.ndarray

    def of_student(self, fold: int) -> "PseudoLabels":
        """The rows that this fold's model learns from."""
        rows = self.student == fold
        return PseudoLabels(self.ids[rows], self.files[rows], self.student[rows], self.labels[rows])

    def of_all_students(self, task: Task) -> "PseudoLabels":
        """Each picture once, for a model without validation: the mean of its labels, or what most of them say.

        >>> ids, files = np.array(["a", "a"]), np.array([[b"a"], [b"a"]])
        >>> two = PseudoLabels(ids, files, np.array([0, 1]), np.array([[0.5], [0.75]]))
        >>> two.of_all_students(Task.REGRESSION).labels.tolist()
        [[0.625]]
        """
        ids, first, group = np.unique(self.ids, return_index=True, return_inverse=True)
        sums = np.zeros((len(ids), self.labels.shape[1]))
        np.add.at(sums, group, self.labels)
        labels = sums / np.bincount(group)[:, None]
        labels = hardened(labels, task) if self.is_hard else labels.astype(np.float32)
        return PseudoLabels(ids, self.files[first], np.full(len(ids), -1), labels)

    @property
    def is_hard(self) -> bool:
        """Whether every label is wholly there or not at all."""
        return bool(np.isin(self.labels, (0, 1)).all())

    def write(self, path: Path, classes: tuple[str, ...]) -> None:
        """A parquet file: student, id, file_<channel>…, label_<class>…"""
        columns: dict[str, Any] = {"student": self.student, "id": self.ids.astype(object)}
        for channel in range(self.files.shape[1]):
            columns[f"file_{channel}"] = [os.fsdecode(name) for name in self.files[:, channel]]
        labels = pd.DataFrame(self.labels, columns=[f"label_{name}" for name in classes])
        with atomic_path(path) as temporary:
            pd.concat([pd.DataFrame(columns), labels], axis=1).to_parquet(temporary, index=False)

    @classmethod
    def read(cls, path: Path, classes: tuple[str, ...]) -> "PseudoLabels":
        """Read what `write` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: other columns or classes, or labels that are not finite.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"pseudo_labels={path}: no such file. Make it with scripts/pseudo_label.py."
            )
        frame = pd.read_parquet(path)
        wanted = ["student", "id", "file_0", *(f"label_{name}" for name in classes)]
        absent = [name for name in wanted if name not in frame]
        if absent:
            raise ValueError(
                f"pseudo_labels={path}: lacks the columns {absent[:10]}; expected student, id, file_0 and a "
                "label_<class> for each class. Make it with scripts/pseudo_label.py for this competition."
            )
        files = [frame[name].tolist() for name in frame if str(name).startswith("file_")]
        labels = frame[wanted[3:]].to_numpy(np.float32)
        if not np.isfinite(labels).all():
            raise ValueError(
                f"pseudo_labels={path}: labels are NaN or infinite. Make it anew from sound predictions."
            )
        return cls(
            frame["id"].to_numpy(dtype=str),
            np.array([[os.fsencode(name) for name in names] for names in files]).T,
            frame["student"].to_numpy(np.int64),
            labels,
        )


def with_pseudo_labels(table: Table, pseudo: PseudoLabels, task: Task) -> tuple[Table, np.ndarray | None]:
    """The table with pseudo-labelled rows behind its own.

    Returns:
        the longer table, whose multiclass targets are the likeliest class; and, where labels are soft, the labels
        to learn from, float32 [N + U, C].

    >>> table = Table(np.array(["a"]), np.array([[b"a.png"]]), np.array([1]))
    >>> pseudo = PseudoLabels(np.array(["b"]), np.array([[b"b.png"]]), np.array([0]), np.array([[0.75, 0.25]]))
    >>> longer, soft = with_pseudo_labels(table, pseudo, Task.MULTICLASS)
    >>> longer.targets.tolist(), soft.tolist()
    ([1, 0], [[0.0, 1.0], [0.75, 0.25]])
    """
    soft, own = None, table.labels
    added = pseudo.labels
    if task == Task.MULTICLASS:
        if not pseudo.is_hard:
            one_hot = np.eye(added.shape[1], dtype=np.float32)[own]
            soft = np.concatenate([one_hot, added.astype(np.float32)])
        added = added.argmax(axis=1)
    ids, files = np.concatenate([table.ids, pseudo.ids]), np.concatenate([table.files, pseudo.files])
    targets = np.concatenate([own, added.astype(own.dtype)])
    return Table(ids, files, targets, pd.DataFrame(index=range(len(ids)))), soft
