"""Predictions of a run that lies on disk, for its test set, its validation rows or any pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from compkit.competition import Folds, read_folder
from compkit.data import Preprocessing
from compkit.engine import Console, Ranks, choose_device, choose_threads, load_weights, read_metadata
from compkit.inference import AVERAGES
from compkit.outcome import write_parquet
from compkit.pipeline import predict, predict_all
from compkit.plan import Plan
from compkit.prepare import unreadable_rows
from compkit.results import mean_predictions, prediction_frame


@dataclass(frozen=True)
class Member:
    """One fold's trained model."""

    fold: int
    model: torch.nn.Module
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    prior: np.ndarray  # float32 [C], what it predicts for a picture that cannot be read


def predict_run(plan: Plan, what: str, images: str | None, output: str | None) -> Path:
    """Predict with every fold of a run that has weights; write one parquet file.

    Args:
        plan: the run's, from its config.yaml.
        what: `test`: the mean of the folds; `oof`: each row by the fold that did not train on it.
        images: a folder whose pictures are predicted instead, by the mean of the folds.
        output: the file; None is <run>/predicted_<what>.parquet.

    Raises:
        ValueError: an unknown `what`, an output that exists, or no fold with weights.
    """
    if what not in ("test", "oof"):
        raise ValueError(f"what={what}: expected test or oof. Set what=test.")
    path = Path(output or plan.folder / f"predicted_{'folder' if images else what}.parquet")
    if path.exists():
        raise ValueError(
            f"{path} exists already and is not overwritten. Set output=… to another file, or delete it."
        )
    ranks = Ranks(device=choose_device(plan.trainer.device))
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    with Console() as console:
        members = [load_member(plan, fold, ranks) for fold in trained_folds(plan)]
        classes = members[0].classes
        if what == "oof" and not images:
            frame = _out_of_fold(plan, members, ranks)
        else:
            table = (
                read_folder(Path(images).expanduser(), plan.competition.channel_files)
                if images
                else plan.competition.read_test()
            )
            unreadable = unreadable_rows(plan, table, ranks, "folder" if images else "test", console)
            parts = []
            for member in members:
                console.say(f"fold {member.fold}: {len(table)} pictures")
                trained = (member.prior, member.preprocessing, member.model)
                parts.append(predict_all(plan, table, unreadable, *trained, ranks))
            frame = prediction_frame(mean_predictions(parts), -1, classes)
    write_parquet(path, frame)
    return path


def trained_folds(plan: Plan) -> list[int]:
    """The wanted folds, each of which must have weights."""
    folders = sorted(plan.folder.glob("fold_*"), key=lambda folder: int(folder.name.removeprefix("fold_")))
    found = [int(one.name.removeprefix("fold_")) for one in folders if weights_file(plan, one).is_file()]
    wanted = found if plan.train_folds is None else plan.train_folds
    missing = [fold for fold in wanted if fold not in found]
    if missing or not found:
        raise ValueError(
            f"{plan.folder}: no weights for fold(s) {missing or 'any'}; there are weights of folds {found}. "
            "Train the run to its end, or set folds=[…]."
        )
    return wanted


def weights_file(plan: Plan, folder: Path) -> Path:
    """The weights of a fold that the run's inference settings choose."""
    averages = [kind for kind in AVERAGES if (folder / f"{kind}.safetensors").is_file()]
    weights = plan.inference.resolve(averages[0] if averages else "none").weights
    return folder / f"{weights}.safetensors"


def load_member(plan: Plan, fold: int, ranks: Ranks) -> Member:
    """One fold's model, with the preprocessing and class order that are stored with its weights."""
    path = weights_file(plan, plan.folder / f"fold_{fold}")
    metadata = read_metadata(path)
    classes = tuple(metadata["classes"])
    auxiliary = metadata.get("auxiliary", {})
    model = plan.make_model(
        num_outputs=len(classes), auxiliary=auxiliary, **_placeholders(plan, len(classes))
    )
    load_weights(path, model)
    preprocessing = Preprocessing.from_dict(metadata["preprocessing"])
    prior = np.array(metadata["prior"], dtype=np.float32)
    return Member(fold, model.to(ranks.device), preprocessing, classes, prior)


def _placeholders(plan: Plan, num_outputs: int) -> dict[str, Any]:
    """What a model is made from in training and then keeps among its weights; these values are replaced."""
    if plan.competition.task != "regression":
        return {"class_counts": np.ones(num_outputs, dtype=np.int64)}
    return {"target_mean": np.zeros(num_outputs), "target_std": np.ones(num_outputs)}


def _out_of_fold(plan: Plan, members: list[Member], ranks: Ranks) -> pd.DataFrame:
    table = plan.competition.read_train(plan.limit)
    folds = Folds.read(plan.folder / "folds.csv")
    table = table.take(np.flatnonzero(np.isin(table.ids, folds.ids)))  # without what the run dropped
    folds = folds.aligned_to(table.ids)
    frames = []
    for member in members:
        rows = folds.valid_rows(member.fold)
        oof = predict(plan, table, rows, member.preprocessing, member.model, ranks)
        frames.append(prediction_frame(oof, member.fold, member.classes, table.take(rows)))
    frame = pd.concat(frames, ignore_index=True)
    return frame.iloc[np.argsort(pd.Index(table.ids).get_indexer(frame["id"]))].reset_index(drop=True)
