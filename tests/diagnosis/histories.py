"""Histories drawn rather than trained."""

import numpy as np
import pandas as pd

from compkit.diagnosis import FoldFacts
from compkit.types import Task

PRIOR = float(np.log(10))
FACTS = {
    "fold": 0, "task": Task.MULTICLASS, "epochs": 20, "is_over": True, "metric": "accuracy", "greater_is_better": True,
    "train_rows": 4000, "val_rows": 1000, "val_class_rows": np.full(10, 100), "prior": PRIOR, "valid_prior": PRIOR,
    "judged_by": "accuracy", "chance": 0.1, "classes": 10,
}  # fmt: skip


def facts(**changes) -> FoldFacts:
    return FoldFacts(**(FACTS | changes))


def falling(start=PRIOR, end=0.05, epochs=20):
    """A loss that falls by the same factor each epoch."""
    return np.geomspace(start, end, epochs)


def cosine(epochs=20, lr=1e-3, cycles=1):
    """The rate at each epoch's end."""
    place = (np.arange(1, epochs + 1) * cycles / epochs) % 1
    place[-1] = 1
    return lr * (1 + np.cos(np.pi * place)) / 2


def history(train, valid=None, score=None, lr=None, steps=100, **more):
    """A history.csv; without other words a healthy run of ten classes."""
    train = np.asarray(train, np.float64)
    valid = train * 0.9 + 0.1 if valid is None else np.asarray(valid, np.float64)
    score = 1 - 0.9 * np.minimum(valid / PRIOR, 1) if score is None else np.asarray(score)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, len(train) + 1),
            "step": steps * np.arange(1, len(train) + 1),
            "lr": cosine(len(train)) if lr is None else lr,
            "train_loss": train,
            "grad_norm": 1.0,
            "images_per_second": 100.0,
            "seconds": 1.0,
            "val_loss": valid,
            "val_accuracy": score,
        }
        | more
    )


def fired(findings, *statuses):
    """Names of the findings of these statuses, WARN and FAIL by default."""
    return {one.check for one in findings if one.status in (statuses or ("warn", "fail"))}
