"""Stackers small enough for tests, and members that are made up."""

from pathlib import Path

import numpy as np

from compkit.competition import Folds
from compkit.ensemble import Aligned
from compkit.ensemble.stackers import (
    CNNStacker,
    GBDTStacker,
    LogisticStacker,
    MLPStacker,
    RidgeStacker,
)
from compkit.types import Task

SHORT = {"networks": 2, "epochs": 30, "patience_epochs": 5, "lr": 1e-2}
STACKERS = {
    "logistic": LogisticStacker(penalty=10),
    "ridge": RidgeStacker(penalty=10),
    "mlp": MLPStacker(hidden=16, **SHORT),
    "cnn": CNNStacker(channels=8, context=2, **SHORT),
    "gbdt": GBDTStacker(max_trees=10),
}


def softmax(logits):
    """Probabilities of logits [..., C]."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def aligned_runs(oof, targets, fold, task=Task.MULTICLASS, test_of_folds=None, groups=None):
    """Runs with these predictions [M, N, C]; test is the mean of `test_of_folds`, a dict of [M, T, C]."""
    runs, rows, num_classes = oof.shape
    ids = np.array([f"id{row}" for row in range(rows)])
    test = None if test_of_folds is None else np.mean([*test_of_folds.values()], axis=0)
    return Aligned(
        names=tuple(f"run{run}" for run in range(runs)),
        folders=tuple(Path(f"run{run}") for run in range(runs)),
        task=task,
        classes=tuple(f"class{number}" for number in range(num_classes)),
        ids=ids,
        fold=fold,
        targets=targets,
        groups=groups,
        oof=oof,
        test_ids=None if test is None else np.array([f"test{row}" for row in range(test.shape[1])]),
        test=test,
        test_of_folds=test_of_folds,
        fold_hash="hash",
        folds=Folds(ids, fold, groups, "predefined"),
    )


def some_task(task, rows=120, runs=3, num_classes=4, seed=0):
    """Models with errors of their own: predictions [M, N, C] and targets."""
    rng = np.random.default_rng(seed)
    if task == Task.REGRESSION:
        targets = rng.normal(10, 5, (rows, num_classes))
        return targets + rng.normal(0, [[[1.0]], [[2.0]], [[3.0]]][:runs], (runs, rows, num_classes)), targets
    noise = rng.normal(0, 1, (runs, rows, num_classes))
    if task == Task.MULTICLASS:
        targets = rng.integers(0, num_classes, rows)
        return softmax(noise + 2 * np.eye(num_classes)[targets]), targets
    targets = (rng.random((rows, num_classes)) < 0.3).astype(float)
    return 1 / (1 + np.exp(-(noise + 3 * targets - 1.5))), targets
