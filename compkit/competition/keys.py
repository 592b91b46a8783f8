"""The keys of a competition, each as it is used: what conf/competition/folder.yaml says, checked and converted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from compkit.competition.key_checks import check_keys, require_choice
from compkit.competition.patterns import parse_pattern
from compkit.types import Task


class CompetitionKeys:
    """Where a competition's pictures and labels lie. The arguments are the keys of `conf/competition/folder.yaml`,
    which explains each of them; they are kept as attributes of the same name.

    Attributes:
        given_classes: `classes` as they were given, empty for null; `classes` are completed by reading.
        target_columns, one_target_column: the names in target_column, and whether it is one and no list.
        test_id_column, sample_id_column: never None.

    Raises:
        ValueError: a value that is none of the choices of its key, or two keys that do not fit together.
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
        header: bool = True,
        test_id_column: str | None = None,
        sample_id_column: str | None = None,
        train_rows: Mapping[str, object] | None = None,
        test_rows: Mapping[str, object] | None = None,
        train_join: Mapping[str, str] | None = None,
        test_join: Mapping[str, str] | None = None,
        train_ids: str = "{id}",
        test_ids: str = "{id}",
        sample_ids: str = "{id}",
        class_column: str | None = None,
        sample_class_column: str | None = None,
        subject_column: str | None = None,
        subject_average: str = "mean",
        validation_folds: Sequence[object] | None = None,
        submission_names: Mapping[object, object] | None = None,
    ) -> None:
        require_choice("task", task, tuple(Task))
        self.name = name
        self.path = Path(path).expanduser()  # the shell leaves ~ alone inside key=value
        self.task = Task(task)
        self.train_table = train_table
        self.test_table = test_table
        self.sample_submission = sample_submission
        self.id_column = str(
            id_column
        )  # without a header columns are numbers, which the command line gives as such
        self.one_target_column = isinstance(target_column, str | int)
        self.target_columns = [*as_texts(target_column)]
        self.train_images = train_images
        self.test_images = test_images
        self.separator = separator
        self.classes: tuple[str, ...] = tuple(map(str, classes or ()))
        self.channels = int(channels)
        self.channel_files = tuple(channel_files or ())
        self.max_value = None if max_value is None else float(max_value)
        self.group_column = _column(group_column)
        self.time_column = _column(time_column)
        self.fold_column = _column(fold_column)
        self.fold_scheme = fold_scheme
        self.holdout_fraction = float(holdout_fraction)
        self.submission_format = submission_format
        self.empty_token = empty_token
        self.corrupt_images = corrupt_images
        self.unlabelled = unlabelled
        self.header = bool(header)
        self.test_id_column = _column(test_id_column) or self.id_column
        self.sample_id_column = _column(sample_id_column) or self.test_id_column
        self.train_rows = {str(name): as_texts(cells) for name, cells in (train_rows or {}).items()}
        self.test_rows = {str(name): as_texts(cells) for name, cells in (test_rows or {}).items()}
        self.train_join = {table: str(column) for table, column in (train_join or {}).items()}
        self.test_join = {table: str(column) for table, column in (test_join or {}).items()}
        self.train_ids = train_ids
        self.test_ids = test_ids
        self.sample_ids = sample_ids
        self.class_column = _column(class_column)
        self.sample_class_column = _column(sample_class_column)
        self.subject_column = _column(subject_column)
        self.subject_average = subject_average
        self.validation_folds = None if validation_folds is None else as_texts(validation_folds)
        self.submission_names = {str(ours): str(theirs) for ours, theirs in (submission_names or {}).items()}
        self.given_classes = self.classes
        check_keys(self)

    @property
    def has_subjects(self) -> bool:
        """Whether what is predicted may be shown by several pictures."""
        patterns = [] if self.train_table is None else [("competition.train_images", self.train_images)]
        if self.test_images is not None:
            patterns.append(("competition.test_images", self.test_images))
        several = any(parse_pattern(pattern, key).after is not None for key, pattern in patterns)
        return self.subject_column is not None or several


def as_texts(cells: object) -> tuple[str, ...]:
    """One cell or several, as the text a table holds.

    >>> as_texts([0, "val"]), as_texts(1)
    (('0', 'val'), ('1',))
    """
    if isinstance(cells, Sequence) and not isinstance(cells, str):
        return tuple(map(str, cells))
    return (str(cells),)


def _column(name: object) -> str | None:
    return None if name is None else str(name)
