"""Stacking does not see what it is judged on, and test rows get what their models have learned from."""

import numpy as np
import pandas as pd
import pytest

from compkit.ensemble import ColumnEncoder, Columns, choose_test_features, crossfit_parts, stack
from compkit.ensemble.stackers import Inputs, RidgeStacker
from compkit.metrics import accuracy, log_loss
from compkit.types import Task

from .stackers import STACKERS, aligned_runs, softmax, some_task


def no_columns(aligned):
    """Tables without columns."""
    test = None if aligned.test_ids is None else pd.DataFrame(index=range(len(aligned.test_ids)))
    return Columns(pd.DataFrame(index=range(len(aligned.ids))), test)


def with_test(task=Task.MULTICLASS, folds=3):
    """Three runs with test predictions by fold."""
    oof, targets = some_task(task)
    test_of_folds = {fold: some_task(task, rows=20, seed=9 + fold)[0] for fold in range(folds)}
    return aligned_runs(oof, targets, np.arange(len(targets)) % folds, task, test_of_folds)


@pytest.mark.parametrize("name", STACKERS)
def test_random_labels_score_by_chance_nested_but_not_in_sample(name):
    rng = np.random.default_rng(4)
    rows, num_classes = 400, 4
    oof, targets = softmax(rng.normal(size=(30, rows, num_classes))), rng.integers(0, num_classes, rows)
    aligned = aligned_runs(oof, targets, rng.integers(0, 4, rows))
    stacked = stack(aligned, STACKERS[name], no_columns(aligned), "mean")
    chance, deviation = 1 / num_classes, np.sqrt(3 / 16 / rows)
    assert abs(accuracy(targets, stacked.nested) - chance) < 3 * deviation
    assert accuracy(targets, stacked.in_sample) > chance + 4 * deviation


@pytest.mark.parametrize("name", STACKERS)
def test_a_label_changes_nothing_for_the_rows_of_its_own_fold(name):
    aligned = with_test()
    column = pd.DataFrame({"size": np.arange(120.0), "kind": np.where(np.arange(120) % 2, "a", "b")})
    columns = Columns(column, column.iloc[:20])
    before = stack(aligned, STACKERS[name], columns, "per_fold")
    targets = aligned.targets.copy()
    inside = aligned.fold == 1
    targets[inside] = (targets[inside] + 1) % 4
    changed = aligned_runs(aligned.oof, targets, aligned.fold, test_of_folds=aligned.test_of_folds)
    after = stack(changed, STACKERS[name], columns, "per_fold")
    np.testing.assert_array_equal(after.nested[inside], before.nested[inside])
    assert not np.array_equal(after.nested[~inside], before.nested[~inside])
    np.testing.assert_array_equal(after.test_of_folds[1], before.test_of_folds[1])


@pytest.mark.parametrize("name", STACKERS)
def test_two_runs_that_know_different_classes_are_better_together(name):
    rng = np.random.default_rng(0)
    rows = 500
    targets = rng.integers(0, 10, rows)
    runs = []
    for known in (range(5), range(5, 10)):
        logits = rng.normal(size=(rows, 10))
        inside = np.flatnonzero(np.isin(targets, known))
        logits[inside, targets[inside]] += 3.0
        runs.append(softmax(logits))
    aligned = aligned_runs(np.stack(runs), targets, np.arange(rows) % 3)
    nested = stack(aligned, STACKERS[name], no_columns(aligned), "mean").nested
    mean = np.mean(runs, axis=0)
    assert log_loss(targets, nested) < log_loss(targets, mean) < min(log_loss(targets, run) for run in runs)
    assert accuracy(targets, nested) > max(accuracy(targets, run) for run in runs) + 0.2


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("test_features", ["per_fold", "mean"])
def test_level_2_by_hand(task, test_features):
    aligned, stacker = with_test(task), RidgeStacker(penalty=5)
    stacked = stack(aligned, stacker, no_columns(aligned), test_features)

    def inputs(predictions):
        return Inputs(predictions, np.zeros((predictions.shape[1], 0)), task)

    tests = []
    for fold in range(3):
        outside = aligned.fold != fold
        fitted = stacker.fit(
            inputs(aligned.oof[:, outside]), aligned.targets[outside], aligned.fold[outside], 0
        )
        inside = fitted.predict(inputs(aligned.oof[:, ~outside]))
        np.testing.assert_allclose(stacked.nested[~outside], inside)
        seen = aligned.test_of_folds[fold] if test_features == "per_fold" else aligned.test
        tests.append(fitted.predict(inputs(seen)))
    np.testing.assert_allclose(stacked.test, np.mean(tests, axis=0))
    everything = stacker.fit(inputs(aligned.oof), aligned.targets, aligned.fold, 0)
    np.testing.assert_allclose(stacked.in_sample, everything.predict(inputs(aligned.oof)))
    assert sorted(stacked.test_of_folds) == ([0, 1, 2] if test_features == "per_fold" else [])


def test_a_single_fold_is_parted_and_keeps_groups_together():
    oof, targets = some_task(Task.MULTICLASS)
    groups = np.array([f"patient{row // 4}" for row in range(120)])
    aligned = aligned_runs(oof, targets, np.zeros(120, dtype=int), groups=groups)
    seen = []

    class Recording(RidgeStacker):
        def fit(self, inputs, targets, parts, seed):
            seen.append((inputs.predictions[0, :, 0], parts))
            return super().fit(inputs, targets, parts, seed)

    stacked = stack(aligned, Recording(penalty=1), no_columns(aligned), "mean")
    assert stacked.test is None and len(seen) == 6
    for first_values, parts in seen:
        rows = np.flatnonzero(np.isin(oof[0, :, 0], first_values))
        assert len(rows) % 4 == 0 and len(np.unique(groups[rows])) == len(rows) // 4
        pairs = pd.DataFrame({"group": groups[rows], "part": parts}).drop_duplicates()
        assert not pairs["group"].duplicated().any() and len(np.unique(parts)) == 5
    np.testing.assert_array_equal(seen[-1][1], crossfit_parts(aligned.fold, targets, groups, 0))


def test_columns_of_the_table_are_learned_from():
    """Which of two runs knows and which one tosses a coin stands in the table."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 300)
    camera = rng.integers(0, 2, 300)
    said = np.where(camera == np.arange(2)[:, None], targets, rng.integers(0, 2, (2, 300)))
    oof = softmax(2 * np.eye(2)[said])
    aligned = aligned_runs(oof, targets, np.arange(300) % 3)
    column = pd.DataFrame({"camera": np.array(["front", "back"], dtype=object)[camera]})
    without = stack(aligned, STACKERS["gbdt"], no_columns(aligned), "mean").nested
    nested = stack(aligned, STACKERS["gbdt"], Columns(column, None), "mean").nested
    assert accuracy(targets, without) < 0.85 and accuracy(targets, nested) == 1


def test_which_test_features():
    both = with_test()
    assert choose_test_features("auto", both) == choose_test_features("per_fold", both) == "per_fold"
    assert choose_test_features("mean", both) == "mean"
    without = aligned_runs(both.oof, both.targets, both.fold)
    assert choose_test_features("auto", without) == "mean"
    one_fold = with_test(folds=1)
    assert choose_test_features("auto", one_fold) == "mean"
    for runs in (without, one_fold):
        with pytest.raises(ValueError, match="Set test_features=mean"):
            choose_test_features("per_fold", runs)
    with pytest.raises(ValueError, match="expected one of auto, per_fold, mean"):
        choose_test_features("fold", both)


def test_progress_is_told():
    aligned, said = with_test(), []
    stack(aligned, STACKERS["ridge"], no_columns(aligned), "mean", say=said.append)
    assert said[0] == "stacker=ridge: learning from 80 of 120 rows" and len(said) == 4
    assert isinstance(ColumnEncoder(no_columns(aligned).train).encode(no_columns(aligned).train), np.ndarray)
