"""Predictions as tables, and the scores of a run."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compkit.inference import average_rows, first_rows
from compkit.metrics import Metric
from compkit.types import Predictions, Table, Task


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for the training images, or the subjects they show, each by the model whose fold held it out.

    Attributes:
        task: decides what targets and values are.
        ids: of images or subjects, str [N].
        fold: int64 [N].
        targets: int64 [N] for multiclass, else float64 [N, C].
        values: float64 [N, C], probabilities or regression values.
        classes: C names of classes or target columns.
        pictures: of each subject the id of its first image, str [N]; None when each image stands for itself.
    """

    task: Task
    ids: np.ndarray
    fold: np.ndarray
    targets: np.ndarray
    values: np.ndarray
    classes: tuple[str, ...]
    pictures: np.ndarray | None = None


def prediction_frame(
    predictions: Predictions, fold: int | np.ndarray, classes: tuple[str, ...], table: Table | None = None
) -> pd.DataFrame:
    """Predictions as oof.parquet and test.parquet hold them: id, fold, target…, pred_<class>….

    Where images show subjects, a column `subject` says which; see `subject_frame`.

    Args:
        predictions: N rows, in any order.
        fold: the fold each row was predicted in; -1 for the mean of all.
        classes: names of the C outputs.
        table: where the targets of exactly these ids are; None for test rows.
    """
    subjects = predictions.subjects if table is None else table.subjects
    columns: dict[str, Any] = {"id": predictions.ids.astype(object)}
    columns |= {} if subjects is None else {"subject": subjects.astype(object)}
    columns["fold"] = fold
    if table is not None:
        assert np.array_equal(table.ids, predictions.ids)
        columns |= _target_columns(table.labels, classes)
    frame = pd.DataFrame(columns)
    values = pd.DataFrame(predictions.values, columns=[f"pred_{name}" for name in classes])
    return pd.concat([frame, values], axis=1)


def subject_frame(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    """Out-of-fold rows of subjects from those of their images; without subjects as it is.

    Args:
        frame: as `prediction_frame` makes it, the images of a subject side by side.
        how: mean or max, of the predictions of a subject's images.

    Returns:
        id (the subject), picture (the id of its first image), fold, target…, pred_<class>….

    >>> frame = pd.DataFrame({"id": ["1", "2"], "subject": ["a", "a"], "fold": 0, "pred_x": [0.5, 1.0]})
    >>> subject_frame(frame, "mean").to_dict("records")
    [{'id': 'a', 'picture': '1', 'fold': 0, 'pred_x': 0.75}]
    """
    if "subject" not in frame:
        return frame
    subjects = frame["subject"].to_numpy(dtype=str)
    found = frame.iloc[first_rows(subjects)].reset_index(drop=True)
    assert found["subject"].is_unique, "a subject's images lie apart"
    predicted = [str(name) for name in frame if str(name).startswith("pred_")]
    found[predicted] = average_rows(frame[predicted].to_numpy(), subjects, how)
    pictures, ids = found.pop("id"), found.pop("subject")
    found.insert(0, "id", ids)
    found.insert(1, "picture", pictures)
    return found


def read_oof(path: Path, task_name: str | None) -> OutOfFold:
    """The out-of-fold table of a run; rows without a label are left out.

    Raises:
        ValueError: it is not what a run writes.
    """
    frame = pd.read_parquet(path)
    predicted = [str(column) for column in frame if str(column).startswith("pred_")]
    classes = tuple(column.removeprefix("pred_") for column in predicted)
    wanted = ["target"] if "target" in frame else [f"target_{name}" for name in classes]
    absent = [column for column in ["id", "fold", *wanted] if column not in frame]
    if absent or not predicted or task_name not in list(Task):
        raise ValueError(
            f"{path}: expected the columns id, fold, target… and pred_<class>… of one of the tasks "
            f"{[str(task) for task in Task]}, got {list(frame.columns)[:10]} and the task {task_name!r}. "
            "The file is not one that train.py wrote; remove it, or train the run again."
        )
    frame = frame.dropna(subset=wanted).reset_index(drop=True)
    task = Task(task_name)
    if task == Task.MULTICLASS:
        position = {name: index for index, name in enumerate(classes)}
        targets = frame["target"].astype(str).map(position)
        if targets.isna().any():
            unknown = sorted(set(frame["target"][targets.isna()].astype(str)))[:5]
            raise ValueError(
                f"{path}: target has {unknown}, for which there is no pred_<class> column. "
                "The file is not one that train.py wrote; remove it, or train the run again."
            )
        known: np.ndarray = targets.to_numpy(np.int64)
    else:
        known = frame[wanted].to_numpy(np.float64)
    return OutOfFold(
        task=task,
        ids=frame["id"].astype(str).to_numpy(dtype=object),
        fold=frame["fold"].to_numpy(np.int64),
        targets=known,
        values=frame[predicted].to_numpy(np.float64),
        classes=classes,
        pictures=frame["picture"].to_numpy(dtype=str) if "picture" in frame else None,
    )


def read_test(path: Path, classes: Sequence[str]) -> Predictions:
    """Predictions for test rows as a run writes them, their columns in the order of `classes`.

    Raises:
        ValueError: other classes than these, or no ids.
    """
    return as_test_predictions(pd.read_parquet(path), path, classes)


def as_test_predictions(frame: pd.DataFrame, path: Path, classes: Sequence[str]) -> Predictions:
    """A test.parquet, or some of its rows, that has been read from `path`; as `read_test`."""
    columns = [f"pred_{name}" for name in classes]
    predicted = [name for name in frame if str(name).startswith("pred_")]
    if "id" not in frame or set(columns) != set(predicted):
        raise ValueError(
            f"{path}: expected the columns id and {columns[:10]}, got {list(frame.columns)[:10]}. "
            "The file is not one of this competition's runs; remove it, or predict again."
        )
    subjects = frame["subject"].to_numpy(dtype=str) if "subject" in frame else None
    return Predictions(frame["id"].to_numpy(dtype=str), frame[columns].to_numpy(dtype=np.float32), subjects)


def mean_predictions(parts: list[Predictions]) -> Predictions:
    """The mean of several folds' predictions for the same ids.

    >>> parts = [Predictions(np.array(["a"]), np.array([[0.2]])), Predictions(np.array(["a"]), np.array([[0.4]]))]
    >>> mean_predictions(parts).values.round(6)
    array([[0.3]])
    """
    for part in parts:
        assert np.array_equal(part.ids, parts[0].ids)
    return Predictions(parts[0].ids, np.mean([part.values for part in parts], axis=0), parts[0].subjects)


def score(targets: np.ndarray, values: np.ndarray, metrics: list[Metric]) -> dict[str, float]:
    """Every metric on these rows, by its name."""
    return {metric.name: float(metric(targets, values)) for metric in metrics}


def last_scores(entry: dict[str, Any]) -> dict[str, Any]:
    """A trained fold's scores after its last epoch; of images, where `best` is of the subjects they show.

    >>> last_scores({"fold": 0, "last_per_picture": {"auc": 0.5}})
    {'auc': 0.5}
    """
    return entry["last"] if "last" in entry else entry["last_per_picture"]


def cv_of(metrics: dict[str, Any]) -> tuple[str, float | None, float | None]:
    """Name of a run's metric, its pooled score, and the nested one of what goes into its submission.

    Nested is the score after post-processing, else the pooled one of a run whose weights, level-2 models or views were
    learned on out-of-fold rows; None for a run that learned nothing from them.

    Args:
        metrics: what metrics.json holds.

    >>> cv_of({"metric": "f1", "pooled": {"f1": 0.8}, "postprocess": {"nested": 0.83}})
    ('f1', 0.8, 0.83)
    """
    name = metrics["metric"]
    cv = metrics["pooled"].get(name)
    if "postprocess" in metrics:
        return name, cv, metrics["postprocess"]["nested"]
    return name, cv, cv if "in_sample" in metrics else None


def read_scores(path: Path) -> dict[str, Any]:
    """A fold's scores.json; null, which stands for a score that could not be computed, is NaN again."""

    def with_nan(node: dict[str, Any]) -> dict[str, Any]:
        return {key: math.nan if value is None else value for key, value in node.items()}

    return json.loads(path.read_text(encoding="utf-8"), object_hook=with_nan)


def summarise(
    fold_scores: Sequence[dict[str, Any]],
    pooled: dict[str, float],
    metric: Metric,
    task: Task,
    classes: tuple[str, ...],
    fold_hash: str,
) -> dict[str, Any]:
    """What metrics.json holds: pooled over all OOF rows, and mean and standard deviation over folds."""
    by_fold = pd.DataFrame([one["best"] for one in fold_scores])
    spread = by_fold.std(ddof=0) if len(by_fold) > 1 else by_fold.mean() * 0
    return {
        "metric": metric.name,
        "greater_is_better": metric.greater_is_better,
        "task": str(task),
        "classes": list(classes),
        "pooled": pooled,
        "mean": by_fold.mean().to_dict(),
        "std": spread.to_dict(),
        "folds": fold_scores,
        "fold_hash": fold_hash,
    }


def _target_columns(targets: np.ndarray, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """`target` when there is one (a class's name, or a number), else `target_<name>` for each."""
    if targets.ndim == 1:
        return {"target": np.array(classes, dtype=object)[targets]}
    if targets.shape[1] == 1:
        return {"target": targets[:, 0]}
    return {f"target_{name}": targets[:, column] for column, name in enumerate(classes)}
