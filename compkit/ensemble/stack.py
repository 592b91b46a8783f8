"""Stacking: a level-2 model learns from the out-of-fold predictions of several runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.ensemble.alignment import Aligned
from compkit.ensemble.crossfit import cross_fit, crossfit_parts
from compkit.ensemble.stack_columns import ColumnEncoder, Columns
from compkit.ensemble.stackers import Fitted, Inputs, Stacker
from compkit.ranges import one_of
from compkit.types import Task

TEST_FEATURES = ("auto", "per_fold", "mean")


class Level2(NamedTuple):
    """A level-2 model with what it knows of the table's columns."""

    encoder: ColumnEncoder
    model: Fitted
    task: Task

    def predict(self, predictions: np.ndarray, columns: pd.DataFrame) -> np.ndarray:
        """Probabilities or values [N, C] of rows with predictions [M, N, C] and columns [N, K]."""
        return self.model.predict(Inputs(predictions, self.encoder.encode(columns), self.task))


@dataclass(frozen=True)
class Stacked:
    """What a stack predicts.

    Attributes:
        nested: of each training row by the level-2 model that was fitted on the other parts, float64 [N, C].
        in_sample: of the same rows by a model fitted on all of them, float64 [N, C]; good for nothing but a warning.
        test: of the test rows, the mean of all level-2 models, float64 [T, C]; None without test rows.
        test_of_folds: the same of each level-2 model alone, by the fold it was not fitted on; empty for `mean`.
    """

    nested: np.ndarray
    in_sample: np.ndarray
    test: np.ndarray | None
    test_of_folds: dict[int, np.ndarray]


def choose_test_features(wanted: str, aligned: Aligned) -> str:
    """per_fold or mean: from what the level-2 models predict the test set.

    A level-2 model has learned from predictions of single models, one a row. per_fold gives the one that is left
    out of fold k what the runs' models of fold k predict; mean gives each of them the mean of all folds, which is
    smoother than anything it has learned from.

    Args:
        wanted: auto, per_fold or mean.
        aligned: the runs.

    Raises:
        ValueError: another word, or per_fold where a run keeps no test predictions by fold.
    """
    one_of("test_features", wanted, TEST_FEATURES)
    possible = aligned.test_of_folds is not None and len(np.unique(aligned.fold)) > 1
    if wanted == "per_fold" and not possible:
        raise ValueError(
            "test_features=per_fold: not all runs have a fold_K/test.parquet for each of several folds "
            f"({', '.join(aligned.names)}). Set test_features=mean."
        )
    return "per_fold" if wanted != "mean" and possible else "mean"


def stack(
    aligned: Aligned,
    stacker: Stacker,
    columns: Columns,
    test_features: str,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Stacked:
    """Fit a level-2 model without each part of the rows, and predict each part and the test set.

    The parts are the runs' folds, so that no row's label is known to the model that predicts it; see crossfit_parts.

    Args:
        aligned: M runs.
        stacker: how to learn.
        columns: of the same rows.
        test_features: per_fold or mean, see choose_test_features.
        seed: of the level-2 models.
        say: told how far it is.

    Raises:
        ValueError: see Stacker.fit, ColumnEncoder and crossfit_parts.
    """

    def parts_of(rows: np.ndarray) -> np.ndarray:
        groups = None if aligned.groups is None else aligned.groups[rows]
        return crossfit_parts(aligned.fold[rows], aligned.targets[rows], groups, seed)

    def fit(rows: np.ndarray) -> Level2:
        say(f"stacker={stacker.name}: learning from {len(rows)} of {len(aligned.ids)} rows")
        table = columns.train.iloc[rows]
        encoder = ColumnEncoder(table)
        inputs = Inputs(aligned.oof[:, rows], encoder.encode(table), aligned.task)
        return Level2(encoder, stacker.fit(inputs, aligned.targets[rows], parts_of(rows), seed), aligned.task)

    def predict(level2: Level2, rows: np.ndarray) -> np.ndarray:
        return level2.predict(aligned.oof[:, rows], columns.train.iloc[rows])

    everything = np.arange(len(aligned.ids))
    nested, level2_of_parts = cross_fit(fit, predict, parts_of(everything))
    in_sample = predict(fit(everything), everything)
    if aligned.test is None or columns.test is None:
        return Stacked(nested, in_sample, None, {})
    if test_features == "mean":
        tests = [one.predict(aligned.test, columns.test) for one in level2_of_parts.values()]
        return Stacked(nested, in_sample, np.mean(tests, axis=0), {})
    assert aligned.test_of_folds is not None
    test_of_folds = {
        fold: level2.predict(aligned.test_of_folds[fold], columns.test)
        for fold, level2 in level2_of_parts.items()
    }
    return Stacked(nested, in_sample, np.mean([*test_of_folds.values()], axis=0), test_of_folds)
