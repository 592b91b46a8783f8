"""Predictions written in the sample submission's own shape, and read back to be sure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.competition import Competition
from compkit.competition.submission_cells import (
    as_judged,
    as_probabilities,
    joined_cells,
    number_cells,
    ranking_cells,
    require_sums,
    wrong_names,
    wrong_numbers,
)
from compkit.competition.submission_format import (
    FORMAT_KEY,
    NAMES_KEY,
    SAMPLE_KEY,
    is_binary,
    lacking,
    resolve_format,
    resolve_long_format,
)
from compkit.competition.submission_ids import (
    in_sample_order,
    require_same_columns,
    require_same_ids,
    require_same_order,
)
from compkit.competition.submission_rows import ROWS_KEY, Rows, read_keys, read_rows
from compkit.competition.table import duplicates, first_few, read_table, require_column
from compkit.competition.text_table import BLANKS, find_separator
from compkit.files import atomic_path
from compkit.types import NO_LIMITS, Limits, Predictions, Task


@dataclass(frozen=True)
class SubmissionShape:
    """What a submission has to look like: by the sample's columns and rows, the classes, and the metric.

    Attributes:
        sample: the competition's sample submission.
        classes: C names of the model's outputs.
        task: what is predicted.
        format: one of FORMATS.
        metric_kind: what the competition's metric compares (`Metric.kind`).
        limits: which numbers the metric can judge.
        id_column: the sample's column of the ids.
        row_ids: what a cell of it holds: {id}, or an {id} and a {class} where each has a row of its own.
        class_column: the sample's column of the classes, where each has a row of its own.
        names: how the submission calls classes that it does not call by their own names.
        separator: between names in one cell.
        empty_token: written in one multilabel column when no class is above 0.5.
        top_k: how many names a ranking has, if there are as many classes.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "sample.csv").write_text("id,label\\n02,x\\n01,x\\n")
    >>> shape = SubmissionShape(folder / "sample.csv", ("cat", "dog"), Task.MULTICLASS)
    >>> shape.write(folder / "a.csv", Predictions(np.array(["01", "02"]), np.array([[0.9, 0.1], [0.2, 0.8]])))
    'labels'
    >>> (folder / "a.csv").read_text()
    'id,label\\n02,dog\\n01,cat\\n'
    """

    sample: Path
    classes: tuple[str, ...]
    task: Task
    format: str = "auto"
    metric_kind: str = "labels"
    limits: Limits = NO_LIMITS
    id_column: str = "id"
    row_ids: str = "{id}"
    class_column: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    separator: str = " "
    empty_token: str = ""
    top_k: int = 5

    def check(self) -> str:
        """Find out, before the first epoch, that the sample's columns can be filled, and how.

        Returns:
            the format that "auto" stands for, or the given one.

        Raises:
            FileNotFoundError: no such sample.
            ValueError: no or repeated ids, columns that are not the classes, or a format that does not fit.
        """
        return self._read_sample()[2]

    def sample_ids(self) -> np.ndarray:
        """What the sample asks about, each id once and in its order, str [N]."""
        return self._read_sample()[1].subjects

    def left_out(self) -> list[str]:
        """The classes that the sample does not ask for, by their own names."""
        frame, rows, format = self._read_sample()
        columns = self._value_columns(frame)
        if format not in ("values", "probabilities"):
            return []  # one column holds names
        if rows.places is not None:
            asked = set(rows.places.tolist())
        elif len(columns) == 1 and is_binary(self.classes, self.task):
            return []  # one column tells both
        else:
            asked = {self._output(column) for column in columns}
        return [name for place, name in enumerate(self.classes) if place not in asked]

    def write(self, path: Path, predictions: Predictions) -> str:
        """Write predictions with the columns, the column order and the row order of the sample, and validate them.

        Numbers are written with the fewest digits that read back as the same float32 (at most nine) and
        never as 1e-05. Names and ids are written as they stand in the competition's own files.

        Args:
            path: the CSV to write; it appears whole and valid or not at all.
            predictions: ids [N] in any order, values [N, C].

        Returns:
            The format that was written.

        Raises:
            FileNotFoundError: no such sample.
            ValueError: predictions are missing, superfluous, repeated, not finite, outside 0 to 1 for
                probabilities, or do not fit the sample.
        """
        frame, rows, format = self._read_sample()
        ids = rows.subjects
        values = in_sample_order(predictions, ids, self.classes, self.sample)
        if format == "probabilities":
            values = as_probabilities(values, ids)
        elif format == "values":
            values = as_judged(values, self.limits)
        columns = self._value_columns(frame)
        if rows.places is not None:
            row_of = pd.Index(ids).get_indexer(pd.Index(rows.ids))
            frame[columns[0]] = number_cells(values[row_of, rows.places])
        elif format in ("values", "probabilities"):
            for column in columns:
                frame[column] = number_cells(values[:, self._output(column)])
        else:
            frame[columns[0]] = self._name_cells(values, format)
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, sep=find_separator(self.sample), index=False, lineterminator="\n")
            self._compare(read_table(temporary, "submission"), path, list(frame.columns), rows, format)
        return format

    def validate(self, path: Path) -> None:
        """Read a written submission back and compare it with the sample, as a grader would.

        Raises:
            FileNotFoundError: no such submission or sample.
            ValueError: other columns, ids or order than the sample's; a cell that is empty, no finite number, no
                probability, no class or beyond what the metric can judge; probabilities that do not sum to 1.

        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, label in (("sample.csv", "x"), ("a.csv", "cat"), ("b.csv", "cow")):
        ...     _ = (folder / name).write_text(f"id,label\\n1,{label}\\n")
        >>> SubmissionShape(folder / "sample.csv", ("cat", "dog"), Task.MULTICLASS).validate(folder / "a.csv")
        """
        expected, rows, format = self._read_sample()
        self._compare(read_table(path, "submission"), path, list(expected.columns), rows, format)

    def _read_sample(self) -> tuple[pd.DataFrame, Rows, str]:
        """The sample, its rows, and the format of what fills it."""
        self._check_keys()
        frame = read_table(self.sample, SAMPLE_KEY)
        if self.sample.suffix.lower() in (".json", ".jsonl") or find_separator(self.sample) == BLANKS:
            raise ValueError(
                f"{self.sample}: a submission is a CSV with commas, tabs or semicolons, and this sample is none. Set "
                f"{SAMPLE_KEY} to one that is, or to null, which writes no submission, with competition.test_table for "
                "the test rows."
            )
        require_column(frame, self.id_column, self.sample, "competition.sample_id_column")
        if self.class_column is not None:
            require_column(frame, self.class_column, self.sample, "competition.sample_class_column")
        columns = self._value_columns(frame)
        if not self._is_long:
            kind, separator = self.metric_kind, self.separator
            format = resolve_format(
                columns, self._names(), self.task, self.format, kind, separator, str(self.sample)
            )
        elif len(columns) == 1:
            format = resolve_long_format(self.task, self.format)
        else:
            raise ValueError(
                f"{self.sample}: a row for each id and class, and beside them the columns {first_few(columns, 40)}; "
                f"expected one column of values. Set {ROWS_KEY}='{{id}}' if a row is about an id alone."
            )
        return frame, self._rows(frame, self.sample), format

    def _check_keys(self) -> None:
        """Refuse settings that contradict the classes or each other."""
        if self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: expected at least 1 name in a ranking. Set e.g. 5.")
        if self.row_ids.count("{id}") != 1 or self.row_ids.count("{class}") > 1:
            raise ValueError(
                f"{ROWS_KEY}={self.row_ids!r}: expected {{id}}, with or without a {{class}}, each once. Set "
                f"{ROWS_KEY}='{{id}}_{{class}}', for example."
            )
        if "{class}" in self.row_ids and self.class_column is not None:
            raise ValueError(
                f"{ROWS_KEY}={self.row_ids!r} and competition.sample_class_column={self.class_column} both say where "
                "the class stands; expected one of them. Set the other one back."
            )
        if strangers := lacking(list(self.names), self.classes):
            raise ValueError(
                f"{NAMES_KEY}: {first_few(strangers)} are no classes; expected some of {first_few(self.classes, 40)}. "
                "Correct these names, or set competition.classes."
            )
        if twice := duplicates(np.array(self._names())):
            raise ValueError(
                f"{NAMES_KEY}: several classes would be called {first_few(twice)}; expected a name of its own for each."
            )

    def _names(self) -> tuple[str, ...]:
        """What the submission calls each class, C."""
        return tuple(str(self.names.get(name, name)) for name in self.classes)

    @property
    def _is_long(self) -> bool:
        """Whether a row is about an id and one of the classes."""
        return self.class_column is not None or "{class}" in self.row_ids

    def _value_columns(self, frame: pd.DataFrame) -> list[str]:
        return [name for name in frame.columns if name not in (self.id_column, self.class_column)]

    def _rows(self, frame: pd.DataFrame, path: Path) -> Rows:
        return read_rows(frame, path, self.id_column, self.row_ids, self.class_column, self._names())

    def _output(self, column: str) -> int:
        """Which output fills a column: the one of its name, else, for a single column, the last."""
        names = self._names()
        return names.index(column) if column in names else len(names) - 1

    def _name_cells(self, values: np.ndarray, format: str) -> list[str]:
        """The name, or the names, of each row of values [N, C]."""
        if format == "ranking":
            return ranking_cells(values, self._names(), self.separator, self.top_k)
        if self.task == Task.MULTICLASS:
            return ranking_cells(values, self._names(), self.separator, top_k=1)
        return joined_cells(values, self._names(), self.separator, self.empty_token)

    def _compare(self, frame: pd.DataFrame, path: Path, expected: list[str], rows: Rows, format: str) -> None:
        """Refuse a submission, whose cells these are, that has not the sample's columns and rows."""
        require_same_columns(list(frame.columns), expected, path, self.sample)
        keys = read_keys(frame, path, self.id_column, self.class_column)
        if not np.array_equal(keys, rows.keys):
            require_same_ids(keys, rows.keys, str(path), self.sample)
            require_same_order(keys, rows.keys, path, self.sample)
        columns = self._value_columns(frame)
        for column in columns:
            wrong, expectation = self._wrong_cells(frame[column], format)
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                raise ValueError(
                    f"{path}: {wrong.sum()} cells of column {column!r} are wrong, first "
                    f"{frame[column].iloc[row]!r} of id {str(keys[row])!r}; expected {expectation}. Correct the "
                    f"predictions, or set {FORMAT_KEY}."
                )
        if format == "probabilities" and self.limits.sums_to_one and self.task == Task.MULTICLASS:
            require_sums(frame[columns].to_numpy(np.float64), rows, len(self.classes), path)

    def _wrong_cells(self, cells: pd.Series, format: str) -> tuple[np.ndarray, str]:
        """Which cells cannot be meant, bool [R], and what was expected."""
        if format in ("values", "probabilities"):
            return wrong_numbers(cells, format, self.limits)
        if format == "ranking":
            return wrong_names(cells, self._names(), self.separator, None)
        separator = self.separator if self.task == Task.MULTILABEL else None
        return wrong_names(cells, self._names(), separator, self.empty_token)


def submission_shape(
    competition: Competition, metric_kind: str = "labels", limits: Limits = NO_LIMITS, top_k: int = 5
) -> SubmissionShape | None:
    """The shape of a competition's submission; None where it has no test set or no sample.

    Args:
        competition: which has read its training table, so that its classes are known.
        metric_kind, limits, top_k: as in `SubmissionShape`, of the competition's metric.
    """
    if competition.test_images is None or competition.sample_submission is None:
        return None
    return SubmissionShape(
        sample=competition.path / competition.sample_submission,
        classes=competition.classes,
        task=competition.task,
        format=competition.submission_format,
        metric_kind=metric_kind,
        limits=limits,
        id_column=competition.sample_id_column,
        row_ids=competition.sample_ids,
        class_column=competition.sample_class_column,
        names=competition.submission_names,
        separator=competition.separator,
        empty_token=competition.empty_token,
        top_k=top_k,
    )
