"""Names and values of labels that are wrong by themselves."""

import numpy as np
import pandas as pd
import pytest

from compkit.findings import Status
from compkit.inspection.label_names import label_findings, plain_name
from compkit.types import Table, Task


def findings(targets, task, classes, frame=None):
    ids, files = np.arange(len(targets)).astype(str), np.zeros((len(targets), 1), "S1")
    table = Table(ids, files, targets, pd.DataFrame(frame or {}, index=range(len(targets))))
    return {one.check: one for one in label_findings(table, task, classes, {"id"})}


@pytest.mark.parametrize(
    "classes",
    [
        ("cat", "cat "),
        ("Cat", "cat"),
        ("1", "01"),
        ("big_dog", "big dog"),
        ("big-dog", "big dog"),
        ("-1", "-1.0"),
    ],
)
def test_one_class_under_two_names(classes):
    found = findings(np.array([0, 1]), Task.MULTICLASS, (*classes, "other"))["class names"]
    assert (
        found.status == Status.WARN
        and repr(classes[0]) in found.message
        and repr(classes[1]) in found.message
    )


@pytest.mark.parametrize(
    "classes",
    [
        ("a", "A"),
        ("1", "10"),
        ("cat", "cats"),
        ("-", "_"),
        ("1.5", "15"),
        ("-1", "1"),
        ("A-", "A"),
        ("AB-", "AB"),
        ("²", "2"),
    ],
)
def test_classes_that_differ(classes):
    found = findings(np.array([0, 1]), Task.MULTICLASS, classes)["class names"]
    assert found.status == Status.PASS, plain_name(classes[0])


def test_labels_that_are_equal():
    rng = np.random.default_rng(0)
    first, other = (rng.random((2, 100)) < 0.3).astype(np.float32)
    rare = (np.arange(100) < 3).astype(np.float32)
    targets = np.stack([first, rare, other, first, rare], axis=1)
    twins = findings(targets, Task.MULTILABEL, tuple("abcde"))["labels that are equal"]
    assert twins.status == Status.WARN and twins.evidence["names"] == [["a", "d"]]  # rare ones meet by chance
    numbers = findings(rng.normal(size=(50, 2)), Task.REGRESSION, ("x", "y"))["labels that are equal"]
    assert numbers.status == Status.PASS
    assert (
        findings(np.array([0, 1]), Task.MULTICLASS, ("a", "b"))["labels that are equal"].status == Status.SKIP
    )


def test_labels_and_columns_that_never_change():
    targets = np.array([[1, 0, 0], [1, 1, 0]], np.float32)
    found = findings(targets, Task.MULTILABEL, ("on", "x", "off"), {"id": ["1", "2"], "site": ["a", "a"]})
    still = found["labels that never change"]
    assert still.status == Status.WARN and still.value == 2 and "on = 1, off = 0" in still.message
    assert (
        found["columns that never change"].status == Status.INFO
        and "site" in found["columns that never change"].message
    )
    moving = findings(targets[:, 1:2], Task.REGRESSION, ("y",), {"id": ["1", "1"]})
    assert {one.status for one in moving.values()} == {Status.PASS, Status.SKIP}


def test_a_single_class_never_changes():
    for targets, status in ((np.array([1, 1]), Status.WARN), (np.array([0, 1]), Status.SKIP)):
        found = findings(targets, Task.MULTICLASS, ("cat", "dog"))["labels that never change"]
        assert found.status == status and ("dog" in found.message) == (status == Status.WARN)
