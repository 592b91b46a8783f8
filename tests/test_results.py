"""Predictions as tables, scores of a run."""

import numpy as np
import pytest

from compkit.metrics import RMSE, Accuracy
from compkit.results import cv_of, mean_predictions, prediction_frame, read_test, score, summarise
from compkit.types import Predictions, Table, Task

IDS = np.array(["01", "2"])
FILES = np.empty((2, 1), dtype="S1")


def test_columns_by_task():
    values = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    predictions = Predictions(IDS, values)
    classes = prediction_frame(predictions, 3, ("cat", "dog"), Table(IDS, FILES, np.array([0, 1])))
    assert classes.to_dict("list")["target"] == ["cat", "dog"]
    assert list(classes) == ["id", "fold", "target", "pred_cat", "pred_dog"] and classes["id"].tolist() == [
        "01",
        "2",
    ]
    labels = prediction_frame(predictions, 3, ("cat", "dog"), Table(IDS, FILES, np.eye(2, dtype=np.float32)))
    assert list(labels) == ["id", "fold", "target_cat", "target_dog", "pred_cat", "pred_dog"]
    number = prediction_frame(
        Predictions(IDS, values[:, :1]),
        3,
        ("angle",),
        Table(IDS, FILES, np.array([[1.5], [2.5]], np.float32)),
    )
    assert list(number) == ["id", "fold", "target", "pred_angle"] and number["target"].tolist() == [1.5, 2.5]
    assert list(prediction_frame(predictions, -1, ("cat", "dog"))) == ["id", "fold", "pred_cat", "pred_dog"]


def test_mean_keeps_ids_together():
    parts = [Predictions(IDS, np.full((2, 1), value)) for value in (1.0, 3.0)]
    assert mean_predictions(parts).values.tolist() == [[2.0], [2.0]]
    with pytest.raises(AssertionError):
        mean_predictions([parts[0], Predictions(IDS[::-1], np.zeros((2, 1)))])


def test_summary():
    folds = [{"fold": 0, "best": {"accuracy": 0.8}}, {"fold": 1, "best": {"accuracy": 0.6}}]
    summary = summarise(folds, {"accuracy": 0.7}, Accuracy(), Task.MULTICLASS, ("a", "b"), "abc")
    assert summary["mean"]["accuracy"] == pytest.approx(0.7) and summary["std"]["accuracy"] == pytest.approx(
        0.1
    )
    assert summary["metric"] == "accuracy" and summary["greater_is_better"] and summary["fold_hash"] == "abc"
    alone = summarise(folds[:1], {"accuracy": 0.8}, Accuracy(), Task.MULTICLASS, ("a", "b"), "abc")
    assert alone["std"]["accuracy"] == 0


def test_score_by_name():
    assert score(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]), [RMSE()])["rmse"] == pytest.approx(
        np.sqrt(2)
    )


def test_test_predictions_come_in_the_order_of_the_classes(tmp_path):
    path = tmp_path / "test.parquet"
    prediction_frame(Predictions(IDS, np.array([[0.1, 0.9], [0.2, 0.8]])), -1, ("cat", "dog")).to_parquet(
        path
    )
    assert read_test(path, ("dog", "cat")).values.tolist() == [
        [np.float32(0.9), np.float32(0.1)],
        [np.float32(0.8), np.float32(0.2)],
    ]
    with pytest.raises(ValueError, match="pred_cow"):
        read_test(path, ("cat", "cow"))


def test_nested_is_the_score_of_what_is_submitted():
    plain = {"metric": "f1", "pooled": {"f1": 0.8, "auc": 0.9}}
    assert cv_of(plain) == ("f1", 0.8, None)
    assert cv_of(plain | {"in_sample": {"f1": 0.9}}) == ("f1", 0.8, 0.8)
    tuned = {"plain": 0.8, "nested": 0.83, "in_sample": 0.85}
    assert cv_of(plain | {"in_sample": {"f1": 0.9}, "postprocess": tuned}) == ("f1", 0.8, 0.83)
