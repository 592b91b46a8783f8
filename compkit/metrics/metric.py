"""What every metric has: a name, a direction, and the tasks it measures."""

from typing import Literal

import numpy as np

from compkit.types import NO_LIMITS, Limits, Task

Kind = Literal["labels", "probabilities", "ranking", "values"]

# the options of conf/metric that fit each task, for the message below; a test holds them together
OPTIONS = {
    Task.MULTICLASS: "accuracy, top_k, log_loss, fbeta, f1_macro, f1_micro, f1_weighted, f1_samples, auc, "
    "average_precision, quadratic_kappa, balanced_accuracy, mcc, map_at_k",
    Task.MULTILABEL: "log_loss, fbeta, f1_macro, f1_micro, f1_weighted, f1_samples, auc, "
    "mean_columnwise_auc, average_precision, map_at_k",
    Task.REGRESSION: "quadratic_kappa, rmse, mae, rmsle, r2",
}


class Metric:
    """A score of predictions against targets: a thin shell, with settings, around a pure function.

    A metric sees the whole set at once: a mean over batches is another number for nearly all of them.

    Attributes:
        name: the field's name for it, with its parameters (`map_at_5`).
        greater_is_better: whether a better model has the higher value.
        kind: what a submission judged by it holds (labels, probabilities, ranking, values).
        tasks: the tasks it can measure.
        limits: which predictions it can judge; a submission holds no others.
    """

    name: str
    greater_is_better: bool = True
    kind: Kind
    tasks: tuple[Task, ...]
    limits: Limits = NO_LIMITS

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        """The score.

        Args:
            targets: int64 [N] for multiclass, float [N, C] for multilabel and regression.
            values: probabilities or regression values, float [N, C].
        """
        raise NotImplementedError

    def per_class(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """The score of each class or column, [C]; NaN where undefined, None where it has no parts."""
        return None

    def check_task(self, task: Task) -> None:
        """Refuse a task that this metric cannot measure.

        Raises:
            ValueError: with the options that fit the task.
        """
        if task not in self.tasks:
            raise ValueError(
                f"metric {self.name}: measures {' and '.join(self.tasks)}, but the competition's task is "
                f"{task}. Choose metric= one of {OPTIONS[task]}."
            )
