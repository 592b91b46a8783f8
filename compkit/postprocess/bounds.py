"""Numbers kept in the range that occurs, and made whole where only whole ones do."""

import numpy as np

from compkit.metrics import Metric
from compkit.postprocess.postprocess import Learned, Postprocess, refuse
from compkit.ranges import require
from compkit.types import Task


class Clip(Postprocess):
    """Regression values cut off at the smallest and the largest target, or at given bounds.

    Args:
        low, high: bounds in target units for every column; None takes those of the targets.

    Raises:
        ValueError: a bound that is no number, or low not below high.

    >>> Clip().apply(np.array([[-0.2], [7.0]]), {"low": [0.0], "high": [5.0]}).tolist()
    [[0.0], [5.0]]
    """

    name = "clip"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = _bound("low", low), _bound("high", high)
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(
                f"postprocess.low={low} postprocess.high={high}: expected low < high. Set [0, 10], for example."
            )

    def check(self, task: Task, metric: Metric) -> None:
        if task != Task.REGRESSION:
            refuse(self.name, "is for numbers", task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        columns = targets.shape[1]
        low = targets.min(axis=0) if self.low is None else np.full(columns, self.low)
        high = targets.max(axis=0) if self.high is None else np.full(columns, self.high)
        return {"low": low.tolist(), "high": high.tolist()}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        return values.astype(np.float64).clip(learned["low"], learned["high"]).astype(np.float32)

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        smallest = {f"{name}: smallest": low for name, low in zip(classes, learned["low"], strict=True)}
        return smallest | {
            f"{name}: largest": high for name, high in zip(classes, learned["high"], strict=True)
        }


class Round(Clip):
    """Regression values at the nearest whole number, a half at the even one, within the bounds of Clip.

    >>> Round().apply(np.array([[1.4], [7.0]]), {"low": [0.0], "high": [5.5]}).tolist()
    [[1.0], [5.0]]
    """

    name = "round"

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        low, high = np.ceil(learned["low"]), np.floor(learned["high"])
        return np.rint(values.astype(np.float64)).clip(low, high).astype(np.float32)


def _bound(key: str, value: float | None) -> float | None:
    expected = f"a number in target units, e.g. postprocess.{key}=0"
    return None if value is None else require(f"postprocess.{key}", value, lambda number: True, expected)
