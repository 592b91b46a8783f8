"""Stackers made of scikit-learn's classifiers: one for exclusive classes, one a label for several."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compkit.ensemble.stackers.classes import Classes, FitRows, fit_classes, fit_label
from compkit.ensemble.stackers.inputs import Inputs
from compkit.types import Task


@dataclass(frozen=True)
class FittedClassifiers:
    """One classifier of all classes, or one for each label.

    Attributes:
        models: one, or C.
        to_features: what the classifiers look at, [N, F].
    """

    models: list[Classes]
    to_features: Callable[[Inputs], np.ndarray]

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Probabilities, float64 [N, C]."""
        features = self.to_features(inputs)
        if inputs.task == Task.MULTICLASS:
            return self.models[0].probs(features)
        return np.column_stack([model.probs(features)[:, 1] for model in self.models])


def fit_classifiers(
    fit: FitRows, inputs: Inputs, targets: np.ndarray, to_features: Callable[[Inputs], np.ndarray]
) -> FittedClassifiers:
    """Fit on all rows of the inputs.

    Args:
        fit: see fit_classes; its rows are positions in `inputs`.
        inputs: N rows.
        targets: int64 [N], or float [N, C] in [0, 1].
        to_features: as in FittedClassifiers.
    """
    if inputs.task == Task.MULTICLASS:
        models = [fit_classes(fit, targets, inputs.num_classes)]
    else:
        models = [fit_label(fit, column) for column in targets.T]
    return FittedClassifiers(models, to_features)
