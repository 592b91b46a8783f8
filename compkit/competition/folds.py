"""Which row validates in which fold: an artefact with a hash, written once and audited."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.table import duplicates, first_few
from compkit.files import write_text
from compkit.types import Task


@dataclass(frozen=True, eq=False)
class Folds:
    """The cross-validation of a table; `hash` tells whether two runs may be compared or stacked.

    Attributes:
        ids: names of the images, str [N], in the order of the table.
        fold: the fold in which each row validates, int64 [N]; -1 never validates.
        groups: what must not be torn apart (patient, scene), str [N], or None.
        scheme: how the folds were made, never "auto".

    >>> folds = Folds(np.array(["a", "b", "c"]), np.array([0, 1, -1]), None, "predefined")
    >>> folds.num_folds, folds.train_rows(0).tolist(), folds.valid_rows(0).tolist()
    (2, [1, 2], [0])
    """

    ids: np.ndarray
    fold: np.ndarray
    groups: np.ndarray | None
    scheme: str

    @property
    def expanding(self) -> bool:
        """Whether fold k trains only on what comes before it, as a forecast does."""
        return self.scheme == "time"

    @property
    def num_folds(self) -> int:
        return int(self.fold.max()) + 1

    @property
    def hash(self) -> str:
        """sha256 of the text of folds.csv, in hexadecimal."""
        return hashlib.sha256(self._csv().encode()).hexdigest()

    def train_rows(self, k: int) -> np.ndarray:
        """Positions of the rows that fold k trains on, int64."""
        return np.flatnonzero(self.fold < k if self.expanding else self.fold != k)

    def valid_rows(self, k: int) -> np.ndarray:
        """Positions of the rows that fold k validates on, int64."""
        return np.flatnonzero(self.fold == k)

    def write(self, path: str | Path) -> None:
        """Write the CSV with columns id, fold, group."""
        write_text(path, self._csv())

    @classmethod
    def read(cls, path: str | Path, scheme: str = "predefined") -> "Folds":
        """Read what `write` wrote; the scheme is not in the file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: other columns, an id that occurs twice, or a fold that is no whole number >= -1.
        """
        frame = pd.read_csv(path, dtype=str, na_filter=False, encoding="utf-8")
        if list(frame.columns) != ["id", "fold", "group"]:
            raise ValueError(
                f"{path}: columns {list(frame.columns)}; expected id, fold, group as a run writes them."
            )
        ids, groups = frame["id"].to_numpy(dtype=str), frame["group"].to_numpy(dtype=str)
        if repeated := duplicates(ids):
            raise ValueError(f"{path}: ids occur more than once: {first_few(repeated)}; expected each once.")
        wrong = frame["fold"][~frame["fold"].str.fullmatch(r"-1|\d+")]
        if len(wrong):
            raise ValueError(
                f"{path}: folds {first_few(wrong)}; expected whole numbers from -1 (never validates)."
            )
        return cls(
            ids, frame["fold"].to_numpy(dtype=np.int64), groups if (groups != "").any() else None, scheme
        )

    def aligned_to(self, ids: np.ndarray) -> "Folds":
        """The same folds for a table in another order.

        Raises:
            ValueError: ids that one side has and the other lacks.

        >>> folds = Folds(np.array(["a", "b"]), np.array([0, 1]), None, "random")
        >>> folds.aligned_to(np.array(["b", "a"])).fold.tolist()
        [1, 0]
        """
        rows = pd.Index(self.ids).get_indexer(pd.Index(ids))
        unknown, left = ids[rows < 0], np.setdiff1d(self.ids, ids)
        if len(unknown) or len(left):
            raise ValueError(
                f"folds and table differ: {len(unknown)} ids have no fold ({first_few(unknown.tolist())}), "
                f"{len(left)} ids of the folds are not in the table ({first_few(left.tolist())}). "
                "Use the data the folds were made for, or make new ones under another run name."
            )
        groups = None if self.groups is None else self.groups[rows]
        return Folds(ids, self.fold[rows], groups, self.scheme)

    def audit(self, targets: np.ndarray, task: Task, classes: Sequence[str] = ()) -> list[str]:
        """Check what a score rests on, whoever made the folds.

        Args:
            targets: int64 [N], or [N, C].
            task: which decides what a missing class means; regression has none.
            classes: their names, C.

        Returns:
            Findings to show loudly: folds of very different size, classes that a fold lacks in
            its validation or training part.

        Raises:
            ValueError: an empty part of a fold, or a group that occurs in two folds.
        """
        self._require_rows()
        self._require_whole_groups()
        sizes = np.bincount(self.fold[self.fold >= 0], minlength=self.num_folds)
        findings = []
        if sizes.max() > 2 * sizes.min():
            findings.append(
                f"folds differ in size: {sizes.tolist()} validation rows; their scores weigh unequally."
            )
        if task == Task.REGRESSION:
            return findings
        total = _class_counts(targets, len(classes))
        for k in range(self.num_folds):
            for part, rows in (("validation", self.valid_rows(k)), ("training", self.train_rows(k))):
                lacking = np.flatnonzero((total > 0) & (_class_counts(targets[rows], len(classes)) == 0))
                if len(lacking):
                    names = first_few(f"{classes[c]} ({total[c]} rows in all)" for c in lacking.tolist())
                    findings.append(f"fold {k}: {len(lacking)} classes have no {part} rows: {names}.")
        return findings

    def _csv(self) -> str:
        groups = "" if self.groups is None else self.groups
        frame = pd.DataFrame({"id": self.ids, "fold": self.fold, "group": groups})
        return frame.to_csv(index=False, lineterminator="\n")

    def _require_rows(self) -> None:
        for k in range(max(self.num_folds, 1)):
            for part, rows in (("validation", self.valid_rows(k)), ("training", self.train_rows(k))):
                if len(rows) == 0:
                    raise ValueError(
                        f"fold {k} has no {part} rows (scheme {self.scheme}). Set fewer folds, another "
                        "competition.fold_scheme, or correct competition.fold_column."
                    )

    def _require_whole_groups(self) -> None:
        if self.groups is None:
            return
        pairs = pd.DataFrame({"group": self.groups, "fold": self.fold}).drop_duplicates()
        torn = pairs["group"][pairs["group"].duplicated()].unique().tolist()
        if torn:
            raise ValueError(
                f"{len(torn)} groups lie in more than one fold (scheme {self.scheme}): {first_few(torn)}; "
                "their validation scores would be too good. Set a competition.fold_scheme that keeps "
                "groups, or competition.group_column=null if the groups do not matter (of null: the subjects)."
            )


def _class_counts(targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Rows of each class, int64 [C], from indices [N] or labels [N, C]."""
    return np.bincount(targets, minlength=num_classes) if targets.ndim == 1 else (targets > 0).sum(axis=0)
