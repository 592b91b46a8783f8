"""What a trained fold says about tables: some rows, a whole test set chunk by chunk, and the folds joined."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from compkit.data import Loader
from compkit.engine import Console, Ranks, choose_precision, gather_rows
from compkit.files import atomic_path
from compkit.inference import average_subjects, average_views, predict_views
from compkit.results import as_test_predictions, mean_predictions, prediction_frame, subject_frame
from compkit.run.assemble import make_loader
from compkit.run.outcome import write_parquet
from compkit.run.plan import Plan
from compkit.run.trained_fold import TrainedFold
from compkit.types import Predictions, Table

CHUNK = 4096  # rows predicted, gathered and written at a time


def chunked(rows: np.ndarray) -> list[np.ndarray]:
    """Rows in parts of CHUNK; one empty part of none.

    >>> [len(part) for part in chunked(np.arange(5000))], [len(part) for part in chunked(np.arange(0))]
    ([4096, 904], [0])
    """
    return [rows[start : start + CHUNK] for start in range(0, max(len(rows), 1), CHUNK)]


def predict_rows(
    plan: Plan,
    table: Table,
    rows: np.ndarray,
    trained: TrainedFold,
    ranks: Ranks,
    loader: Loader | None = None,
) -> Predictions:
    """What the fold says about these rows of the table, in their rising order, on every rank."""
    loader = loader or make_loader(plan, table, trained.preprocessing, ranks, augment=False)
    values = list(_predict_chunks(plan, loader, chunked(rows), trained, ranks))
    return Predictions(table.ids[rows], np.concatenate(values), _subjects(table, rows))


def predict_table(
    plan: Plan, table: Table, unreadable: np.ndarray, trained: TrainedFold, ranks: Ranks
) -> Iterator[Predictions]:
    """What the fold says about every row of a table, CHUNK rows at a time, on every rank.

    Args:
        plan: of the run.
        table: what is predicted.
        unreadable: rows whose picture cannot be read; they get the prior.
        trained: the fold.
        ranks: each predicts its share of a chunk, and has to take all chunks.
    """
    is_readable = np.ones(len(table), dtype=bool)
    is_readable[unreadable] = False
    spans = [slice(start, start + CHUNK) for start in range(0, len(table), CHUNK)]
    readable = [span.start + np.flatnonzero(is_readable[span]) for span in spans]
    loader = make_loader(plan, table, trained.preprocessing, ranks, augment=False)
    found = _predict_chunks(plan, loader, readable, trained, ranks)
    for span, of_readable in zip(spans, found, strict=True):
        values = np.tile(trained.prior, (len(is_readable[span]), 1))
        values[is_readable[span]] = of_readable
        yield Predictions(table.ids[span], values, _subjects(table, span))


def logits_of_views(plan: Plan, trained: TrainedFold, table: Table, rows: np.ndarray, ranks: Ranks) -> Tensor:
    """What each model of the fold says of each view of these rows, float32 [K x V, n, C]; in this process alone."""
    loader = make_loader(plan, table, trained.preprocessing, ranks, augment=False)
    return torch.cat(list(_say_views(plan, loader, chunked(rows), trained, ranks)), dim=1)


def write_test(
    path: Path,
    plan: Plan,
    table: Table,
    unreadable: np.ndarray,
    trained: TrainedFold,
    ranks: Ranks,
    console: Console,
) -> None:
    """Predict a table and write it as it is predicted; a file appears only when all of it is there."""
    parts = predict_table(plan, table, unreadable, trained, ranks)
    with console.epoch(len(table), f"fold {trained.fold}: predicting") as bar:

        def told() -> Iterator[Predictions]:
            for part in parts:
                yield part
                bar.advance(len(part.ids))

        if ranks.is_main:
            write_chunks(path, told(), trained.fold, trained.classes)
        else:
            for _ in parts:
                pass


def write_chunks(path: Path, parts: Iterable[Predictions], fold: int, classes: tuple[str, ...]) -> None:
    """Write predictions as they come, each part a row group of the parquet file."""
    with atomic_path(path) as temporary:
        writer = None
        try:
            for part in parts:
                group = pa.Table.from_pandas(prediction_frame(part, fold, classes), preserve_index=False)
                writer = writer or pq.ParquetWriter(temporary, group.schema)
                writer.write_table(group)
        finally:
            if writer is not None:
                writer.close()
        assert writer is not None, "a table without rows"


def mean_of_files(paths: Sequence[Path], classes: tuple[str, ...]) -> Iterator[Predictions]:
    """The mean of several files of the same ids that `write_chunks` wrote, one row group of all at a time."""
    files = [pq.ParquetFile(path) for path in paths]
    assert len({file.num_row_groups for file in files}) == 1, "files written in other chunks"
    for group in range(files[0].num_row_groups):
        yield mean_predictions(
            [
                as_test_predictions(file.read_row_group(group).to_pandas(), path, classes)
                for file, path in zip(files, paths, strict=True)
            ]
        )


def join_folds(plan: Plan, folds: Sequence[int], table: Table, has_test: bool) -> None:
    """oof.parquet, in the order of the table, and test.parquet, the mean, from the files of the folds.

    The files of the folds are of images; these are of subjects, where images show such.
    """
    folders = [plan.folder / f"fold_{fold}" for fold in folds]
    oof = pd.concat([pd.read_parquet(folder / "oof.parquet") for folder in folders], ignore_index=True)
    rows = pd.Index(table.ids).get_indexer(oof["id"])
    assert (rows >= 0).all() and oof["id"].is_unique
    in_order = oof.iloc[np.argsort(rows)].reset_index(drop=True)
    write_parquet(plan.folder / "oof.parquet", subject_frame(in_order, plan.competition.subject_average))
    if has_test:
        tests = [folder / "test.parquet" for folder in folders]
        join_test(plan, tests, plan.folder / "test.parquet", plan.competition.classes)


def join_test(plan: Plan, paths: Sequence[Path], path: Path, classes: tuple[str, ...]) -> None:
    """The mean of the folds' predictions, of subjects where images show such; only one chunk is in memory."""
    parts = average_subjects(mean_of_files(paths, classes), plan.competition.subject_average)
    write_chunks(path, parts, -1, classes)


def _subjects(table: Table, rows: np.ndarray | slice) -> np.ndarray | None:
    return None if table.subjects is None else table.subjects[rows]


def _predict_chunks(
    plan: Plan, loader: Loader, chunks: Sequence[np.ndarray], trained: TrainedFold, ranks: Ranks
) -> Iterator[np.ndarray]:
    """The values of each chunk's rows, float32 [n, C], on every rank."""
    settings, task = trained.settings, plan.competition.task
    weights = [view.weight for _ in trained.models for _, view in settings.ordered_views]
    mine = [rows[ranks.rank :: ranks.world] for rows in chunks]
    found = _say_views(plan, loader, mine, trained, ranks)
    for rows, own, logits in zip(chunks, mine, found, strict=True):
        values = average_views(logits, weights, task, settings.mean)
        if len(rows):  # else no rank has any
            everybody, gathered = gather_rows(torch.from_numpy(own), torch.from_numpy(values), ranks)
            assert np.array_equal(everybody, rows), "a row was not predicted"
            values = gathered.numpy()
        yield values


def _say_views(
    plan: Plan, loader: Loader, chunks: Sequence[np.ndarray], trained: TrainedFold, ranks: Ranks
) -> Iterator[Tensor]:
    return predict_views(
        trained.models,
        loader,
        chunks,
        trained.settings,
        trained.classes,
        trained.preprocessing,
        ranks.device,
        choose_precision(plan.trainer.precision, ranks.device),
    )
