"""Run folders as train.py leaves them, made from random numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

NASTY = "<script>alert('x')</script>"


def write_run(
    folder: Path,
    task: str = "multiclass",
    classes: int = 5,
    rows: int = 400,
    num_folds: int = 3,
    epochs: int = 10,
    trained: int | None = None,
) -> Path:
    """A finished run; the first class and the first image have a name that is HTML."""
    rng = np.random.default_rng(0)
    names = [NASTY, *(f"class {index}" for index in range(1, classes))]
    ids = np.array([f"{NASTY}.png", *(f"image_{row:05d}.png" for row in range(1, rows))], dtype=object)
    fold = np.arange(rows) % num_folds
    trained = num_folds if trained is None else trained
    targets, values = TASKS[task](rng, rows, classes)
    frame = pd.DataFrame({"id": ids, "fold": fold})
    if task == "multiclass":
        frame["target"] = np.array(names, dtype=object)[targets]
    elif classes == 1:
        frame["target"] = targets[:, 0]
    else:
        frame[[f"target_{name}" for name in names]] = targets
    frame = pd.concat([frame, pd.DataFrame(values, columns=[f"pred_{name}" for name in names])], axis=1)

    folder.mkdir(parents=True)
    frame[frame["fold"] < trained].to_parquet(folder / "oof.parquet")
    pd.DataFrame({"id": ids, "fold": fold, "group": fold * 10 + 1}).to_csv(folder / "folds.csv", index=False)
    config = {"task": task, "name": NASTY, "lr": 0.001, "epochs": epochs, "seed": 7}
    config |= {
        "loss": {"_target_": LOSSES[task]},
        "metric": {"_target_": f"compkit.metrics.{METRIC_CLASSES[task]}"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "overrides.txt").write_text("competition=digits\nname=it's a demo\n")
    environment = {
        "python": "3.11.0",
        "git_commit": "0123abcd",
        "git_dirty": True,
        "hardware": {"cores": 8, "gpus": []},
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    metric = METRICS[task]
    folds = [write_fold(folder, number, metric, epochs, rng, rows) for number in range(trained)]
    best = [entry["best"][metric] for entry in folds]
    second = [entry["best"]["second_metric"] for entry in folds]
    metrics = {
        "metric": metric,
        "greater_is_better": task != "regression",
        "pooled": {metric: 0.87654, "second_metric": 0.5},
        "mean": {metric: np.mean(best), "second_metric": np.mean(second)},
        "std": {metric: np.std(best, ddof=1) if trained > 1 else None, "second_metric": None},
        "folds": folds,
        "task": task,
        "classes": names,
        "fold_hash": "f00dfeed",
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def write_fold(
    folder: Path, number: int, metric: str, epochs: int, rng: np.random.Generator, rows: int
) -> dict:
    """history.csv of a fold; returns its entry in metrics.json."""
    epoch = np.arange(epochs)
    score = 1 - 0.8 * np.exp(-epoch / epochs * 4) + rng.normal(0, 0.01, epochs)
    history = pd.DataFrame(
        {
            "epoch": epoch,
            "step": 10 * (epoch + 1),
            "train_loss": 2.3 * np.exp(-epoch / epochs * 5),
            "val_loss": 2.3 * np.exp(-epoch / epochs * 3) + 0.05 * rng.random(epochs),
            f"val_{metric}": score,
            "val_second_metric": score / 2,
            "lr": 1e-3 * (1 + np.cos(np.pi * epoch / epochs)) / 2,
            "images_per_second": 1000.0 + number,
            "seconds": 3.5,
        }
    )
    (folder / f"fold_{number}").mkdir()
    history.to_csv(folder / f"fold_{number}" / "history.csv", index=False)
    best = int(score.argmax())
    return {
        "fold": number,
        "best_epoch": best,
        "best": {metric: score[best], "second_metric": score[best] / 2},
        "last": {metric: score[-1], "second_metric": score[-1] / 2},
        "train_rows": rows - rows // 3,
        "val_rows": rows // 3,
        "seconds": 3.5 * epochs,
        "images_per_second": 1000.0 + number,
    }


def multiclass(rng, rows, classes):
    targets = rng.integers(classes, size=rows)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), targets] += 3
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return targets, probs.astype(np.float32)


def multilabel(rng, rows, classes):
    targets = (rng.random((rows, classes)) < 0.3).astype(np.float64)
    logits = 3 * targets - 1.5 + rng.normal(size=(rows, classes))
    return targets, (1 / (1 + np.exp(-logits))).astype(np.float32)


def regression(rng, rows, classes):
    targets = rng.normal(20, 8, (rows, classes))
    return targets, (targets + rng.normal(0, 2, (rows, classes))).astype(np.float32)


TASKS = {"multiclass": multiclass, "multilabel": multilabel, "regression": regression}
METRICS = {"multiclass": "accuracy", "multilabel": "f1_samples", "regression": "rmse"}
METRIC_CLASSES = {"multiclass": "Accuracy", "multilabel": "FBeta", "regression": "RMSE"}
LOSSES = {
    "multiclass": "compkit.losses.CrossEntropy",
    "multilabel": "compkit.losses.BCE",
    "regression": "compkit.losses.MSE",
}


@pytest.fixture
def picture():
    """A picture for every id: a gradient whose colour depends on the name."""

    def image_of(name: str) -> np.ndarray:
        ramp = np.linspace(0, 255, 200).astype(np.uint8)
        image = np.stack([np.tile(ramp, (150, 1))] * 3, axis=2)
        image[..., len(name) % 3] = sum(name.encode()) % 256
        return image

    return image_of


@pytest.fixture
def make_run(tmp_path):
    """Write a run into tmp_path/digits/<name>."""

    def make(name: str = "demo", **settings) -> Path:
        return write_run(tmp_path / "digits" / name, **settings)

    return make
