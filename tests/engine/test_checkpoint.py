"""Checkpoints: the newest whole one is used, a torn one is noticed."""

import pytest
import torch
from torch import nn

from compkit.engine.checkpoint import (
    LAST,
    PREVIOUS,
    load_checkpoint,
    load_weights,
    read_metadata,
    save_checkpoint,
    save_weights,
)

CPU = torch.device("cpu")


def test_newest_then_previous_then_error(tmp_path):
    assert load_checkpoint(tmp_path, CPU) is None
    for step in (1, 2):
        save_checkpoint(tmp_path, {"step": step, "weights": torch.ones(1000)})
    assert load_checkpoint(tmp_path, CPU)["step"] == 2
    whole = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(whole[: len(whole) // 2])
    assert load_checkpoint(tmp_path, CPU)["step"] == 1
    (tmp_path / LAST).unlink()  # killed between the two renames
    assert load_checkpoint(tmp_path, CPU)["step"] == 1
    (tmp_path / PREVIOUS).write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint can be read"):
        load_checkpoint(tmp_path, CPU)


def test_weights_round_trip_with_their_metadata(tmp_path):
    path, one, other = tmp_path / "best.safetensors", nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(path, one, {"classes": ["ä", "b"], "epoch": 3})
    load_weights(path, other)
    assert torch.equal(one.weight, other.weight)
    assert read_metadata(path) == {"classes": ["ä", "b"], "epoch": 3}


def test_strange_weights_are_refused_by_name(tmp_path):
    path = tmp_path / "best.safetensors"
    save_weights(path, nn.Linear(3, 2), {})
    with pytest.raises(ValueError, match=r"best\.safetensors.*do not fit"):
        load_weights(path, nn.Linear(4, 2))
    path.write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match="do not fit"):
        load_weights(path, nn.Linear(3, 2))
    with pytest.raises(ValueError, match="not weights of a compkit run"):
        read_metadata(path)
