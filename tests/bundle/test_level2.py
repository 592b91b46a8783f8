"""Level-2 models as arrays say what the fitted ones say."""

import io

import numpy as np
import pytest

from compkit.bundle.level2 import SavedLevel2, level2_arrays
from compkit.ensemble.stackers import (
    CNNStacker,
    GBDTStacker,
    Inputs,
    LogisticStacker,
    MLPStacker,
    RidgeStacker,
)
from compkit.types import Task

STACKERS = [
    LogisticStacker(),
    RidgeStacker(),
    MLPStacker(networks=2, epochs=2, hidden=5),
    CNNStacker(networks=2, epochs=2, channels=3, context=2),
    GBDTStacker(max_trees=10, min_leaf_rows=5),
]
TASKS = [(Task.MULTICLASS, 2), (Task.MULTICLASS, 4), (Task.MULTILABEL, 3), (Task.REGRESSION, 2)]


def rows(task, classes, count, seed, present=None):
    rng = np.random.default_rng(seed)
    predictions = rng.random((2, count, classes))
    if task == Task.REGRESSION:
        return predictions, predictions.mean(axis=0) * 7 + rng.normal(size=(count, classes))
    if task == Task.MULTILABEL:
        return predictions, (rng.random((count, classes)) > 0.5).astype(float)
    predictions /= predictions.sum(axis=2, keepdims=True)
    return predictions, rng.choice(present or classes, count)


def assert_same(stacker, task, predictions, targets):
    fitted = stacker.fit(
        Inputs(predictions, np.zeros((len(targets), 0)), task), targets, np.arange(len(targets)) % 3, 0
    )
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **level2_arrays(fitted, stacker.name))
    file.seek(0)
    arrays = dict(np.load(file, allow_pickle=False))
    new, _ = rows(task, predictions.shape[2], 50, seed=1)
    want = fitted.predict(Inputs(new, np.zeros((50, 0)), task))
    np.testing.assert_allclose(SavedLevel2(arrays, task).predict(new), want, atol=1e-12)


@pytest.mark.parametrize("stacker", STACKERS, ids=lambda one: one.name)
@pytest.mark.parametrize("task, classes", TASKS)
def test_arrays_say_what_the_model_said(stacker, task, classes):
    if stacker.name == "logistic" and task == Task.REGRESSION:
        pytest.skip("logistic is for classes")
    assert_same(stacker, task, *rows(task, classes, 120, seed=0))


@pytest.mark.parametrize("present", [[2], [0, 3], [0, 1, 3]])
@pytest.mark.parametrize("stacker", [STACKERS[0], STACKERS[4]], ids=lambda one: one.name)
def test_classes_without_rows_keep_their_small_chance(stacker, present):
    assert_same(stacker, Task.MULTICLASS, *rows(Task.MULTICLASS, 4, 90, seed=0, present=present))


def test_a_label_that_is_always_there():
    predictions, targets = rows(Task.MULTILABEL, 3, 90, seed=0)
    targets[:, 1] = 1
    assert_same(LogisticStacker(), Task.MULTILABEL, predictions, targets)
