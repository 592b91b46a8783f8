import json

import numpy as np
import pandas as pd
import pytest

from compkit.findings import Finding, Status
from compkit.report import write_report

from .conftest import NASTY
from .test_page import page_of

READABLE = "readable pictures, train"


@pytest.fixture
def run(make_run):
    return make_run(rows=90, classes=3)


def inspect(run, name="inspection", unreadable=0, rows=90, groups=(), **changes):
    """An inspection of the rows of a run beside it, as scripts/inspect_data.py leaves it."""
    folder = run.parent / name
    folder.mkdir()
    counts = pd.read_parquet(run / "oof.parquet")["target"].value_counts()
    findings = [
        Finding(READABLE, Status.FAIL if unreadable else Status.PASS, "some", unreadable, remedy="repair"),
        Finding("duplicates, train", Status.WARN, "two are alike", 2, remedy=f"group them {NASTY}"),
    ]
    record = {
        "competition": "digits",
        "train_pictures": rows,
        "test_pictures": 7,
        "findings": [one.to_dict() for one in findings],
        "sizes": {"32 x 48": 80, "64 x 64": 10},
        "classes": {
            name: int(counts[name]) for name in json.loads((run / "metrics.json").read_text())["classes"]
        },
        "label_issues": [
            {"id": NASTY, "output": None, "given": "class 1", "predicted": "class 2", "margin": 0.75}
        ],
    }
    (folder / "inspection.json").write_text(json.dumps(record | changes))
    rows_of = [(id, "train", number) for number, ids in enumerate(groups) for id in ids]
    pd.DataFrame(rows_of, columns=["id", "part", "group"]).to_csv(
        folder / "duplicate_groups.csv", index=False
    )
    return folder


def ids(run):
    return pd.read_csv(run / "folds.csv", dtype=str)["id"].tolist()


def test_without_an_inspection_the_command_is_told(run):
    assert "scripts/inspect_data.py competition=digits" in page_of(write_report(run, None)).sections["data"]


def test_an_inspection_of_these_rows_is_shown(run):
    names = ids(run)  # fold is the row's number modulo 3
    inspect(run, groups=[names[1:3], [names[0], names[3]], names[4:7]])
    path = write_report(run, None)
    section, top = page_of(path).sections["data"], page_of(path).sections[""]
    for words in ("90 training and 7 test pictures", "32 x 48", "two are alike", "class 2", "0.7500"):
        assert words in section
    assert "3 groups of duplicates" in section and "2 of them lie in more than one fold" in section
    assert "duplicates, train" in top and "<script" not in path.read_text()


def test_rows_that_cannot_be_read_may_be_left_out_of_the_run(run):
    inspect(run, unreadable=4, rows=94)
    assert "94 training" in page_of(write_report(run, None)).sections["data"]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"rows": 120}, "120 training pictures, this run has 90"),
        ({"rows": 60}, "60 training pictures, this run has 90"),
        ({"classes": {"cat": 45, "dog": 45}}, "its classes are cat, dog"),
        ({"groups": [["x.png", "y.png"]]}, "are no rows of this run"),
    ],
)
def test_an_inspection_of_other_data_is_named_and_not_shown(run, changes, words):
    inspect(run, **changes)
    page = page_of(write_report(run, None))
    assert "is of other data" in page.sections[""] and words in page.sections[""]
    assert "No inspection of these rows" in page.sections["data"]


def test_other_counts_of_the_same_classes_are_other_data(run):
    folder = inspect(run)
    record = json.loads((folder / "inspection.json").read_text())
    counts = list(record["classes"].values())
    counts[0], counts[1] = counts[0] + 1, counts[1] - 1
    record["classes"] = dict(zip(record["classes"], counts, strict=True))
    (folder / "inspection.json").write_text(json.dumps(record))
    assert "other numbers of pictures" in page_of(write_report(run, None)).sections[""]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"findings": []}', '{"findings": 3}', "null"])
def test_a_damaged_inspection_is_named_and_the_next_one_taken(run, content):
    (inspect(run) / "inspection.json").write_text(content)
    page = page_of(write_report(run, None))
    assert "inspection/inspection.json is damaged" in page.sections[""]
    inspect(run, "inspection_2")
    assert "90 training and 7 test" in page_of(write_report(run, None)).sections["data"]


def test_many_regression_targets_and_several_labels_are_counted(make_run):
    folder = make_run("labels", task="multilabel", rows=60, classes=4)
    frame = pd.read_parquet(folder / "oof.parquet")
    want = frame.filter(like="target_").groupby(frame["fold"]).sum()
    lines = page_of(write_report(folder, None)).sections["data"].split("\n")
    start = lines.index("class 1")
    row = [line for line in lines[start + 1 :] if line][:4]
    np.testing.assert_array_equal([int(cell) for cell in row][1:], want["target_class 1"].astype(int))
