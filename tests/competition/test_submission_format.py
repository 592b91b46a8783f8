import pytest

from compkit.competition import SubmissionShape
from compkit.competition.submission_format import FORMATS, resolve_format, resolve_long_format
from compkit.types import Task

TWO, THREE = ["cat", "dog"], ["cat", "dog", "elk"]


@pytest.mark.parametrize(
    "columns, classes, task, kind, want",
    [
        (["label"], THREE, Task.MULTICLASS, "labels", "labels"),
        (["label"], THREE, Task.MULTICLASS, "ranking", "ranking"),
        (["label"], THREE, Task.MULTICLASS, "probabilities", "labels"),
        (["label"], TWO, Task.MULTICLASS, "probabilities", "probabilities"),
        (["label"], TWO, Task.MULTICLASS, "labels", "labels"),
        (["dog"], TWO, Task.MULTICLASS, "labels", "probabilities"),
        (["elk", "cat", "dog"], THREE, Task.MULTICLASS, "labels", "probabilities"),
        (["elk", "cat", "dog"], THREE, Task.MULTILABEL, "ranking", "probabilities"),
        (["label"], THREE, Task.MULTILABEL, "labels", "labels"),
        (["label"], THREE, Task.MULTILABEL, "probabilities", "labels"),
        (["label"], THREE, Task.MULTILABEL, "ranking", "ranking"),
        (["cat"], ["cat"], Task.MULTILABEL, "labels", "probabilities"),
        (["y", "x"], ["x", "y"], Task.REGRESSION, "values", "values"),
        (["x"], ["x", "y"], Task.REGRESSION, "values", "values"),
        (["cat", "dog"], THREE, Task.MULTILABEL, "labels", "probabilities"),
        (["elk"], THREE, Task.MULTICLASS, "probabilities", "probabilities"),
        (["prediction"], ["angle"], Task.REGRESSION, "values", "values"),
    ],
)
def test_auto(columns, classes, task, kind, want):
    assert resolve_format(columns, classes, task, "auto", kind) == want
    assert resolve_format(columns, classes, task, want, kind) == want


@pytest.mark.parametrize(
    "columns, classes, task, format",
    [
        (["cat", "cow"], TWO, Task.MULTICLASS, "auto"),
        (["cat", "dog", "elk"], TWO, Task.MULTICLASS, "auto"),
        (["label"], THREE, Task.MULTICLASS, "probabilities"),
        (["x", "z"], ["x", "y"], Task.REGRESSION, "auto"),
    ],
)
def test_columns_that_are_not_the_classes_name_both(columns, classes, task, format):
    with pytest.raises(ValueError, match=r"s\.csv: its columns are not the classes") as caught:
        resolve_format(columns, classes, task, format, sample="s.csv")
    message = str(caught.value)
    assert "competition.classes" in message
    assert all(repr(name) in message for name in [*columns, *classes])


def test_a_row_for_each_class_holds_a_number():
    assert resolve_long_format(Task.MULTICLASS, "probabilities") == "probabilities"
    assert resolve_long_format(Task.REGRESSION) == "values"
    for task, format in (
        (Task.MULTILABEL, "labels"),
        (Task.MULTICLASS, "ranking"),
        (Task.REGRESSION, "labels"),
    ):
        with pytest.raises(ValueError, match=f"submission_format={format}: the sample has a row for each"):
            resolve_long_format(task, format)


def test_the_differing_names_are_told_apart():
    with pytest.raises(ValueError, match="No class: 'cow'; without a column: 'dog', 'elk'"):
        resolve_format(["cat", "cow"], THREE, Task.MULTICLASS)


@pytest.mark.parametrize(
    "task, format",
    [
        (task, format)
        for task in Task
        for format in FORMATS[1:]
        if (format == "values") != (task == "regression")
    ],
)
def test_values_are_for_regression_alone(task, format):
    with pytest.raises(ValueError, match=f"submission_format={format} does not fit task={task}"):
        resolve_format(["label"], TWO, task, format)


@pytest.mark.parametrize("format", ["labels", "ranking"])
def test_names_go_into_a_single_column(format):
    with pytest.raises(ValueError, match="expected a single one besides the id"):
        resolve_format(TWO, TWO, Task.MULTICLASS, format)


@pytest.mark.parametrize("task, format", [(Task.MULTILABEL, "labels"), (Task.MULTICLASS, "ranking")])
def test_joined_names_must_be_separable(task, format):
    classes = ["polar bear", "cat"]
    with pytest.raises(ValueError, match="'polar bear' contain the separator ' '"):
        resolve_format(["label"], classes, task, format)
    assert resolve_format(["label"], classes, task, format, separator="|") == format
    assert resolve_format(["label"], classes, Task.MULTICLASS, "labels") == "labels"


def test_unknown_format_and_missing_columns():
    with pytest.raises(ValueError, match="submission_format=csv: expected one of auto, labels"):
        resolve_format(["label"], TWO, Task.MULTICLASS, "csv")
    with pytest.raises(ValueError, match="no column besides the id"):
        resolve_format([], TWO, Task.MULTICLASS)


def test_the_sample_is_checked_before_training(tmp_path):
    sample = tmp_path / "sample_submission.csv"

    def check(classes=TWO, **keys):
        return SubmissionShape(sample, tuple(classes), Task.MULTICLASS, **keys).check()

    with pytest.raises(FileNotFoundError, match=r"competition\.sample_submission"):
        check()
    sample.write_text("image,dog,cat\n1,0,0\n")
    assert check(id_column="image") == "probabilities"
    with pytest.raises(ValueError, match=r"column 'id' not found.*competition\.sample_id_column"):
        check()
    sample.write_text("image,dog,cow\n1,0,0\n")
    with pytest.raises(ValueError, match=r"sample_submission\.csv: its columns are not the classes"):
        check(THREE, id_column="image")
    sample.write_text("image,dog,cat\n1,0,0\n1,0,0\n")
    with pytest.raises(ValueError, match="1 ids occur more than once"):
        check(id_column="image")
