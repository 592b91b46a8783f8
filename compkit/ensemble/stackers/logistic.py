"""A weighted vote in log-probabilities."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from compkit.ensemble.stackers.classifiers import FittedClassifiers, fit_classifiers
from compkit.ensemble.stackers.inputs import Inputs, Scale, check_inputs, side_by_side, to_scores
from compkit.ensemble.stackers.penalty import choose_penalty, penalty_or_auto
from compkit.types import Task


class LogisticStacker:
    """Multinomial logistic regression on log-probabilities; for several labels one regression a label.

    Args:
        penalty: of the squared weights, against a loss that is summed over rows; a number > 0, or `auto`.

    Raises:
        ValueError: a penalty that is neither.
    """

    name = "logistic"

    def __init__(self, penalty: float | str = "auto") -> None:
        self.penalty = penalty_or_auto(penalty)

    def fit(self, inputs: Inputs, targets: np.ndarray, parts: np.ndarray, seed: int) -> FittedClassifiers:
        """See Stacker.fit.

        Raises:
            ValueError: regression, or see check_inputs.
        """
        if inputs.task == Task.REGRESSION:
            raise ValueError(
                "stacker=logistic: is for classes and labels, but the task is regression. "
                "Set stacker=ridge, mlp, cnn or gbdt."
            )
        check_inputs(inputs)

        def fit(penalty: float, rows: np.ndarray) -> FittedClassifiers:
            return _fit(inputs.take(rows), targets[rows], penalty)

        penalty = choose_penalty(self.penalty, fit, inputs, targets, parts, seed)
        return fit(penalty, np.arange(len(targets)))


def _fit(inputs: Inputs, targets: np.ndarray, penalty: float) -> FittedClassifiers:
    scores = to_scores(inputs)
    scale = Scale.of(scores, inputs.extra)
    features = side_by_side(*scale.apply(scores, inputs.extra))

    def fit(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> LogisticRegression:
        model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(features[rows], labels, weights)
        model.coef_, model.intercept_ = scale.unscaled(model.coef_, model.intercept_)
        return model

    return fit_classifiers(fit, inputs, targets, _features)


def _features(inputs: Inputs) -> np.ndarray:
    return side_by_side(to_scores(inputs), inputs.extra)
