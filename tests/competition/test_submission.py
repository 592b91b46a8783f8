import csv

import numpy as np
import pandas as pd
import pytest

from compkit.competition import Competition, SubmissionShape
from compkit.types import Predictions, Task

IDS = ["02", "1", "NA"]
THREE = ("cat", "dog", "elk")


def softmax(values):
    return (np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)).astype(np.float32)


PROBS = softmax(np.array([[1.0, 3, 2], [5, 0, 1], [0, 1, 9]]))  # dog, cat, elk


@pytest.fixture
def sample(tmp_path):
    def make(header="id,label", ids=IDS):
        path = tmp_path / "sample_submission.csv"
        width = header.count(",")
        path.write_text("\n".join([header, *(f"{id_}{',0' * width}" for id_ in ids)]) + "\n")
        return path

    return make


def submit(sample, values, classes, task, ids=IDS, **keys):
    """Write from a shuffled order, validate, and return the rows as a plain CSV reader sees them."""
    path = sample.parent / "run" / "submission.csv"
    shuffled = np.random.default_rng(0).permutation(len(ids))
    shape = SubmissionShape(sample, tuple(classes), task, **keys)
    written = shape.write(path, Predictions(np.array(ids)[shuffled], values[shuffled]))
    assert written == shape.check()
    shape.validate(path)
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_labels_in_the_order_of_the_sample(sample):
    rows = submit(sample(), PROBS, THREE, Task.MULTICLASS)
    assert rows == [["id", "label"], ["02", "dog"], ["1", "cat"], ["NA", "elk"]]


def test_labels_are_written_as_the_training_csv_has_them(sample):
    rows = submit(sample(), PROBS, ["007", "1.0", "NA"], Task.MULTICLASS)
    assert [row[1] for row in rows[1:]] == ["1.0", "007", "NA"]


@pytest.mark.parametrize("ids", [IDS, np.array(IDS, dtype=object), pd.Series(IDS, dtype="str").to_numpy()])
def test_ids_of_any_text_type_are_compared_as_text(sample, ids):
    assert len(submit(sample(), PROBS, THREE, Task.MULTICLASS, ids=ids)) == 4


def test_id_column_may_stand_anywhere(sample, tmp_path):
    path = tmp_path / "sample_submission.csv"
    path.write_text("elk,image,dog,cat\n0,b,0,0\n0,a,0,0\n")
    rows = submit(path, PROBS[:2], THREE, Task.MULTICLASS, ids=["a", "b"], id_column="image")
    assert rows[0] == ["elk", "image", "dog", "cat"] and [row[1] for row in rows[1:]] == ["b", "a"]
    np.testing.assert_array_equal(np.float32([row[0] for row in rows[1:]]), PROBS[[1, 0], 2])


def test_probabilities_in_the_columns_of_the_sample(sample):
    rows = submit(sample("id,elk,cat,dog"), PROBS, THREE, Task.MULTICLASS)
    assert rows[0] == ["id", "elk", "cat", "dog"]
    np.testing.assert_array_equal(np.float32([row[1:] for row in rows[1:]]), PROBS[:, [2, 0, 1]])


@pytest.mark.parametrize("header, place", [("id,target", 1), ("id,dog", 1), ("id,cat", 0)])
def test_one_column_of_two_classes(sample, header, place):
    probs = softmax(np.array([[1.0, 3], [5, 0], [0, 1]]))
    rows = submit(sample(header), probs, ["cat", "dog"], Task.MULTICLASS, metric_kind="probabilities")
    np.testing.assert_array_equal(np.float32([row[1] for row in rows[1:]]), probs[:, place])


@pytest.mark.parametrize("token", ["", "none"])
def test_joined_labels_above_a_half(sample, token):
    probs = np.float32([[0.9, 0.5, 0.51], [0.1, 0.2, 0.3], [0, 1, 0]])
    rows = submit(sample(), probs, THREE, Task.MULTILABEL, empty_token=token)
    assert [row[1] for row in rows[1:]] == ["cat elk", token, "dog"]


def test_joined_labels_with_another_separator(sample):
    rows = submit(sample(), np.ones((3, 2)), ["polar bear", "cat"], Task.MULTILABEL, separator=",")
    assert [row[1] for row in rows[1:]] == ["polar bear,cat"] * 3


@pytest.mark.parametrize("top_k, want", [(1, "dog"), (2, "dog elk"), (5, "dog elk cat")])
def test_ranking_is_best_first(sample, top_k, want):
    rows = submit(sample(), PROBS, THREE, Task.MULTICLASS, metric_kind="ranking", top_k=top_k)
    assert rows[1][1] == want


def test_ranking_takes_ties_in_class_order(sample):
    rows = submit(sample(), np.full((3, 3), 1 / 3), THREE, Task.MULTICLASS, metric_kind="ranking")
    assert rows[1][1] == "cat dog elk"


def test_regression_values(sample):
    values = np.float32([[1.5, -2], [1e-7, 123456789], [0.1, 1 / 3]])
    rows = submit(sample("id,y,x"), values, ["x", "y"], Task.REGRESSION, metric_kind="values")
    assert rows[1] == ["02", "-2", "1.5"] and rows[2] == ["1", "123456790", "0.0000001"]
    np.testing.assert_array_equal(np.float32([row[1:] for row in rows[1:]]), values[:, [1, 0]])


def test_single_regression_column_may_have_another_name(sample):
    rows = submit(sample("id,prediction"), np.float32([[1], [2], [3]]), ["angle"], Task.REGRESSION)
    assert [row[1] for row in rows[1:]] == ["1", "2", "3"]


def test_numbers_read_back_as_the_same_float32_without_exponents(sample):
    values = np.random.default_rng(0).random(2000).astype(np.float32) ** 8
    ids = [str(number) for number in range(2000)]
    rows = submit(sample("id,x", ids), values[:, None], ["x"], Task.REGRESSION, ids=ids)
    cells = [row[1] for row in rows[1:]]
    assert not any("e" in cell for cell in cells)
    np.testing.assert_array_equal(np.float32(cells), values)


@pytest.mark.parametrize(
    "ids, message",
    [
        (["02", "1"], "1 ids of .* are missing: 'NA'; 0 are not in it: none"),
        (["02", "1", "NA", "x"], "0 ids of .* are missing: none; 1 are not in it: 'x'"),
        (["2", "01", "NA"], "2 ids of .* are missing: '02', '1'; 2 are not in it: '01', '2'"),
        (["02", "1", "NA", "1"], "1 ids occur more than once: '1'"),
    ],
)
def test_ids_other_than_the_samples_are_refused(sample, tmp_path, ids, message):
    with pytest.raises(ValueError, match=f"predictions: {message}"):
        submit(sample(), np.full((len(ids), 3), 0.3), THREE, Task.MULTICLASS, ids=ids)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_predictions_are_refused_by_id(sample, bad):
    values = PROBS.copy()
    values[1, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinite for 1 ids: '1'"):
        submit(sample(), values, THREE, Task.MULTICLASS)


def test_logits_are_no_probabilities_but_rounding_is_forgiven(sample):
    values = np.float32([[1.0000001, -1e-7], [0.5, 0.5], [0, 1]])
    rows = submit(sample("id,cat,dog"), values, ["cat", "dog"], Task.MULTICLASS)
    assert rows[1] == ["02", "1", "0"]
    values[1] = [-3, 4]
    with pytest.raises(ValueError, match=r"1 ids have values outside 0 to 1: '1'; .* softmax"):
        submit(sample("id,cat,dog"), values, ["cat", "dog"], Task.MULTICLASS)


def test_predictions_must_have_a_column_a_class(sample):
    with pytest.raises(ValueError, match=r"values \[3, 2\] for 3 ids and 3 classes; expected \[3, 3\]"):
        submit(sample(), PROBS[:, :2], THREE, Task.MULTICLASS)


def test_ranking_needs_a_name(sample):
    with pytest.raises(ValueError, match="top_k=0"):
        submit(sample(), PROBS, THREE, Task.MULTICLASS, top_k=0)


def test_repeated_ids_in_the_sample_are_refused(sample):
    with pytest.raises(ValueError, match=r"sample_submission\.csv: 1 ids occur more than once.*'1'"):
        submit(sample(ids=["1", "1"]), PROBS[:1], THREE, Task.MULTICLASS, ids=["1"])


def test_old_submission_survives_a_failed_write(sample, tmp_path, monkeypatch):
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def fail(self, file, **_):
        file.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        SubmissionShape(sample(), THREE, Task.MULTICLASS).write(path, Predictions(np.array(IDS), PROBS))
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "task, header, rows, message",
    [
        (Task.MULTICLASS, "id,labels", ["02,cat", "1,cat", "NA,cat"], "columns 'id', 'labels'; expected"),
        (Task.MULTICLASS, "id,label", ["02,cat", "1,cat"], "1 ids of .* are missing: 'NA'"),
        (Task.MULTICLASS, "id,label", ["02,cat", "1,cat", "NA,cat", "3,cat"], "1 are not in it: '3'"),
        (Task.MULTICLASS, "id,label", ["02,cat", "1,cat", "1,cat"], "1 ids occur more than once"),
        (Task.MULTICLASS, "id,label", ["1,cat", "02,cat", "NA,cat"], "line 2 has id '1'; expected '02'"),
        (
            Task.MULTICLASS,
            "id,label",
            ["02,cat", "1,cow", "NA,cat"],
            "first 'cow' of id '1'; expected one of",
        ),
        (
            Task.MULTICLASS,
            "id,label",
            ["02,cat", "1,", "NA,"],
            "2 cells of column 'label' .* first '' of id '1'",
        ),
        (Task.MULTILABEL, "id,label", ["02,cat dog", "1,", "NA,cat cow"], "1 cells .* 'cat cow' of id 'NA'"),
        (Task.MULTILABEL, "id,label", ["02,cat cat", "1,dog", "NA,cat"], "first 'cat cat' of id '02'"),
        (Task.MULTILABEL, "id,label", ["02,cat  dog", "1,dog", "NA,cat"], "first 'cat  dog' of id '02'"),
    ],
)
def test_validation_finds_wrong_names(sample, tmp_path, task, header, rows, message):
    path = tmp_path / "submission.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(ValueError, match=message):
        SubmissionShape(sample(), THREE, task).validate(path)


@pytest.mark.parametrize("cell", ["", "nan", "1.1", "-0.1", "x", "inf"])
def test_validation_finds_wrong_probabilities(sample, tmp_path, cell):
    path = tmp_path / "submission.csv"
    path.write_text(f"id,cat,dog\n02,0.5,0.5\n1,0.5,{cell}\nNA,1,0\n")
    with pytest.raises(ValueError, match=f"column 'dog' are wrong, first '{cell}' of id '1'; .* from 0 to 1"):
        SubmissionShape(sample("id,cat,dog"), ("cat", "dog"), Task.MULTICLASS).validate(path)


@pytest.mark.parametrize("cell", ["", "nan", "x", "inf"])
def test_validation_finds_wrong_values(sample, tmp_path, cell):
    path = tmp_path / "submission.csv"
    path.write_text(f"id,x\n02,-5\n1,{cell}\nNA,1e3\n")
    with pytest.raises(ValueError, match=f"first '{cell}' of id '1'; expected a finite number"):
        SubmissionShape(sample("id,x"), ("x",), Task.REGRESSION).validate(path)


def test_validation_of_a_ranking_allows_no_empty_cell(sample, tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("id,label\n02,cat dog\n1,\nNA,elk\n")
    with pytest.raises(ValueError, match="first '' of id '1'; expected different names"):
        SubmissionShape(sample(), THREE, Task.MULTILABEL, metric_kind="ranking").validate(path)


def test_missing_submission(sample, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.csv: no such file"):
        SubmissionShape(sample(), THREE, Task.MULTICLASS).validate(tmp_path / "b.csv")


def test_from_csv_to_submission_names_never_change(sample, tmp_path):
    """Class names that pandas would read as numbers, missing or true come back as they were."""
    names = ["NA", "007", "True", "1e5", "None", "ü"]
    ids = [f"0{number}" for number in range(6)]
    for id_ in ids:
        (tmp_path / f"{id_}.png").touch()
    (tmp_path / "train.csv").write_text(
        "id,label\n" + "".join(f"{id_},{name}\n" for id_, name in zip(ids, names, strict=True))
    )
    competition = Competition("names", tmp_path, "multiclass", train_images="{id}.png")
    table = competition.read_train()
    rows = submit(
        sample(ids=ids[::-1]), np.eye(6)[table.targets], competition.classes, Task.MULTICLASS, ids=ids
    )
    assert rows[1:] == [[id_, name] for id_, name in zip(ids[::-1], names[::-1], strict=True)]
