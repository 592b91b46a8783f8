"""Gradient-boosted trees on predictions and columns."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from compkit.ensemble.stackers.classifiers import FittedClassifiers, fit_classifiers
from compkit.ensemble.stackers.inputs import Inputs, check_inputs, side_by_side
from compkit.ensemble.stackers.selection import task_loss
from compkit.ranges import above_zero_to_one, not_negative, whole
from compkit.types import Task

HELD_OUT = 2  # parts that are held out, one after the other, to choose the number of trees


@dataclass(frozen=True)
class FittedCorrections:
    """Trees that know by how much the mean of the models is wrong, one model a target column."""

    models: list[Any]

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Values in the targets' unit, float64 [N, C]."""
        features = _features(inputs)
        return inputs.predictions.mean(axis=0) + np.column_stack(
            [one.predict(features) for one in self.models]
        )


@dataclass(frozen=True)
class FirstTrees:
    """A boosted model as it was after some of its rounds."""

    model: Any
    trees: int

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Values, [N]."""
        return next(islice(self.model.staged_predict(features), self.trees - 1, None))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities, [N, C]."""
        return next(islice(self.model.staged_predict_proba(features), self.trees - 1, None))


class GBDTStacker:
    """scikit-learn's histogram gradient boosting, on the predictions as they are: trees see only their order.

    For regression the trees learn what the mean of the models lacks, as trees cannot go beyond the targets
    that they have seen. How many trees there are is chosen on parts that are held out.

    Args:
        max_trees: rounds of boosting at most, each a tree for every class.
        learning_rate: share of each tree's answer that is added.
        max_leaves: of a tree.
        min_leaf_rows: fewest rows in a leaf.
        l2: penalty of the leaves' squared values.

    Raises:
        ValueError: a number out of its range.
    """

    name = "gbdt"

    def __init__(
        self,
        max_trees: int = 80,
        learning_rate: float = 0.1,
        max_leaves: int = 8,
        min_leaf_rows: int = 20,
        l2: float = 1.0,
    ) -> None:
        self.max_trees = whole("stacker.max_trees", max_trees, least=1, usual="80")
        self.settings: dict[str, Any] = {
            "learning_rate": above_zero_to_one("stacker.learning_rate", learning_rate, usual="0.1"),
            "max_leaf_nodes": whole("stacker.max_leaves", max_leaves, least=2, usual="8"),
            "min_samples_leaf": whole("stacker.min_leaf_rows", min_leaf_rows, least=1, usual="20"),
            "l2_regularization": not_negative("stacker.l2", l2, usual="1"),
            "early_stopping": False,  # its own draws the rows to stop by, and tears groups apart
        }

    def fit(
        self, inputs: Inputs, targets: np.ndarray, parts: np.ndarray, seed: int
    ) -> FittedClassifiers | FittedCorrections:
        """See Stacker.fit."""
        check_inputs(inputs)
        counts = tree_counts(self.max_trees)
        losses = np.zeros(len(counts))
        for part in np.unique(parts)[:HELD_OUT]:
            held_out, rest = parts == part, parts != part
            fitted = self._fit(inputs.take(rest), targets[rest], self.max_trees, seed)
            for place, trees in enumerate(counts):
                predicted = first_trees(fitted, trees).predict(inputs.take(held_out))
                losses[place] += held_out.sum() * task_loss(targets[held_out], predicted, inputs.task)
        return self._fit(inputs, targets, counts[losses.argmin()], seed)

    def _fit(
        self, inputs: Inputs, targets: np.ndarray, trees: int, seed: int
    ) -> FittedClassifiers | FittedCorrections:
        features, settings = _features(inputs), self.settings | {"max_iter": trees, "random_state": seed}
        if inputs.task == Task.REGRESSION:
            lacking = targets - inputs.predictions.mean(axis=0)
            models = [HistGradientBoostingRegressor(**settings).fit(features, column) for column in lacking.T]
            return FittedCorrections(models)

        def fit(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> HistGradientBoostingClassifier:
            model = HistGradientBoostingClassifier(**settings)
            # weights make scikit-learn cut the columns into bins a hundred times as slowly
            soft = weights if (weights != 1).any() else None
            return model.fit(features[rows], labels, sample_weight=soft)

        return fit_classifiers(fit, inputs, targets, _features)


def tree_counts(max_trees: int) -> list[int]:
    """How many trees to try: doubling up to the most.

    >>> tree_counts(80)
    [5, 10, 20, 40, 80]
    """
    counts = [max_trees]
    while counts[0] >= 10:
        counts.insert(0, counts[0] // 2)
    return counts


def first_trees(
    fitted: FittedClassifiers | FittedCorrections, trees: int
) -> FittedClassifiers | FittedCorrections:
    """The same models with their first rounds only."""
    if isinstance(fitted, FittedCorrections):
        return FittedCorrections([FirstTrees(model, trees) for model in fitted.models])
    models = [
        one if one.model is None else replace(one, model=FirstTrees(one.model, trees))
        for one in fitted.models
    ]
    return replace(fitted, models=models)


def _features(inputs: Inputs) -> np.ndarray:
    return side_by_side(inputs.predictions, inputs.extra)
