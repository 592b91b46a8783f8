"""Every form in which a competition may want its submission: written, read by a plain CSV reader, and spoiled."""

import csv
from dataclasses import dataclass, field

import numpy as np
import pytest

from compkit.competition import SubmissionShape
from compkit.types import Limits, Predictions, Task

THREE = ("cat", "dog", "polar_bear")
IDS = ("007", "a.b", "7")
PROBS = [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [0.25, 0.5, 0.25]]
FLAGS = [[0.5, 0.75, 1], [0, 0.125, 0.25], [0.75, 0, 0.5]]


@dataclass
class Form:
    """A sample submission, what is predicted for IDS, and the lines that a submission then has."""

    sample: list[str]
    want: list[str]
    task: Task = Task.MULTICLASS
    classes: tuple[str, ...] = THREE
    values: list[list[float]] = field(default_factory=lambda: PROBS)
    keys: dict[str, object] = field(default_factory=dict)
    format: str = "probabilities"
    separator: str = ","


SUMS = {"limits": Limits(sums_to_one=True)}
LONG = {"id_column": "row", "row_ids": "{id}_{class}"}
PAIRS = {"id_column": "image", "class_column": "kind"}
FORMS = {
    "names": Form(
        ["id,label", "7,x", "007,x", "a.b,x"], ["7,dog", "007,cat", "a.b,polar_bear"], format="labels"
    ),
    "names as the sample calls them": Form(
        ["id,label", "7,0", "007,0", "a.b,0"],
        ["7,1", "007,0", "a.b,2"],
        keys={"names": {"cat": "0", "dog": "1", "polar_bear": "2"}},
        format="labels",
    ),
    "a column a class in an order of its own": Form(
        ["id,polar_bear,cat,dog", "7,0,0,0", "007,0,0,0", "a.b,0,0,0"],
        ["7,0.25,0.25,0.5", "007,0.25,0.5,0.25", "a.b,0.75,0.125,0.125"],
        keys=SUMS,
    ),
    "columns called otherwise": Form(
        ["file;prob_dog;prob_cat;other", "a.b.jpg;0;0;0", "7.jpg;0;0;0", "007.jpg;0;0;0"],
        ["a.b.jpg;0.125;0.125;0.75", "7.jpg;0.5;0.25;0.25", "007.jpg;0.25;0.5;0.25"],
        keys={
            "id_column": "file",
            "row_ids": "{id}.jpg",
            "names": {"cat": "prob_cat", "dog": "prob_dog", "polar_bear": "other"},
        },
        separator=";",
    ),
    "some of the classes": Form(
        ["id,dog,cat", "007,0,0", "7,0,0", "a.b,0,0"],
        ["007,0.25,0.5", "7,0.5,0.25", "a.b,0.125,0.125"],
        keys=SUMS,
    ),
    "one of three classes": Form(
        ["id\tdog", "007\t0", "7\t0", "a.b\t0"], ["007\t0.25", "7\t0.5", "a.b\t0.125"], separator="\t"
    ),
    "one column for two classes": Form(
        ["id,target", "007,0", "7,0", "a.b,0"],
        ["007,0.25", "7,0.75", "a.b,1"],
        classes=("no", "yes"),
        values=[[0.75, 0.25], [0, 1], [0.25, 0.75]],
        keys={"metric_kind": "probabilities"} | SUMS,
    ),
    "labels joined by a blank": Form(
        ["id,tags", "007,", "7,", "a.b,"],
        ["007,dog polar_bear", "7,cat", "a.b,"],
        task=Task.MULTILABEL,
        values=FLAGS,
        format="labels",
    ),
    "labels joined by a comma, with a word for none": Form(
        ["tags,id", "none,007", "none,7", "none,a.b"],
        ['"dog,polar_bear",007', "cat,7", "none,a.b"],
        task=Task.MULTILABEL,
        values=FLAGS,
        keys={"separator": ",", "empty_token": "none"},
        format="labels",
    ),
    "a ranking": Form(
        ["id,names", "007,x", "7,x", "a.b,x"],
        ["007,cat dog", "7,dog cat", "a.b,polar_bear cat"],
        keys={"metric_kind": "ranking", "top_k": 2},
        format="ranking",
    ),
    "a number": Form(
        ["id,price", "007,0", "7,0", "a.b,0"],
        ["007,-1.5", "7,0.25", "a.b,12"],
        task=Task.REGRESSION,
        classes=("value",),
        values=[[-1.5], [12], [0.25]],
        format="values",
    ),
    "several numbers": Form(
        ["id,y,x", "007,0,0", "7,0,0", "a.b,0,0"],
        ["007,2,-1.5", "7,0.25,0", "a.b,1,12"],
        task=Task.REGRESSION,
        classes=("x", "y"),
        values=[[-1.5, 2], [12, 1], [0, 0.25]],
        format="values",
    ),
    "numbers that the metric takes from 0": Form(
        ["id,price", "007,0", "7,0", "a.b,0"],
        ["007,0", "7,0.25", "a.b,12"],
        task=Task.REGRESSION,
        classes=("value",),
        values=[[-1.5], [12], [0.25]],
        keys={"limits": Limits(lowest=0)},
        format="values",
    ),
    "whole grades": Form(
        ["id,grade", "007,0", "7,0", "a.b,0"],
        ["007,0", "7,2", "a.b,4"],
        task=Task.REGRESSION,
        classes=("grade",),
        values=[[-0.75], [4.75], [1.75]],
        keys={"limits": Limits(0, 4, whole=True)},
        format="values",
    ),
    "a row for each id and class": Form(
        [
            "row,value",
            *(
                "007_polar_bear,0",
                "007_dog,0",
                "7_cat,0",
                "7_dog,0",
                "7_polar_bear,0",
                "a.b_cat,0",
                "a.b_dog,0",
            ),
        ],
        [
            *("007_polar_bear,0.25", "007_dog,0.25", "7_cat,0.25", "7_dog,0.5", "7_polar_bear,0.25"),
            *("a.b_cat,0.125", "a.b_dog,0.125"),
        ],
        keys=LONG | SUMS,
    ),
    "a row for each class and id, called otherwise": Form(
        ["row,value", "pb/a.b,0", "dog/a.b,0", "dog/7,0", "pb/007,0"],
        ["pb/a.b,0.25", "dog/a.b,0.125", "dog/7,0", "pb/007,1"],
        task=Task.MULTILABEL,
        values=FLAGS,
        keys={"id_column": "row", "row_ids": "{class}/{id}", "names": {"polar_bear": "pb"}},
    ),
    "a row for each id and class, in columns of their own": Form(
        ["kind,image,p", "cat,7,0", "dog,7,0", "cat,007,0", "polar_bear,a.b,0"],
        ["cat,7,0.75", "dog,7,0", "cat,007,0.5", "polar_bear,a.b,0.25"],
        task=Task.MULTILABEL,
        values=FLAGS,
        keys=PAIRS,
    ),
    "a row for each id and number": Form(
        ["row,value", "7__x,0", "7__y,0", "007__x,0", "007__y,0", "a.b__x,0", "a.b__y,0"],
        ["7__x,0", "7__y,0.25", "007__x,-1.5", "007__y,2", "a.b__x,12", "a.b__y,1"],
        task=Task.REGRESSION,
        classes=("x", "y"),
        values=[[-1.5, 2], [12, 1], [0, 0.25]],
        keys={"id_column": "row", "row_ids": "{id}__{class}"},
        format="values",
    ),
}


@pytest.fixture(params=FORMS)
def written(request, tmp_path):
    """A form, its shape, and the submission that was written for it."""
    form = FORMS[request.param]
    sample = tmp_path / ("sample.tsv" if form.separator == "\t" else "sample.csv")
    sample.write_text("\n".join(form.sample) + "\n")
    shape = SubmissionShape(sample, form.classes, form.task, **form.keys)
    order = np.random.default_rng(0).permutation(3)
    predictions = Predictions(np.array(IDS)[order], np.float32(form.values)[order])
    path = tmp_path / "submission.csv"
    assert shape.write(path, predictions) == form.format == shape.check()
    return form, shape, path


def read(form, path):
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter=form.separator))


def spoil(form, path, change):
    """Apply a change to the rows of a submission, header first."""
    rows = read(form, path)
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=form.separator, lineterminator="\n").writerows(rows)


def is_value(form, column):
    return column not in (form.keys.get("id_column", "id"), form.keys.get("class_column"))


def value_place(form, rows):
    return next(place for place, column in enumerate(rows[0]) if is_value(form, column))


def test_what_is_written(written):
    form, shape, path = written
    assert path.read_text().splitlines() == [form.sample[0], *form.want]
    shape.validate(path)


def test_what_the_sample_asks_about(written):
    form, shape, _ = written
    assert sorted(shape.sample_ids()) == sorted(IDS)
    order = [next(at for at, row in enumerate(form.want) if id_ in row) for id_ in ("a.b", "007")]
    found = shape.sample_ids().tolist()
    assert (found.index("a.b") < found.index("007")) == (order[0] < order[1])


def test_a_missing_row(written):
    form, shape, path = written
    spoil(form, path, lambda rows: rows.pop())
    with pytest.raises(
        ValueError, match=r"submission\.csv: 1 ids of .* are missing: '.+'; 0 are not in it: none"
    ):
        shape.validate(path)


def test_an_extra_row(written):
    form, shape, path = written

    def add(rows):
        place = next(at for at, name in enumerate(rows[0]) if name == form.keys.get("id_column", "id"))
        further = list(rows[-1])
        further[place] = further[place].replace("a.b", "new").replace("7", "new")
        rows.append(further)

    spoil(form, path, add)
    with pytest.raises(ValueError, match=r"submission\.csv: 0 ids of .* 1 are not in it: '.*new"):
        shape.validate(path)


def test_a_row_twice(written):
    form, shape, path = written
    spoil(form, path, lambda rows: rows.append(rows[1]))
    with pytest.raises(ValueError, match=r"submission\.csv: 1 .* occur more than once"):
        shape.validate(path)


def test_another_order(written):
    form, shape, path = written
    spoil(form, path, lambda rows: rows.insert(1, rows.pop()))
    with pytest.raises(ValueError, match=r"line 2 has id '.+'; expected '.+', the order of"):
        shape.validate(path)


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "1e400", "?", " "])
def test_a_cell_that_cannot_be_meant(written, cell):
    form, shape, path = written
    spoil(form, path, lambda rows: rows[2].__setitem__(value_place(form, rows), cell))
    with pytest.raises(ValueError, match=r"1 cells of column .* are wrong, first .* expected"):
        shape.validate(path)


def test_an_empty_cell(written):
    form, shape, path = written
    spoil(form, path, lambda rows: rows[2].__setitem__(value_place(form, rows), ""))
    if form.task == Task.MULTILABEL and form.format == "labels" and "empty_token" not in form.keys:
        shape.validate(path)  # it says that there is no label
    else:
        with pytest.raises(ValueError, match=r"1 cells of column .* are wrong, first ''"):
            shape.validate(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.reverse(),
        lambda row: row.append("more"),
        lambda row: row.pop(),
        lambda row: row.__setitem__(0, "another"),
        lambda row: row.__setitem__(-1, "another"),
    ],
)
def test_other_columns(written, change):
    form, shape, path = written

    def change_all(rows):
        for row in rows if change.__code__.co_names[0] in ("reverse", "append", "pop") else rows[:1]:
            change(row)

    spoil(form, path, change_all)
    with pytest.raises(ValueError, match=r"columns .*; expected those of .*, in order: "):
        shape.validate(path)


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if "limits" in form.keys])
def test_numbers_that_the_metric_cannot_judge(name, tmp_path):
    form = FORMS[name]
    (tmp_path / "sample.csv").write_text("\n".join(form.sample) + "\n")
    shape = SubmissionShape(tmp_path / "sample.csv", form.classes, form.task, **form.keys)
    (tmp_path / "a.csv").write_text("\n".join([form.sample[0], *form.want]) + "\n")
    shape.validate(tmp_path / "a.csv")
    cell, message = ("-0.5", "a finite number from 0 to inf") if name.startswith("numbers") else ("0.5", "")
    if name == "whole grades":
        message = "a whole number from 0 to 4"
    spoil(form, tmp_path / "a.csv", lambda rows: rows[-1].__setitem__(-1, cell))
    if form.format == "values":
        with pytest.raises(ValueError, match=f"first '{cell}' .* expected {message}"):
            shape.validate(tmp_path / "a.csv")
    else:  # a probability, but in the forms that hold all classes of an id one that misses the sum
        whole = name in ("a column a class in an order of its own",)
        if whole:
            with pytest.raises(
                ValueError, match=r"probabilities of 1 ids do not sum to 1, first .*'a\.b': 1\.375"
            ):
                shape.validate(tmp_path / "a.csv")
        else:
            shape.validate(tmp_path / "a.csv")


def test_long_rows_sum_to_one_where_all_classes_are_asked_for(tmp_path):
    form = FORMS["a row for each id and class"]
    (tmp_path / "sample.csv").write_text("\n".join(form.sample) + "\n")
    shape = SubmissionShape(tmp_path / "sample.csv", form.classes, form.task, **form.keys)
    (tmp_path / "a.csv").write_text("\n".join([form.sample[0], *form.want]) + "\n")
    spoil(form, tmp_path / "a.csv", lambda rows: rows[3].__setitem__(1, "0.252"))
    with pytest.raises(ValueError, match=r"of 1 ids do not sum to 1, first those of id '7': 1.002"):
        shape.validate(tmp_path / "a.csv")
    spoil(form, tmp_path / "a.csv", lambda rows: rows[3].__setitem__(1, "0.2509"))
    shape.validate(tmp_path / "a.csv")


def test_nothing_is_written_that_does_not_validate(tmp_path):
    """Predictions of exclusive classes that do not sum to one leave the earlier submission as it was."""
    form = FORMS["a column a class in an order of its own"]
    (tmp_path / "sample.csv").write_text("\n".join(form.sample) + "\n")
    shape = SubmissionShape(tmp_path / "sample.csv", form.classes, form.task, **form.keys)
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"submission\.csv: the probabilities of 3 ids do not sum"):
        shape.write(path, Predictions(np.array(IDS), np.full((3, 3), 0.5)))
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2


def test_what_the_sample_does_not_ask_for(tmp_path):
    sample = tmp_path / "sample.csv"

    def left_out(text, classes=THREE, task=Task.MULTICLASS, **keys):
        sample.write_text(text)
        return SubmissionShape(sample, classes, task, **keys).left_out()

    assert left_out("id,dog\n1,0\n") == ["cat", "polar_bear"]
    assert left_out("id,label\n1,0\n") == []
    assert left_out("row,p\n1_cat,0\n2_dog,0\n", **LONG) == ["polar_bear"]
    assert left_out("id,target\n1,0\n", ("no", "yes"), metric_kind="probabilities") == []
    assert left_out("id,x\n1,0\n", ("x", "y"), Task.REGRESSION) == ["y"]
    assert left_out("id,prob_cat\n1,0\n", names={"cat": "prob_cat"}) == ["dog", "polar_bear"]


@pytest.mark.parametrize(
    "text, keys, message",
    [
        ("row,value\n1_cow,0\n", LONG, r"1 rows name no class by '\{id\}_\{class\}', the first '1_cow'"),
        ("row,value\ncat,0\n", LONG, "name no class"),
        ("row,a,b\n1_cat,0,0\n", LONG, "beside them the columns 'a', 'b'; expected one column of values"),
        ("row,value\n1_cat,0\n1_cat,0\n", LONG, "1 ids occur more than once"),
        ("image,kind,p\n1,cow,0\n", PAIRS, "1 rows name no class by 'kind', the first 'cow'"),
        (
            "image,kind,p\n1,cat,0\n1,cat,0\n",
            PAIRS,
            r"1 pairs of id and class occur more than once: '1 \[cat\]'",
        ),
        ("image,kind,p\n,cat,0\n", PAIRS, "column 'image' is empty in 1 rows"),
        ("image,kind,p\n1,,0\n", PAIRS, "column 'kind' is empty in 1 rows"),
        ("image,p\n1,0\n", PAIRS, r"column 'kind' not found.*competition\.sample_class_column"),
        (
            "id,label\n1,0\n",
            {"row_ids": "{id}.png"},
            r"1 of 1 ids do not look like '\{id\}\.png': '1'.*competition\.sample_ids",
        ),
        (
            "id,label\n1,0\n",
            {"row_ids": "{class}"},
            r"sample_ids='\{class\}': expected \{id\}, with or without",
        ),
        (
            "id,label\n1,0\n",
            {"row_ids": "{id}_{class}", "class_column": "kind"},
            "both say where the class stands",
        ),
        ("id,label\n1,0\n", {"names": {"cow": "1"}}, "submission_names: 'cow' are no classes"),
        ("id,label\n1,0\n", {"names": {"cat": "dog"}}, "several classes would be called 'dog'"),
        ("id,label\n1,0\n", {"top_k": 0}, "top_k=0: expected at least 1"),
    ],
)
def test_samples_and_keys_that_do_not_go_together(tmp_path, text, keys, message):
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        SubmissionShape(tmp_path / "sample.csv", THREE, Task.MULTICLASS, **keys).check()


@pytest.mark.parametrize(
    "name, text", [("sample.json", '[{"id": "1", "label": "cat"}]'), ("sample.txt", "id label\n1 cat\n")]
)
def test_samples_that_are_no_csv(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(
        ValueError, match="a submission is a CSV with commas, tabs or semicolons, and this sample is"
    ):
        SubmissionShape(tmp_path / name, THREE, Task.MULTICLASS).check()
