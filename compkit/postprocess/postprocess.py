"""What every post-processing has: a check before training, a fit on out-of-fold rows, and a map of predictions."""

from typing import Any

import numpy as np

from compkit.metrics import LogLoss, Metric, QuadraticKappa
from compkit.types import Task

Learned = dict[str, Any]  # numbers and lists of them, as JSON holds


class Postprocess:
    """A map of predictions to predictions, learned where the truth is known, for one metric.

    Metrics and submissions turn predictions into decisions by one rule: a label is there above 0.5, the class is the
    likeliest one, a grade is the nearest whole number. A post-processing leaves the rule alone and moves the
    predictions, so that the rule decides as wanted.

    Attributes:
        name: of the option in conf/postprocess.
    """

    name: str

    def check(self, task: Task, metric: Metric) -> None:
        """Refuse, before training, a task or a metric that this cannot serve.

        Raises:
            ValueError: with the options that can.
        """
        raise NotImplementedError

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        """What makes these predictions score best.

        Args:
            targets: int64 [N] for multiclass, float [N, C] for multilabel and regression.
            values: probabilities or regression values, float [N, C].
            metric: to be best by.
        """
        raise NotImplementedError

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        """The predictions moved, float32 [N, C] in the order of the rows: what is scored is what is written."""
        raise NotImplementedError

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        """The numbers learned, by a name for people."""
        raise NotImplementedError

    def needs_positives(self, task: Task) -> bool:
        """Whether something is learned for each class from its own rows, so that one without any keeps its default."""
        return False


class NoPostprocess:
    """Predictions as they are."""

    name = "none"


def suitable(task: Task, metric: Metric) -> list[str]:
    """The options of conf/postprocess that can change this metric, best first; `none` always can stay.

    >>> from compkit.metrics import FBeta
    >>> suitable(Task.MULTICLASS, FBeta())
    ['class_weights', 'none']
    """
    options = []
    if isinstance(metric, QuadraticKappa):
        options.append("cut_points")
    if task == Task.REGRESSION:
        options += ["round", "clip"]
    elif isinstance(metric, LogLoss):
        options.append("temperature")
    elif metric.kind == "labels":
        multilabel = ["thresholds", "threshold", "prevalence", "top_k"]
        options += multilabel if task == Task.MULTILABEL else ["class_weights"]
    return [*options, "none"]


def refuse(name: str, why: str, task: Task, metric: Metric) -> None:
    """Raise what `check` raises.

    Raises:
        ValueError: always.
    """
    raise ValueError(
        f"postprocess={name}: {why}; the task is {task}, the metric {metric.name}. "
        f"Set postprocess= one of {', '.join(suitable(task, metric))}."
    )


def check_labels(name: str, task: Task, metric: Metric) -> None:
    """Refuse all but metrics of decided labels, for tasks of any number of labels an image.

    Raises:
        ValueError: another task; a metric that decisions do not change, or that decides elsewhere than at 0.5.
    """
    if task != Task.MULTILABEL:
        refuse(name, "decides which of several labels an image has", task, metric)
    if metric.kind != "labels":
        refuse(name, "changes decisions, of which this metric sees nothing", task, metric)
    threshold = getattr(metric, "threshold", 0.5)
    if threshold != 0.5:
        raise ValueError(
            f"postprocess={name}: metric.threshold={threshold} decides by hand what is to be tuned. Set "
            f"metric.threshold=0.5, or postprocess=threshold postprocess.value={threshold}."
        )


def better(score: float, than: float, metric: Metric) -> bool:
    """Whether a score is strictly better than another, which NaN never is.

    >>> from compkit.metrics import LogLoss
    >>> better(0.3, 0.4, LogLoss())
    True
    """
    return score > than if metric.greater_is_better else score < than
