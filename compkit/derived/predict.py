"""Predictions of a run that lies on disk: a run of their own, or one file for its rows or any pictures."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from compkit.competition import read_folder
from compkit.derived.predicted import predict_as_run, split_table
from compkit.derived.view_search import search_views
from compkit.engine import Console, Ranks, choose_device, choose_threads, read_metadata
from compkit.files import write_text
from compkit.inference import ViewSearch, try_views
from compkit.ranges import one_of
from compkit.results import prediction_frame, subject_frame
from compkit.run.folder import json_text
from compkit.run.outcome import write_parquet
from compkit.run.plan import Plan
from compkit.run.predict_table import join_test, predict_rows, write_test
from compkit.run.prepare import unreadable_rows
from compkit.run.trained_fold import load_fold, trained_folds, weights_files, weights_hash
from compkit.types import Table


def predict_run(
    plan: Plan, what: str, images: str | None = None, output: str | None = None, name: str | None = None
) -> Path:
    """Predict with every fold of a run that has weights. Killed and called again, it goes on behind the last fold.

    Args:
        plan: the run's, from its config.yaml, with the inference settings to use.
        what: `run`: OOF and test, as a run beside it; `test`: the mean of the folds, in one file; `oof`: each row
            by the fold that did not train on it, in one file.
        images: a folder whose pictures are predicted instead, by the mean of the folds, into one file.
        output: the file; None is <run>/predicted_<what>.parquet.
        name: of the run for what=run; None is <run>_predicted.

    Returns:
        the new run's folder, or the file.

    Raises:
        ValueError: an unknown `what`, an output that exists, no fold with weights, or views that do not fit.
    """
    one_of("what", what, ("run", "test", "oof"))
    is_run = what == "run" and images is None
    path = Path(output or plan.folder / f"predicted_{'folder' if images else what}.parquet")
    if path.exists() and not is_run:
        raise ValueError(
            f"{path} exists already and is not overwritten. Set output=… to another file, or delete it."
        )
    if isinstance(plan.inference, ViewSearch) and not is_run:
        raise ValueError(
            "inference=search makes a run: set what=run and images=null. Then predict with the views it found."
        )
    folds = trained_folds(plan)
    ranks = Ranks(device=choose_device(plan.trainer.device))
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    if plan.inference.resizes(plan.image_size):
        _try_sizes(plan, folds[0], ranks)
    with Console() as console:
        if is_run:
            make = search_views if isinstance(plan.inference, ViewSearch) else predict_as_run
            return make(plan, folds, name or f"{plan.folder.name}_predicted", ranks, console)
        if what == "oof" and images is None:
            write_parquet(path, _out_of_fold(plan, folds, ranks, console))
            return path
        table = (
            read_folder(Path(images).expanduser(), plan.competition.channel_files)
            if images
            else plan.competition.read_test()
        )
        unreadable = unreadable_rows(plan, table, ranks, "folder" if images else "test", console)
        _write_mean(path, plan, table, unreadable, folds, ranks, console)
    return path


def _try_sizes(plan: Plan, fold: int, ranks: Ranks) -> None:
    """Refuse views that the run's network is too small or too fixed for, before anything is written."""
    search, key = plan.inference, "inference.views"
    if isinstance(search, ViewSearch):
        plan, key = (
            replace(plan, inference=search.with_views(sorted(search.candidates))),
            "inference.candidates",
        )
    trained = load_fold(plan, fold, ranks)
    try_views(trained.model, trained.settings, trained.preprocessing, key)


def _write_mean(
    path: Path,
    plan: Plan,
    table: Table,
    unreadable: np.ndarray,
    folds: Sequence[int],
    ranks: Ranks,
    console: Console,
) -> None:
    """Each fold's predictions to a file in a folder beside `path`, then their mean to `path`, and the folder away."""
    parts = path.with_name(f".{path.name}.folds")
    settings = {"inference": plan.inference.record(), "weights": plan.inference.weights}
    rows = hashlib.sha256(b"\n".join(table.files.ravel().tolist())).hexdigest()
    weights = {fold: weights_hash(plan, fold) for fold in folds}
    made_with = json_text(settings | {"run": str(plan.folder), "weights_sha256": weights, "rows": rows})
    known = parts / "made_with.json"
    if not known.is_file() or known.read_text(encoding="utf-8") != made_with:
        shutil.rmtree(parts, ignore_errors=True)  # of another call, with other settings or weights
        write_text(known, made_with)
    files = [parts / f"fold_{fold}.parquet" for fold in folds]
    for fold, file in zip(folds, files, strict=True):
        if file.is_file():
            console.say(f"fold {fold}: predicted already")
            continue
        console.say(f"fold {fold}: {len(table)} pictures")
        write_test(file, plan, table, unreadable, load_fold(plan, fold, ranks), ranks, console)
    classes = tuple(read_metadata(weights_files(plan, folds[0])[0])["classes"])
    join_test(plan, files, path, classes)
    shutil.rmtree(parts)


def _out_of_fold(plan: Plan, numbers: Sequence[int], ranks: Ranks, console: Console) -> pd.DataFrame:
    table, folds = split_table(plan)
    frames = []
    for fold in numbers:
        trained, rows = load_fold(plan, fold, ranks), folds.valid_rows(fold)
        console.say(f"fold {fold}: {len(rows)} pictures")
        oof = predict_rows(plan, table, rows, trained, ranks)
        frames.append(prediction_frame(oof, fold, trained.classes, table.take(rows)))
    frame = pd.concat(frames, ignore_index=True)
    in_order = frame.iloc[np.argsort(pd.Index(table.ids).get_indexer(frame["id"]))].reset_index(drop=True)
    return subject_frame(in_order, plan.competition.subject_average)
