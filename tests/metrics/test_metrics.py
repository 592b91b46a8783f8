"""What holds for every metric."""

import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate

from compkit.metrics import (
    AUC,
    MAE,
    MCC,
    R2,
    RMSE,
    RMSLE,
    Accuracy,
    AveragePrecision,
    BalancedAccuracy,
    FBeta,
    LogLoss,
    MAPAtK,
    MeanColumnwiseAUC,
    Metric,
    QuadraticKappa,
    TopKAccuracy,
)
from compkit.metrics.fbeta import AVERAGES
from compkit.metrics.metric import OPTIONS
from compkit.types import Task

CONF = Path(__file__).parents[2] / "conf"
ALL_METRICS: list[Metric] = [
    Accuracy(),
    TopKAccuracy(k=2),
    LogLoss(),
    *(FBeta(beta=2, average=average) for average in AVERAGES),
    AUC(),
    MeanColumnwiseAUC(),
    AveragePrecision(),
    QuadraticKappa(),
    BalancedAccuracy(),
    MCC(),
    MAPAtK(k=3),
    RMSE(),
    MAE(),
    RMSLE(),
    R2(),
]
CASES = [(metric, task) for metric in ALL_METRICS for task in metric.tasks]
every_case = pytest.mark.parametrize("metric, task", CASES, ids=lambda case: getattr(case, "name", case))


def examples(task: Task, rows: int = 60, columns: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random targets, and predictions that are better than chance."""
    generator = np.random.default_rng(seed)
    noise = generator.random((rows, columns))
    if task == Task.MULTICLASS:
        targets = np.concatenate([np.arange(columns), generator.integers(columns, size=rows - columns)])
        scores = noise + 0.3 * np.eye(columns)[targets]
        return targets, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    if task == Task.MULTILABEL:
        labels = (generator.random((rows, columns)) < 0.4).astype(np.float32)
        return labels, (0.7 * noise + 0.3 * labels).astype(np.float32)
    grades = generator.integers(5, size=(rows, columns)).astype(np.float32)
    return grades, (grades + 2 * noise - 1).astype(np.float32)


def perfect(task: Task) -> tuple[np.ndarray, np.ndarray]:
    targets, values = examples(task)
    return targets, np.eye(values.shape[1])[targets] if task == Task.MULTICLASS else targets


@every_case
def test_order_of_rows_does_not_matter(metric: Metric, task: Task) -> None:
    targets, values = examples(task)
    order = np.random.default_rng(1).permutation(len(targets))
    assert metric(targets[order], values[order]) == pytest.approx(metric(targets, values), rel=1e-6)


@every_case
def test_better_predictions_score_better(metric: Metric, task: Task) -> None:
    targets, values = examples(task)
    better, score = metric(*perfect(task)), metric(targets, values)
    worse = metric(targets, values[::-1])
    assert isinstance(score, float)
    assert better > score > worse if metric.greater_is_better else better < score < worse


@every_case
def test_a_perfect_score(metric: Metric, task: Task) -> None:
    targets, values = perfect(task)
    if task == Task.MULTILABEL and metric.name in ("f2_samples", "map_at_3"):
        some = targets.any(axis=1)  # a row without labels has 0 by definition
        targets, values = targets[some], values[some]
    assert metric(targets, values) == pytest.approx(1 if metric.greater_is_better else 0, abs=1e-9)


@every_case
def test_inputs_are_left_alone(metric: Metric, task: Task) -> None:
    targets, values = examples(task)
    before = targets.copy(), values.copy()
    metric(targets, values)
    np.testing.assert_array_equal(before[0], targets)
    np.testing.assert_array_equal(before[1], values)


@every_case
def test_score_is_the_mean_of_its_columns(metric: Metric, task: Task) -> None:
    targets, values = examples(task)
    parts = metric.per_class(targets, values)
    of_columns = metric.name not in ("accuracy", "f2_micro", "f2_weighted", "f2_samples")
    if parts is None:
        assert metric.kind in ("labels", "ranking") or task == Task.MULTICLASS
    else:
        assert parts.shape == (4,)
        assert not of_columns or np.mean(parts) == pytest.approx(metric(targets, values), rel=1e-6)


@every_case
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_predictions_without_a_number_are_refused(metric: Metric, task: Task, bad: float) -> None:
    targets, values = examples(task)
    values[[7, 9], 2] = bad
    with pytest.raises(ValueError, match=r"NaN or infinite in 2 of 60 rows, the first is row 7.*lower lr"):
        metric(targets, values)


@every_case
def test_no_rows_are_refused(metric: Metric, task: Task) -> None:
    targets, values = examples(task)
    with pytest.raises(ValueError, match="at least one row"):
        metric(targets[:0], values[:0])


@pytest.mark.parametrize("metric", [case[0] for case in CASES if case[1] == Task.MULTICLASS])
def test_a_class_absent_from_the_set_does_no_harm(metric: Metric) -> None:
    targets, values = examples(Task.MULTICLASS)
    seen = targets != 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*one class only")
        score = metric(targets[seen], values[seen])
    assert np.isfinite(score)


@pytest.mark.parametrize("metric", [case[0] for case in CASES if case[1] == Task.MULTICLASS])
def test_one_row_does_no_harm(metric: Metric) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*(one class only|0/0 = NaN)")
        score = metric(np.array([1]), np.array([[0.2, 0.5, 0.3]]))
    assert np.isfinite(score) or metric.name in ("auc", "quadratic_kappa")


@every_case
def test_names_tell_the_parameters(metric: Metric, task: Task) -> None:
    assert metric.name == metric.name.lower()
    assert metric.kind in ("labels", "probabilities", "ranking", "values")


def test_names() -> None:
    assert [FBeta(0.5).name, FBeta(1, "micro").name, MAPAtK(5).name, TopKAccuracy(3).name] == [
        "f0.5_macro",
        "f1_micro",
        "map_at_5",
        "top_3_accuracy",
    ]


@pytest.mark.parametrize("metric", ALL_METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("task", Task)
def test_another_task_is_refused(metric: Metric, task: Task) -> None:
    if task in metric.tasks:
        metric.check_task(task)
    else:
        with pytest.raises(ValueError, match=f"{metric.name}.*{task}.*metric= one of {OPTIONS[task]}"):
            metric.check_task(task)


def config(option: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(f"metric/{option}").metric


OPTION_NAMES = sorted(path.stem for path in (CONF / "metric").glob("*.yaml"))


@pytest.mark.parametrize("option", OPTION_NAMES)
def test_option_builds(option: str) -> None:
    metric = instantiate(config(option), _convert_="all")
    assert isinstance(metric, Metric)
    assert np.isfinite(metric(*examples(metric.tasks[0])))
    if option.startswith("f1_"):
        assert metric.name == option


@pytest.mark.parametrize("task", Task)
def test_the_advice_names_the_options_that_fit(task: Task) -> None:
    fitting = {name for name in OPTION_NAMES if task in get_class(config(name)._target_).tasks}
    assert set(OPTIONS[task].split(", ")) == fitting


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_map_at_k_is_fast(task: Task) -> None:
    targets, values = examples(task, rows=20_000, columns=100)
    start = time.process_time()
    MAPAtK(k=5)(targets, values)
    assert time.process_time() - start < 2  # about 0.2 s; a Python loop over rows takes far longer


def test_a_metric_must_say_how_it_scores() -> None:
    with pytest.raises(NotImplementedError):
        Metric()(np.zeros(1), np.zeros((1, 1)))
