"""Ranks in one process; two of them are in tests/test_torchrun.py."""

import numpy as np
import pytest
import torch
from torch import nn

from compkit.engine import Ranks, gather_rows, join_ranks, sync_batch_norm
from compkit.engine.distributed import average_buffers, training_module
from compkit.engine.step import gradient_sync

TWO = Ranks(rank=0, world=2)


def test_alone_nothing_is_exchanged(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = join_ranks("cpu")
    assert (ranks.rank, ranks.world, ranks.is_main) == (0, 1, True)
    value = torch.tensor([1.0, 2.0])
    assert ranks.sum(value) is value and ranks.share("a") == "a" and ranks.gather("a") == ["a"]
    ranks.barrier()
    model = nn.BatchNorm1d(2)
    assert training_module(model, False, ranks) is model
    before = model.running_var.clone()
    average_buffers(model, ranks)
    assert torch.equal(model.running_var, before)
    with gradient_sync(model, on=False):
        pass


def test_rows_come_back_in_order_and_twice_is_noticed():
    rows, values = torch.tensor([5, 1, 3]), torch.tensor([[5.0], [1.0], [3.0]])
    got_rows, got = gather_rows(rows, values, Ranks())
    np.testing.assert_array_equal(got_rows, [1, 3, 5])
    assert got[:, 0].tolist() == [1, 3, 5]
    with pytest.raises(AssertionError, match="twice"):
        gather_rows(torch.tensor([1, 1]), torch.zeros(2, 1), Ranks())


def test_batch_norm_of_several_ranks_needs_gpus():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match=r"trainer\.sync_bn=true.*GPUs only"):
        sync_batch_norm(model, True, TWO)
    for wanted in ("auto", False):
        assert sync_batch_norm(model, wanted, TWO) is model
    assert sync_batch_norm(model, True, Ranks()) is model  # one process has nothing to synchronise


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_one_gpu_is_joined():
    assert join_ranks("auto").device == torch.device("cuda", 0)


def test_a_rank_without_rows_does_not_disturb_the_others():
    class Three(Ranks):
        def gather(self, value):
            return [(torch.tensor([1]), torch.ones(1, 2)), value, (torch.tensor([0]), torch.zeros(1, 2))]

    rows, values = gather_rows(torch.empty(0, dtype=torch.int64), torch.empty(0, 0), Three())
    assert rows.tolist() == [0, 1] and values.tolist() == [[0, 0], [1, 1]]
