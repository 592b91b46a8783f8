"""A weighted mean of predictions, its weights by least squares."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Ridge

from compkit.ensemble.stackers.inputs import Inputs, Scale, check_inputs, side_by_side
from compkit.ensemble.stackers.penalty import choose_penalty, penalty_or_auto
from compkit.metrics.arrays import label_matrix
from compkit.types import Task


@dataclass(frozen=True)
class FittedRidge:
    """A linear model of values, or of the chance of each class."""

    model: Ridge
    least: float  # the smallest probability that it gives

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Probabilities or values, float64 [N, C]."""
        values = self.model.predict(_features(inputs)).reshape(len(inputs), -1)
        if inputs.task == Task.REGRESSION:
            return values
        probs = values.clip(self.least, 1 - self.least)
        return probs / probs.sum(axis=1, keepdims=True) if inputs.task == Task.MULTICLASS else probs


class RidgeStacker:
    """Linear regression on the predictions as they are; of classes, it fits 0 and 1 and is then cut to 0..1.

    Args:
        penalty: of the squared weights, against squared errors summed over rows; a number > 0, or `auto`.

    Raises:
        ValueError: a penalty that is neither.
    """

    name = "ridge"

    def __init__(self, penalty: float | str = "auto") -> None:
        self.penalty = penalty_or_auto(penalty)

    def fit(self, inputs: Inputs, targets: np.ndarray, parts: np.ndarray, seed: int) -> FittedRidge:
        """See Stacker.fit."""
        check_inputs(inputs)
        is_classes = inputs.task == Task.MULTICLASS
        wanted = label_matrix(targets, inputs.num_classes).astype(float) if is_classes else targets

        def fit(penalty: float, rows: np.ndarray) -> FittedRidge:
            known = inputs.take(rows)
            scale = Scale.of(known.predictions, known.extra)
            features = side_by_side(*scale.apply(known.predictions, known.extra))
            model = Ridge(penalty).fit(features, wanted[rows])
            model.coef_, model.intercept_ = scale.unscaled(model.coef_, model.intercept_)
            return FittedRidge(model, least=1 / (len(rows) + inputs.num_classes))

        penalty = choose_penalty(self.penalty, fit, inputs, targets, parts, seed)
        return fit(penalty, np.arange(len(targets)))


def _features(inputs: Inputs) -> np.ndarray:
    return side_by_side(inputs.predictions, inputs.extra)
