"""Which metrics are likely for a task, as files do not say how submissions are scored."""

from compkit.layout.findings import Findings
from compkit.metrics.metric import OPTIONS
from compkit.types import Task

# what the metric is called, when competitions of this task use it
LIKELY = {
    Task.MULTICLASS: {
        "accuracy": "the sample holds classes",
        "log_loss": "the sample holds a probability of each class",
        "auc": "two classes, or a probability that is ranked",
        "f1_macro": "classes of different size, each as important",
        "quadratic_kappa": "classes are grades in order",
        "map_at_k": "the sample holds several classes, best first",
        "balanced_accuracy": "accuracy of rare classes counts as much",
    },
    Task.MULTILABEL: {
        "mean_columnwise_auc": "the sample holds a probability of each label",
        "log_loss": "the sample holds a probability of each label, and how sure they are counts",
        "f1_samples": "the sample holds sets of labels",
        "f1_macro": "the sample holds sets of labels, rare ones as important",
        "f1_micro": "the sample holds sets of labels, all decisions alike",
        "map_at_k": "labels ranked",
    },
    Task.REGRESSION: {
        "rmse": "large errors count most",
        "mae": "errors count as they are",
        "rmsle": "errors count by ratio, targets are not negative",
        "r2": "share of the variance",
        "quadratic_kappa": "numbers are grades in order",
    },
}


def options(task: Task) -> list[str]:
    """The metrics that measure a task.

    >>> "rmse" in options(Task.REGRESSION)
    True
    """
    return OPTIONS[task].split(", ")


def tasks_of(metric: str) -> list[Task]:
    """The tasks that a metric measures.

    Raises:
        ValueError: no such metric.

    >>> tasks_of("quadratic_kappa")
    [<Task.MULTICLASS: 'multiclass'>, <Task.REGRESSION: 'regression'>]
    """
    tasks = [task for task in Task if metric in options(task)]
    if not tasks:
        names = sorted({name for task in Task for name in options(task)})
        raise ValueError(f"metric={metric}: no such metric; expected one of {', '.join(names)}.")
    return tasks


def kind_of(metric: str | None) -> str:
    """What a metric compares, which decides how a sample of one column is filled; labels when nothing is known.

    >>> kind_of("auc"), kind_of("map_at_k"), kind_of(None)
    ('probabilities', 'ranking', 'labels')
    """
    if metric in ("log_loss", "auc", "mean_columnwise_auc", "average_precision"):
        return "probabilities"
    if metric in ("map_at_k", "top_k"):
        return "ranking"
    return "values" if metric in ("rmse", "mae", "rmsle", "r2") else "labels"


def decide_metric(task: Task, likeliest: str, metric: str | None, found: Findings) -> None:
    """Write the metric that was given, or the likeliest one with a question.

    Raises:
        ValueError: the given metric does not measure the task.
    """
    if metric is not None:
        if metric not in options(task):
            raise ValueError(
                f"metric={metric}: does not measure task={task}; expected one of {OPTIONS[task]}. Set metric, or task."
            )
        found.set("metric", metric, "given")
        return
    choices: list[tuple[object, str]] = list(LIKELY[task].items())
    choices.sort(key=lambda one: one[0] != likeliest)
    found.ask(
        "metric",
        "How are submissions scored? The files do not say; the competition's page does.",
        choices,
        likeliest,
    )
