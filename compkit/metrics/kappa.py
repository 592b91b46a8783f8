"""Quadratic weighted kappa: agreement on ordered grades."""

import warnings
from collections.abc import Sequence

import numpy as np

from compkit.metrics.arrays import check_arrays
from compkit.metrics.metric import Metric
from compkit.types import Limits, Task


def grade_kappa(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Quadratic weighted kappa of two lists of whole grades, [N] each; NaN and a warning where it is 0/0.

    1 - (mean squared difference) / (the same for grades paired at random). With quadratic weights that
    is all the confusion matrix over the fixed grades tells: grades that do not occur add nothing, and
    never close the gap between those beside them.

    >>> round(grade_kappa(np.array([0, 1, 2]), np.array([0, 2, 2])), 4)
    0.8
    """
    observed = np.mean((actual - predicted) ** 2)
    by_chance = actual.var() + predicted.var() + (actual.mean() - predicted.mean()) ** 2
    if by_chance == 0:
        warnings.warn(
            "quadratic_kappa: every target and every prediction is the same grade, so kappa is 0/0 = NaN.",
            stacklevel=3,
        )
        return float("nan")
    return float(1 - observed / by_chance)


def quadratic_kappa(
    targets: np.ndarray, values: np.ndarray, label_range: tuple[int, int] | None = None
) -> float:
    """Agreement on ordered grades beyond chance; a miss by two grades costs four times a miss by one.

    Args:
        targets: class indices in the order of the grades, int64 [N], or whole grades, float [N, C].
        values: probabilities, float [N, C]; or, for grades learnt as regression, predictions, float
            [N, C], which are rounded (a half to the even grade) and clipped to the range.
        label_range: lowest and highest grade for regression; None takes those of the targets.

    Returns:
        1 for agreement, 0 for chance; the mean over columns for several of them.

    Raises:
        ValueError: regression targets that are no whole numbers; see check_arrays too.

    Source: Cohen 1968, doi:10.1037/h0026256.

    >>> quadratic_kappa(np.array([[0.0], [1.0], [2.0]]), np.array([[0.2], [1.1], [7.0]]))
    1.0
    """
    check_arrays("quadratic_kappa", targets, values)
    if targets.ndim == 1:
        return grade_kappa(targets, values.argmax(axis=1))
    if (targets != np.rint(targets)).any():
        raise ValueError(
            "quadratic_kappa: regression targets must be whole grades such as 0, 1, 2. For other numbers "
            "choose metric=rmse."
        )
    lowest, highest = label_range or (targets.min(axis=0), targets.max(axis=0))
    grades = np.rint(values).clip(lowest, highest).astype(np.float64)
    actual = targets.astype(np.float64)
    columns = range(targets.shape[1])
    return float(np.mean([grade_kappa(actual[:, column], grades[:, column]) for column in columns]))


class QuadraticKappa(Metric):
    """Quadratic weighted kappa; see quadratic_kappa.

    >>> QuadraticKappa(label_range=[0, 4]).name
    'quadratic_kappa'
    """

    name = "quadratic_kappa"
    kind = "labels"
    tasks = (Task.MULTICLASS, Task.REGRESSION)

    def __init__(self, label_range: Sequence[int] | None = None) -> None:
        self.label_range: tuple[int, int] | None = None
        if label_range is not None:
            if len(label_range) != 2 or not label_range[0] < label_range[1]:
                raise ValueError(
                    f"metric.label_range: {label_range} given, expected the lowest and the highest grade, "
                    "such as [0,4]."
                )
            self.label_range = (int(label_range[0]), int(label_range[1]))
        lowest, highest = self.label_range or (-np.inf, np.inf)
        self.limits = Limits(lowest, highest, whole=True)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return quadratic_kappa(targets, values, self.label_range)
