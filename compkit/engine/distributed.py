"""Ranks started by torchrun; a plain process is the only rank of a world of one."""

import os
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
import torch.distributed as dist
from torch import Tensor, nn

from compkit.engine.hardware import choose_device


class Ranks(NamedTuple):
    """This process among its peers."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_main(self) -> bool:
        """Rank 0, which owns the run folder and the terminal."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all ranks, on each of them."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def share(self, value: Any) -> Any:
        """Rank 0's value, on each of them."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value in the order of ranks, on each of them."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            dist.barrier()


def join_ranks(device: str) -> Ranks:
    """Join the process group that torchrun described in the environment, if it did: nccl for GPUs, gloo for CPUs."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    chosen = choose_device(device, local_rank)
    if world == 1:
        return Ranks(device=chosen)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        # with GPUs still gloo too: parts are tried on the CPU first, and some of them (AdaCos) talk to their peers
        dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    local_world = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    return Ranks(dist.get_rank(), world, local_rank, local_world, chosen)


def leave_ranks() -> None:
    """Shut the process group down; without it torch warns at exit."""
    if dist.is_initialized():
        dist.destroy_process_group()


def sync_batch_norm(model: nn.Module, wanted: bool | str, ranks: Ranks) -> nn.Module:
    """Batch norm over the batches of all ranks together; `auto` wherever several GPUs train.

    Raises:
        ValueError: asked for on CPUs, where torch has none.
    """
    on_gpus = ranks.world > 1 and ranks.device.type == "cuda"
    if wanted is True and ranks.world > 1 and not on_gpus:
        raise ValueError(
            "trainer.sync_bn=true: torch synchronises batch norm on GPUs only, and this run is on CPUs. "
            "Set trainer.sync_bn=auto."
        )
    # torch's own converter drops the activation inside timm's BatchNormAct2d
    return timm.layers.convert_sync_batchnorm(model) if wanted and on_gpus else model


def training_module(
    model: nn.Module, compile_model: bool, ranks: Ranks, finds_unused: bool = False
) -> nn.Module:
    """The module to call in training: compiled if wanted, in DDP if there are other ranks.

    The model itself stays as it is, so that what is saved, averaged and evaluated has plain names.
    `finds_unused`: some trainable parameters do not enter the loss, such as a head that no term reads.
    """
    module: nn.Module = torch.compile(model) if compile_model else model  # type: ignore[assignment]
    if ranks.world == 1:
        return module
    device_ids = [ranks.device.index] if ranks.device.type == "cuda" else None
    # buffers are averaged before they are used (average_buffers), which is cheaper than at every step
    return nn.parallel.DistributedDataParallel(
        module, device_ids=device_ids, broadcast_buffers=False, find_unused_parameters=finds_unused
    )


def average_buffers(model: nn.Module, ranks: Ranks) -> None:
    """Give all ranks the mean of their batch norm statistics, so that they evaluate the same model."""
    if ranks.world == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= ranks.world


def gather_rows(rows: Tensor, values: Tensor, ranks: Ranks) -> tuple[np.ndarray, Tensor]:
    """All ranks' predictions in the order of their rows, each row exactly once.

    rows int64 [n], values float32 [n, C], both on the CPU -> ([N], [N, C]).
    """
    # a rank without rows does not know how many columns there are
    parts = [part for part in ranks.gather((rows, values)) if len(part[0])]
    all_rows = torch.cat([part[0] for part in parts])
    all_values = torch.cat([part[1] for part in parts])
    order = torch.argsort(all_rows)
    all_rows = all_rows[order]
    assert bool((all_rows[1:] > all_rows[:-1]).all()), "a row was predicted twice"
    return all_rows.numpy(), all_values[order]
