"""Finished runs on disk, written by hand: what read_members reads and nothing else."""

import json

import numpy as np
import pandas as pd
import yaml

from compkit.competition import Folds

CLASSES = ("cat", "dog", "fox")


def write_run(
    folder,
    values,
    targets,
    fold,
    classes=CLASSES,
    ids=None,
    test=None,
    test_ids=None,
    test_of_folds=None,
    groups=None,
    task="multiclass",
    competition="pets",
    all_ids=None,
    all_fold=None,
    order=None,
):
    """A run of these predictions [N, C]; `order` shuffles the rows of its files, `all_ids` are those of its folds.

    Targets are class indices [N] of `classes`, or [N, C].
    """
    ids = np.array([f"{row:03d}" for row in range(len(values))]) if ids is None else ids
    folds = Folds(
        ids if all_ids is None else all_ids, fold if all_fold is None else all_fold, groups, "predefined"
    )
    frame = pd.DataFrame({"id": ids.astype(object), "fold": fold})
    if task == "multiclass":
        frame["target"] = np.array(classes, dtype=object)[targets]
    elif targets.shape[1] == 1:
        frame["target"] = targets[:, 0]
    else:
        frame[[f"target_{name}" for name in classes]] = targets
    frame[[f"pred_{name}" for name in classes]] = values
    folder.mkdir(parents=True)
    rows = np.arange(len(ids)) if order is None else order
    frame.iloc[rows].to_parquet(folder / "oof.parquet", index=False)
    for place, made in {"": test, **(test_of_folds or {})}.items():
        if made is not None:
            names = np.array([f"t{row}" for row in range(len(made))]) if test_ids is None else test_ids
            table = pd.DataFrame(made, columns=[f"pred_{name}" for name in classes])
            (folder / place).mkdir(exist_ok=True)
            table.assign(id=names, fold=-1).to_parquet(folder / place / "test.parquet", index=False)
    folds.write(folder / "folds.csv")
    (folder / "config.yaml").write_text(yaml.safe_dump({"competition": {"name": competition}}))
    (folder / "metrics.json").write_text(json.dumps({"task": task, "fold_hash": folds.hash}))
    return folder
