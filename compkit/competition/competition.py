"""A downloaded competition: its keys checked, its training and test tables read."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.fold_schemes import SCHEMES
from compkit.competition.folders import ids_in_folder, read_class_folders
from compkit.competition.labels import encode_labels, unlabelled_rows
from compkit.competition.paths import find_files, image_folder
from compkit.competition.submission_format import FORMATS
from compkit.competition.table import (
    first_few,
    limit_rows,
    parse_times,
    read_ids,
    read_table,
    require_column,
    require_filled,
)
from compkit.types import Table, Task

log = logging.getLogger(__name__)


class Competition:
    """Where a competition's pictures and labels lie, and how to read them.

    Nothing is read before `read_train` or `read_test`. The arguments are the keys of
    `conf/competition/folder.yaml`, which explains each of them; those about folds and submission are
    only checked and kept here, as attributes of the same name.

    Attributes:
        classes: names of the outputs in their order; the given ones until `read_train` completes them.

    Raises:
        ValueError: a value that is none of the choices of its key, or two keys that do not fit together.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cat/1.png", "dog/1.png"):
    ...     (folder / "train" / name).parent.mkdir(parents=True)
    ...     (folder / "train" / name).touch()
    >>> pets = Competition("pets", folder, "multiclass", train_table=None, train_images="train")
    >>> table = pets.read_train()
    >>> table.ids.tolist(), table.targets.tolist(), pets.classes
    (['cat/1.png', 'dog/1.png'], [0, 1], ('cat', 'dog'))
    """

    def __init__(
        self,
        name: str,
        path: str | Path,
        task: str,
        train_table: str | None = "train.csv",
        test_table: str | None = None,
        sample_submission: str | None = "sample_submission.csv",
        id_column: str = "id",
        target_column: str | Sequence[str] = "label",
        train_images: str = "train/{id}.png",
        test_images: str | None = "test/{id}.png",
        separator: str = " ",
        classes: Sequence[object] | None = None,
        channels: int = 3,
        channel_files: Sequence[str] | None = None,
        max_value: float | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        fold_column: str | None = None,
        fold_scheme: str = "auto",
        holdout_fraction: float = 0.2,
        submission_format: str = "auto",
        empty_token: str = "",
        corrupt_images: str = "error",
        unlabelled: str = "error",
    ) -> None:
        _require_choice("task", task, tuple(Task))
        _require_choice("competition.fold_scheme", fold_scheme, ("auto", *SCHEMES))
        _require_choice("competition.submission_format", submission_format, FORMATS)
        _require_choice("competition.corrupt_images", corrupt_images, ("error", "drop"))
        _require_choice("competition.unlabelled", unlabelled, ("error", "drop"))
        self.name = name
        self.path = Path(path).expanduser()  # the shell leaves ~ alone inside key=value
        self.task = Task(task)
        self.train_table = train_table
        self.test_table = test_table
        self.sample_submission = sample_submission
        self.id_column = id_column
        self.one_target_column = isinstance(target_column, str)
        self.target_columns = (
            [target_column] if isinstance(target_column, str) else [*map(str, target_column)]
        )
        self.train_images = train_images
        self.test_images = test_images
        self.separator = separator
        self.classes: tuple[str, ...] = tuple(map(str, classes or ()))
        self.channels = int(channels)
        self.channel_files = tuple(channel_files or ())
        self.max_value = None if max_value is None else float(max_value)
        self.group_column = group_column
        self.time_column = time_column
        self.fold_column = fold_column
        self.fold_scheme = fold_scheme
        self.holdout_fraction = float(holdout_fraction)
        self.submission_format = submission_format
        self.empty_token = empty_token
        self.corrupt_images = corrupt_images
        self.unlabelled = unlabelled
        self._given_classes = self.classes
        self._check_arguments()

    def read_train(self, limit: int | None = None) -> Table:
        """The labelled rows and their files; also fills `classes`.

        With time_column, that column of the frame holds numbers or datetimes, all others text.

        Args:
            limit: read only so many rows, drawn at random but always the same, each class among them.

        Raises:
            FileNotFoundError: the folder, the CSV or pictures are missing.
            ValueError: a column, an id or a label is missing, repeated or not what the task needs.
        """
        frame, source = self._train_frame()
        ids = read_ids(frame, self.id_column, source)
        for column in self.target_columns:
            require_column(frame, column, source, "competition.target_column")
        if self.fold_column is not None:  # an empty cell is a row that never validates
            require_column(frame, self.fold_column, source, "competition.fold_column")
        if self.group_column is not None:
            require_filled(frame, self.group_column, source, "competition.group_column")
        if self.time_column is not None:
            require_filled(frame, self.time_column, source, "competition.time_column")
        targets, self.classes = encode_labels(
            frame[self.target_columns],
            ids,
            self.task,
            self.one_target_column,
            self._given_classes,
            self.separator,
            self.empty_token,
            source,
        )
        rows = self._labelled_rows(targets, ids, source)
        if limit is not None:
            rows = rows[limit_rows(targets[rows], len(rows), limit)]
        frame, ids = frame.iloc[rows].reset_index(drop=True), ids[rows]
        # class folders have no CSV: their pattern is the folder, and the id the path below it
        pattern = self.train_images if self.train_table is not None else image_folder(self.train_images)
        files = find_files(self.path, pattern, frame, ids, "competition.train_images", self.channel_files)
        if self.time_column is not None:  # last: a pattern puts the text of its columns into paths
            frame[self.time_column] = parse_times(frame[self.time_column], source)
        return Table(ids, files, targets[rows], frame)

    def read_test(self, limit: int | None = None) -> Table:
        """The rows to predict, from test_table, else the sample submission, else the folder of test_images.

        Args:
            limit: read only so many rows, drawn at random but always the same.

        Raises:
            FileNotFoundError: the folder, the CSV or pictures are missing.
            ValueError: a column or id is missing or repeated.
        """
        self._require_path()
        assert self.test_images is not None, "a competition without a test set"
        key = "test_table" if self.test_table is not None else "sample_submission"
        listing = getattr(self, key)
        if listing is None:
            ids = ids_in_folder(self.path, self.test_images, "competition.test_images", self.channel_files)
            frame = pd.DataFrame({self.id_column: ids}, dtype=str)
        else:
            frame = read_table(self.path / listing, f"competition.{key}")
            ids = read_ids(frame, self.id_column, self.path / listing)
        if limit is not None:
            rows = limit_rows(None, len(ids), limit)
            frame, ids = frame.iloc[rows].reset_index(drop=True), ids[rows]
        files = find_files(
            self.path, self.test_images, frame, ids, "competition.test_images", self.channel_files
        )
        return Table(ids, files, None, frame)

    def _check_arguments(self) -> None:
        """Refuse numbers out of range and keys that contradict each other."""
        if self.channels < 1:
            raise ValueError(
                f"competition.channels={self.channels}: expected at least 1. Set 1 for grey, 3 for RGB."
            )
        if self.channel_files and len(self.channel_files) != self.channels:
            raise ValueError(
                f"competition.channel_files: {len(self.channel_files)} suffixes for {self.channels} "
                f"channels; expected one a channel. Set competition.channels={len(self.channel_files)}."
            )
        if self.max_value is not None and not 0 < self.max_value < float("inf"):
            raise ValueError(
                f"competition.max_value={self.max_value}: expected a number above 0. Set the largest pixel "
                "value, or null."
            )
        if not 0 < self.holdout_fraction < 1:
            raise ValueError(
                f"competition.holdout_fraction={self.holdout_fraction}: expected between 0 and 1. Set e.g. "
                "0.2."
            )
        if self.separator == "":
            raise ValueError(
                "competition.separator='': expected at least one character. Set e.g. "
                "competition.separator=','."
            )
        for key, names in (("target_column", self.target_columns), ("classes", self.classes)):
            if len(set(names)) < len(names) or (key == "target_column" and not names):
                raise ValueError(
                    f"competition.{key}: {first_few(names, 40)}; expected names that differ, at least one. "
                    "Remove the repetitions."
                )
        if self.train_table is None and self.task != Task.MULTICLASS:
            raise ValueError(
                f"competition.train_table=null: class folders are for task=multiclass, not {self.task}. Set "
                "competition.train_table to the CSV with the labels."
            )
        if self.train_table is None and not self.one_target_column:
            raise ValueError(
                f"competition.target_column: {first_few(self.target_columns)}, but class folders give one "
                "label an image. Set competition.target_column=label, or competition.train_table to a CSV."
            )

    def _require_path(self) -> None:
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"{self.path}: no such folder; expected the downloaded competition {self.name!r}. Unpack it "
                "there, or set competition.path."
            )

    def _train_frame(self) -> tuple[pd.DataFrame, Path]:
        """The training rows as text, and the CSV or folder they come from."""
        self._require_path()
        if self.train_table is not None:
            source = self.path / self.train_table
            return read_table(source, "competition.train_table"), source
        frame = read_class_folders(
            self.path, self.train_images, self.id_column, self.target_columns[0], self.channel_files
        )
        return frame, self.path / self.train_images

    def _labelled_rows(self, targets: np.ndarray, ids: np.ndarray, source: Path) -> np.ndarray:
        """Positions of the rows that have a label; that some have none must be allowed."""
        missing = unlabelled_rows(targets)
        if missing.all():
            raise ValueError(
                f"{source}: no row has a label in {first_few(self.target_columns, 40)}; expected some. Set "
                "competition.target_column to the column that has them."
            )
        if missing.any() and self.unlabelled == "error":
            raise ValueError(
                f"{source}: {missing.sum()} rows have no label (empty or nan), ids "
                f"{first_few(ids[missing].tolist())}; expected one in each. Set competition.unlabelled=drop "
                "to train without these rows."
            )
        if missing.any():
            log.warning("%s: dropped %d of %d rows, which have no label", source, missing.sum(), len(ids))
        return np.flatnonzero(~missing)


def _require_choice(key: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(
            f"{key}={value}: expected one of {', '.join(choices)}. Set {key}={next(iter(choices))}."
        )
