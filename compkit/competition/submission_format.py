"""What a submission has to look like, found out from the sample submission before any training."""

from collections.abc import Sequence

from compkit.competition.table import first_few
from compkit.types import Task

FORMATS = ("auto", "labels", "probabilities", "ranking", "values")
FORMAT_KEY = "competition.submission_format"
SAMPLE_KEY = "competition.sample_submission"
NAMES_KEY = "competition.submission_names"


def resolve_format(
    columns: Sequence[str],
    classes: Sequence[str],
    task: Task,
    format: str = "auto",
    metric_kind: str = "labels",
    separator: str = " ",
    sample: str = "sample_submission.csv",
) -> str:
    """Decide how predictions fill the sample's columns (those besides the id).

    * values: regression; a column a target, or one column of any name for one target.
    * probabilities: a column a class; or one column for two classes, of the class with the column's
      name, else of the second (positive) one. A class without a column is not submitted.
    * ranking: one column with the likeliest names, best first.
    * labels: one column with the class, or with the joined names above 0.5.

    auto takes values for regression, probabilities for several columns or one that is a class, and
    otherwise what the metric compares; labels where that cannot be written in one column.

    Raises:
        ValueError: a column that is no class, or the format fits neither the task nor the columns.

    >>> resolve_format(["label"], ["cat", "dog", "elk"], Task.MULTICLASS, metric_kind="ranking")
    'ranking'
    """
    if format not in FORMATS:
        raise ValueError(
            f"{FORMAT_KEY}={format}: expected one of {', '.join(FORMATS)}. Set {FORMAT_KEY}=auto."
        )
    if not columns:
        raise ValueError(f"{sample}: has no column besides the id; expected at least one. Set {SAMPLE_KEY}.")
    one = len(columns) == 1
    if format == "auto":
        format = _natural_format(columns, classes, task, metric_kind)
    if (format == "values") != (task == Task.REGRESSION):
        raise ValueError(
            f"{FORMAT_KEY}={format} does not fit task={task}; expected values for regression and for no "
            f"other. Set {FORMAT_KEY}=auto."
        )
    if format in ("labels", "ranking") and not one:
        raise ValueError(
            f"{FORMAT_KEY}={format}: {sample} has the columns {first_few(columns, 40)}; expected a single "
            f"one besides the id. Set {FORMAT_KEY}=probabilities."
        )
    single_output = one and (len(classes) == 1 if format == "values" else is_binary(classes, task))
    unknown = lacking(columns, classes)
    if format in ("values", "probabilities") and not single_output and unknown:
        raise ValueError(
            f"{sample}: its columns are not the classes. No class: {first_few(unknown)}; without a column: "
            f"{first_few(lacking(classes, columns)) or 'none'}; columns {first_few(columns, 40)}, classes "
            f"{first_few(classes, 40)}. Set competition.classes to the sample's names, {NAMES_KEY} where it calls them "
            f"otherwise, or {FORMAT_KEY}=labels if it has one column."
        )
    joined = format == "ranking" or (format == "labels" and task == Task.MULTILABEL)
    torn = [name for name in classes if separator in name]
    if joined and torn:
        raise ValueError(
            f"{FORMAT_KEY}={format}: the classes {first_few(torn)} contain the separator {separator!r}; "
            "joined names could not be told apart. Set competition.separator to the one the competition "
            "asks for."
        )
    return format


def resolve_long_format(task: Task, format: str = "auto") -> str:
    """How a row for each id and class is filled: by its probability, or its value in regression.

    Raises:
        ValueError: a format that needs one row an id, or does not fit the task.

    >>> resolve_long_format(Task.MULTILABEL)
    'probabilities'
    """
    natural = "values" if task == Task.REGRESSION else "probabilities"
    if format not in ("auto", natural):
        raise ValueError(
            f"{FORMAT_KEY}={format}: the sample has a row for each id and class, which for task={task} holds "
            f"{natural}. Set {FORMAT_KEY}=auto."
        )
    return natural


def lacking(wanted: Sequence[str], given: Sequence[str]) -> list[str]:
    """The wanted names that are not given, in their order.

    >>> lacking(["cat", "dog"], ["dog"])
    ['cat']
    """
    there = set(given)
    return [name for name in wanted if name not in there]


def _natural_format(columns: Sequence[str], classes: Sequence[str], task: Task, metric_kind: str) -> str:
    """What auto stands for."""
    if task == Task.REGRESSION:
        return "values"
    if len(columns) > 1 or columns[0] in classes:
        return "probabilities"
    if metric_kind == "ranking" or (metric_kind == "probabilities" and is_binary(classes, task)):
        return metric_kind
    return "labels"


def is_binary(classes: Sequence[str], task: Task) -> bool:
    """One number says all: P(second) of two exclusive classes, or P(the only label)."""
    return len(classes) == (2 if task == Task.MULTICLASS else 1)
