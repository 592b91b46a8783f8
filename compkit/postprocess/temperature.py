"""Probabilities made more or less sure, so that they come true as often as they say."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, logit

from compkit.metrics import LogLoss, Metric
from compkit.postprocess.postprocess import Learned, Postprocess, refuse
from compkit.types import Task

SMALLEST, LARGEST = 0.05, 20.0  # temperatures
TINY = 1e-15  # probabilities are kept this far from 0, and labels' from 1 too


def temper(values: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of exclusive classes, [N, C], as if their logits had been divided by the temperature.

    p^(1/T), each row divided by its sum; T above 1 makes them less sure.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

    >>> temper(np.array([[0.8, 0.2]]), temperature=2.0).round(3)
    array([[0.667, 0.333]])
    """
    return np.exp(log_softmax(_logs(values) / temperature, axis=1))


def temper_labels(values: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """The same for labels that do not exclude each other, [N, C], a temperature for each, [C] or [1].

    >>> temper_labels(np.array([[0.8, 0.5]]), np.array([2.0])).round(3)
    array([[0.667, 0.5  ]])
    """
    return expit(_logits(values) / temperatures)


def best_temperature(targets: np.ndarray, values: np.ndarray) -> float:
    """The temperature of the least log loss, between 0.05 and 20.

    The loss is convex in 1/T, so its slope crosses zero once at most.

    Args:
        targets: int64 [N] of exclusive classes, or 0/1 labels, [N, C].
        values: probabilities, [N, C].

    >>> sure = np.array([[0.99, 0.01]] * 4)  # right three times in four
    >>> temper(sure, best_temperature(np.array([0, 0, 0, 1]), sure))[0].round(3)
    array([0.75, 0.25])
    """
    if targets.ndim == 1:
        logs = _logs(values)
        of_truth = logs[np.arange(len(logs)), targets].mean()

        def slope(sharpness: float) -> float:
            probs = np.exp(log_softmax(logs * sharpness, axis=1))
            return float((probs * logs).sum(axis=1).mean() - of_truth)

    else:
        logits = _logits(values)

        def slope(sharpness: float) -> float:
            return float(((expit(logits * sharpness) - targets) * logits).mean())

    dullest, sharpest = 1 / LARGEST, 1 / SMALLEST
    if slope(dullest) >= 0:
        return LARGEST
    return SMALLEST if slope(sharpest) <= 0 else 1 / float(brentq(slope, dullest, sharpest, xtol=1e-10))


def _logs(values: np.ndarray) -> np.ndarray:
    return np.log(values.astype(np.float64).clip(min=TINY))


def _logits(values: np.ndarray) -> np.ndarray:
    return logit(values.astype(np.float64).clip(TINY, 1 - TINY))


class Temperature(Postprocess):
    """One temperature for all probabilities, or one for each label.

    Args:
        per_label: several labels an image only: each has a temperature of its own.

    >>> Temperature().apply(np.array([[0.8, 0.2]]), {"exclusive": True, "temperatures": [2.0]}).round(3)
    array([[0.667, 0.333]], dtype=float32)
    """

    name = "temperature"

    def __init__(self, per_label: bool = False) -> None:
        self.per_label = bool(per_label)

    def check(self, task: Task, metric: Metric) -> None:
        if task == Task.REGRESSION or not isinstance(metric, LogLoss):
            refuse(
                self.name, "is tuned for log_loss, and leaves order and decisions as they are", task, metric
            )
        if self.per_label and task != Task.MULTILABEL:
            raise ValueError(
                f"postprocess.per_label=true: the task is {task}, whose classes share a temperature. Set "
                "postprocess.per_label=false."
            )

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        if not self.per_label:
            return {"exclusive": targets.ndim == 1, "temperatures": [best_temperature(targets, values)]}
        is_known = (targets == 0).any(axis=0) & (targets == 1).any(axis=0)
        return {
            "exclusive": False,
            "temperatures": [
                best_temperature(targets[:, [column]], values[:, [column]]) if is_known[column] else 1.0
                for column in range(values.shape[1])
            ],
        }

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        if learned["exclusive"]:
            return temper(values, learned["temperatures"][0]).astype(np.float32)
        return temper_labels(values, np.array(learned["temperatures"])).astype(np.float32)

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        if len(learned["temperatures"]) == 1:
            return {"temperature": learned["temperatures"][0]}
        return dict(zip(classes, learned["temperatures"], strict=True))

    def needs_positives(self, task: Task) -> bool:
        return self.per_label
