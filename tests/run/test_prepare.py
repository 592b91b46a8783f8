"""What is settled before the first epoch."""

import numpy as np
import pandas as pd
import pytest

from compkit.data import BadImage
from compkit.engine import Console, Ranks
from compkit.run.prepare import EXPLAINED, class_counts, list_bad, prepare, target_prior
from compkit.types import Table, Task

FILES = np.empty((4, 1), dtype="S1")
IDS = np.array(list("abcd"))


def prepared(plan):
    return prepare(plan, Ranks(), Console(quiet=True))


def test_prior_and_counts_by_task():
    classes = Table(IDS, FILES, np.array([0, 2, 2, 1]))
    labels = Table(IDS, FILES, np.array([[1, 0], [1, 1], [0, 0], [1, 0]], np.float32))
    rows = np.array([0, 1, 2])
    np.testing.assert_allclose(target_prior(classes, rows, 4), [1 / 3, 0, 2 / 3, 0])
    np.testing.assert_allclose(target_prior(labels, rows, 2), [2 / 3, 1 / 3])
    assert class_counts(classes, rows, Task.MULTICLASS, 4).tolist() == [1, 0, 2, 0]
    assert class_counts(labels, rows, Task.MULTILABEL, 2).tolist() == [2, 1]
    assert class_counts(labels, rows, Task.REGRESSION, 2) is None


def test_every_bad_picture_is_named():
    text = list_bad([BadImage(f"id{number}", "f.png", "empty") for number in range(EXPLAINED + 30)])
    assert all(f"id{number}" in text for number in range(EXPLAINED + 30))
    assert len(text.splitlines()) == EXPLAINED + 1


def test_later_runs_of_the_same_rows_reuse_the_first_run_s_folds(plan):
    first = prepared(plan(name="a")).folds
    [path] = (plan().folder.parent / "folds").iterdir()
    # what a newer scikit-learn might have made of the same rows
    frame = pd.read_csv(path, dtype=str, na_filter=False)
    frame["fold"] = frame["fold"].map({"0": "1", "1": "0"})
    frame.to_csv(path, index=False)
    second = prepared(plan(name="b")).folds
    assert (second.fold == 1 - first.fold).all()
    assert prepared(plan("fold_seed=1", name="c")).folds.hash != second.hash
    assert prepared(plan("limit=40", name="d")).folds.num_folds == 2
    assert len(list(path.parent.iterdir())) == 3


def test_no_test_predictions_wanted(plan):
    assert prepared(plan("predict_test=false")).test is None
    assert len(prepared(plan()).test) == 360


@pytest.mark.parametrize("competition", ["mosaic", "tilt"])
def test_embedded_groups_stay_together(plan, competition):
    data = prepared(plan(f"competition={competition}", "folds=4"))
    folds = pd.DataFrame({"group": data.folds.groups, "fold": data.folds.fold})
    assert (folds.groupby("group")["fold"].nunique() == 1).all()
