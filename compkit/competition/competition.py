"""A downloaded competition: its training and test tables read."""

from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.folders import ids_in_folder
from compkit.competition.keys import CompetitionKeys
from compkit.competition.labelled_rows import labelled_rows, read_labels
from compkit.competition.paths import find_pictures
from compkit.competition.patterns import image_folder
from compkit.competition.row_limit import limit_rows
from compkit.competition.subjects import limit_subjects, require_one_group, require_one_label, subject_order
from compkit.competition.table import (
    first_few,
    parse_times,
    read_ids,
    require_column,
    require_filled,
)
from compkit.competition.table_rows import sample_rows, test_rows, train_rows
from compkit.types import Table


class Competition(CompetitionKeys):
    """A competition's tables, read with the keys of `conf/competition/folder.yaml`.

    Nothing is read before `read_train` or `read_test`.

    Attributes:
        classes: names of the outputs in their order; the given ones until `read_train` completes them.

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

    def read_train(self, limit: int | None = None) -> Table:
        """The labelled rows and their files; also fills `classes`.

        In the frame, time_column holds numbers or datetimes and, with validation_folds, fold_column the position of
        its value among them, or -1; all other columns are text.

        Args:
            limit: read only so many rows, drawn at random but always the same, each class among them; where subjects
                are predicted, whole ones with about so many rows.

        Raises:
            FileNotFoundError: the folder, the table or pictures are missing.
            ValueError: a column, an id or a label is missing, repeated or not what the task needs.
        """
        self._require_path()
        frame, source = train_rows(self)
        frame, (targets, self.classes) = read_labels(self, frame, source)
        ids = read_ids(frame, self.id_column, source)
        self._check_columns(frame, source)
        rows = labelled_rows(self, targets, ids, source)
        frame, ids, targets = frame.iloc[rows], ids[rows], targets[rows]
        subjects = self._subjects(frame, ids, source)
        if subjects is not None:
            require_one_label(subjects, targets, source)
            if self.group_column is not None:
                require_one_group(subjects, frame[self.group_column].to_numpy(dtype=str), source)
        # without a table the pattern is the folder, and the id the path below it
        pattern = self.train_images if self.train_table is not None else image_folder(self.train_images)
        table = self._with_pictures(
            _without_files(ids, targets, frame, subjects), pattern, "competition.train_images", limit
        )
        if self.time_column is not None:  # last: a pattern puts the text of its columns into paths
            table.frame[self.time_column] = parse_times(table.frame[self.time_column], source)
        if self.validation_folds is not None:
            place = {value: str(number) for number, value in enumerate(self.validation_folds)}
            table.frame[self.fold_column] = [place.get(cell, "-1") for cell in table.frame[self.fold_column]]
        return table

    def read_test(self, limit: int | None = None) -> Table:
        """The rows to predict, from test_table, else the sample submission, else the folder of test_images.

        Args:
            limit: read only so many rows, drawn at random but always the same; of subjects as in `read_train`.

        Raises:
            FileNotFoundError: the folder, the table or pictures are missing.
            ValueError: a column or id is missing or repeated.
        """
        self._require_path()
        key = "competition.test_images"
        assert self.test_images is not None, "a competition without a test set"
        if self.test_table is not None:
            frame, source = test_rows(self)
            ids = frame[self.test_id_column].to_numpy(dtype=str)
            subjects = self._subjects(frame, ids, source)
        else:
            if self.sample_submission is not None:
                frame = sample_rows(self)
                ids = frame[self.sample_id_column].to_numpy(dtype=str)
            else:
                ids = ids_in_folder(self.path, self.test_images, key, self.channel_files)
                frame = pd.DataFrame({self.test_id_column: ids}, dtype=str)
            subjects = ids if self.has_subjects else None
        return self._with_pictures(_without_files(ids, None, frame, subjects), self.test_images, key, limit)

    def read_sample_ids(self) -> np.ndarray:
        """What the sample submission asks about, each once and in its order, str [N]: ids, or subjects.

        Raises:
            FileNotFoundError: no such sample.
            ValueError: a column or id is missing or repeated, or ids do not look like sample_ids.
        """
        return sample_rows(self)[self.sample_id_column].to_numpy(dtype=str)

    def _require_path(self) -> None:
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"{self.path}: no such folder; expected the downloaded competition {self.name!r}. Unpack it "
                "there, or set competition.path."
            )

    def _check_columns(self, frame: pd.DataFrame, source: Path) -> None:
        """Refuse columns that folds are made by when they are not there, or not filled."""
        if self.group_column is not None:
            require_filled(frame, self.group_column, source, "competition.group_column")
        if self.time_column is not None:
            require_filled(frame, self.time_column, source, "competition.time_column")
        if self.fold_column is None:
            return
        require_column(
            frame, self.fold_column, source, "competition.fold_column"
        )  # may be empty: never validates
        there = set(frame[self.fold_column])
        absent = [value for value in self.validation_folds or () if value not in there]
        if absent:
            raise ValueError(
                f"{source}: no row has {first_few(absent)} in column {self.fold_column!r}; it has "
                f"{first_few(sorted(there))}. Set competition.validation_folds to some of these."
            )

    def _subjects(self, frame: pd.DataFrame, ids: np.ndarray, source: Path) -> np.ndarray | None:
        """What each row is about, str [N]; None where each is about itself."""
        if self.subject_column is None:
            return ids if self.has_subjects else None
        require_filled(frame, self.subject_column, source, "competition.subject_column")
        return frame[self.subject_column].to_numpy(dtype=str)

    def _with_pictures(self, table: Table, pattern: str, key: str, limit: int | None) -> Table:
        """A row for each picture of the table's rows, those of a subject side by side."""
        if limit is not None:
            table = _limited(table, limit)
        rows, ids, files = find_pictures(self.path, pattern, table.frame, table.ids, key, self.channel_files)
        table = table.take(rows)
        table = Table(ids, files, table.targets, table.frame, table.subjects)
        if table.subjects is None:
            return table
        if limit is not None:  # rows may have had several pictures
            table = _limited(table, limit)
        assert table.subjects is not None
        return table.take(subject_order(table.subjects))


def _without_files(
    ids: np.ndarray, targets: np.ndarray | None, frame: pd.DataFrame, subjects: np.ndarray | None
) -> Table:
    """Rows whose pictures have not been looked for."""
    return Table(ids, np.empty((len(ids), 0), dtype="S1"), targets, frame, subjects)


def _limited(table: Table, limit: int) -> Table:
    if table.subjects is not None:
        return table.take(limit_subjects(table.subjects, table.targets, limit))
    return table.take(limit_rows(table.targets, len(table), limit))
