"""A competition's folder with runs of every sort, each no more than what the leaderboard reads."""

import hashlib
import json

import numpy as np
import pandas as pd
import yaml

from compkit.kaggle import LedgerRow, append

VALUES = np.random.default_rng(0).normal(size=(200, 2))


def add_run(
    competition,
    name,
    cv=None,
    std=0.01,
    by=None,
    of=(),
    overrides=(),
    lb=None,
    noise=None,
    started="2026-11-01 10:00:00",
    status="complete",
    config=None,
    **metrics,
):
    """A run; unfinished without `cv`, submitted with `lb`, with test predictions that differ by `noise`."""
    folder = competition / name
    folder.mkdir(parents=True)
    made = {} if by is None else {"made": {"by": by, "runs": [f"outputs/leaf/{one}" for one in of]}}
    settings = {"name": name, "lr": 0.1, "epochs": 5, **(config or {}), **made}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "overrides.txt").write_text("".join(f"{one}\n" for one in (f"name={name}", *overrides)))
    (folder / "train.log").write_text(f"{started}  fold 1/2\n")
    if cv is None:
        return folder
    metric = metrics.get("metric", "f1")
    folds = [
        {"fold": fold, "best": {metric: cv}, "seconds": 60.0, "images_per_second": 500} for fold in (0, 1)
    ]
    folds = [{"fold": one["fold"], "best": one["best"]} for one in folds] if by else folds
    about = {
        "metric": metric,
        "greater_is_better": True,
        "pooled": {metric: cv},
        "mean": {metric: cv},
        "std": {metric: std},
        "folds": folds,
        "fold_hash": "f00d",
    }
    (folder / "metrics.json").write_text(json.dumps(about | metrics))
    noise = len(name) if noise is None else noise
    values = VALUES + noise * np.random.default_rng(sum(name.encode())).normal(size=VALUES.shape)
    test = pd.DataFrame(values, columns=["pred_a", "pred_b"]).assign(id=[f"{row:03d}" for row in range(200)])
    test.to_parquet(folder / "test.parquet", index=False)
    (folder / "submission.csv").write_text(f"id,label\n1,{name}\n")
    if lb is not None or status != "complete":
        append(competition / "ledger.csv", ledger_row(folder, cv, lb, status))
    return folder


def ledger_row(folder, cv, lb, status="complete"):
    sha256 = hashlib.sha256((folder / "submission.csv").read_bytes()).hexdigest()
    scores = (cv, None, lb, None)
    return LedgerRow("2026-11-22T12:30:00Z", folder.name, "f1", *scores, "1", status, sha256, "hello", 9.5)
