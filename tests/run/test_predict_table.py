"""Tables predicted chunk by chunk: the same rows, the same numbers, on one rank as on several."""

import threading
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from compkit.build import build_plan, load_plan
from compkit.data import Loader
from compkit.engine import Console, Ranks
from compkit.inference import InferenceSettings
from compkit.pipeline import run
from compkit.run import predict_table as module
from compkit.run.predict_table import mean_of_files, predict_rows, predict_table, write_chunks, write_test
from compkit.run.trained_fold import load_fold
from compkit.types import Predictions

from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """The plan of a run of one fold and one epoch, its fold, and the test table."""
    output = tmp_path_factory.mktemp("trained")
    overrides = (f"data_dir={data_dir}", f"output_dir={output}", "epochs=1", "train_folds=[0]", "name=run")
    plan = build_plan(compose_train(*QUICK, *overrides))
    run(plan)
    plan = load_plan(plan.folder)
    table = plan.competition.read_test()
    return plan, load_fold(plan, 0, Ranks()), table.take(np.arange(50))


@pytest.mark.parametrize("chunk", [7, 25, 100])
def test_chunks_change_nothing_but_the_row_groups(trained, tmp_path, monkeypatch, chunk):
    plan, fold, table = trained
    unreadable = np.array([0, 3, 20, 21, 22, 23, 24, 25, 26, 27, 49])  # a whole chunk among them
    rows = np.setdiff1d(np.arange(50), unreadable)
    whole = predict_rows(plan, table, rows, fold, Ranks())
    monkeypatch.setattr(module, "CHUNK", chunk)
    with Console(quiet=True) as console:
        write_test(tmp_path / "t.parquet", plan, table, unreadable, fold, Ranks(), console)
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert frame["id"].tolist() == table.ids.tolist() and (frame["fold"] == 0).all()
    values = frame.filter(like="pred_").to_numpy()
    np.testing.assert_allclose(values[rows], whole.values, rtol=1e-5, atol=1e-7)
    assert (values[unreadable] == fold.prior).all()
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == -(-50 // chunk)
    again = predict_rows(plan, table, rows, fold, Ranks())
    np.testing.assert_allclose(again.values, whole.values, rtol=1e-5, atol=1e-7)


def test_ranks_share_each_chunk_also_one_with_fewer_rows_than_ranks(trained, monkeypatch):
    plan, fold, table = trained
    unreadable = np.arange(
        1, 12
    )  # of the first chunk one row is left, of the second none, and of the third one
    want = np.concatenate([part.values for part in predict_table(plan, table, unreadable, fold, Ranks())])
    monkeypatch.setattr(module, "CHUNK", 5)
    meeting, boxes = threading.Barrier(2), {}

    class Pair(Ranks):
        """Two ranks that are threads of this process."""

        def gather(self, value):
            boxes[self.rank] = value
            meeting.wait(timeout=60)
            values = [boxes[0], boxes[1]]
            meeting.wait(timeout=60)
            return values

    found = {}

    def work(rank):
        member = replace(fold, models=tuple(map(deepcopy, fold.models)))
        parts = predict_table(plan, table, unreadable, member, Pair(rank=rank, world=2))
        found[rank] = np.concatenate([part.values for part in parts])

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert set(found) == {0, 1}
    for values in found.values():
        np.testing.assert_allclose(values, want, rtol=1e-5, atol=1e-7)


def test_only_one_chunk_is_in_memory(trained, monkeypatch):
    """The loader is asked for the pictures of the second chunk only when the first one is taken."""
    plan, fold, table = trained
    monkeypatch.setattr(module, "CHUNK", 10)
    loaded = []

    def counting(self, draws, batches=Loader.batches):
        for draw, batch in zip(draws, batches(self, draws), strict=True):
            loaded.append(len(draw.rows))
            yield batch

    monkeypatch.setattr(Loader, "batches", counting)
    parts = predict_table(plan, table, np.empty(0, np.int64), fold, Ranks())
    assert sum(loaded) == 0
    next(parts)
    assert sum(loaded) == 10
    next(parts)
    assert sum(loaded) == 20


def test_a_size_is_decoded_once_a_chunk_for_all_its_views(trained, monkeypatch):
    plan, fold, table = trained
    views = {"a": {}, "b": {"hflip": True}, "c": {"scale": 0.5}, "d": {"scale": 0.5, "vflip": True}}
    member = replace(fold, settings=InferenceSettings("best", 16, views))
    sizes = []
    load = type(member.preprocessing).load

    def counting(self, files, size=None):
        sizes.append(size)
        return load(self, files, size)

    monkeypatch.setattr(type(member.preprocessing), "load", counting)
    predict_rows(plan, table, np.arange(20), member, Ranks())
    assert sizes == [None] * 20 + [(16, 16)] * 20


def test_mean_of_files_goes_group_by_group(tmp_path):
    rng = np.random.default_rng(0)
    ids = np.array([f"{row:03d}" for row in range(25)])
    folds = rng.random((3, 25, 2)).astype(np.float32)
    paths = [tmp_path / f"{fold}.parquet" for fold in range(3)]
    for fold, path in enumerate(paths):
        parts = [
            Predictions(ids[start : start + 10], folds[fold, start : start + 10]) for start in (0, 10, 20)
        ]
        write_chunks(path, parts, fold, ("x", "y"))
    parts = list(mean_of_files(paths, ("y", "x")))
    assert [len(part.ids) for part in parts] == [10, 10, 5]
    np.testing.assert_allclose(
        np.concatenate([part.values for part in parts]), folds.mean(0)[:, ::-1], rtol=1e-6
    )


def test_a_file_that_could_not_be_finished_is_not_there(tmp_path):
    def parts():
        yield Predictions(np.array(["a"]), np.zeros((1, 1), np.float32))
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_chunks(tmp_path / "t.parquet", parts(), 0, ("x",))
    assert not list(tmp_path.iterdir())


def test_no_rows_give_no_values(trained):
    plan, fold, table = trained
    got = predict_rows(plan, table, np.arange(0), fold, Ranks())
    assert got.values.shape == (0, 10) and torch.is_tensor(next(fold.model.parameters()))
