"""The training loop and what surrounds it: ranks, hardware, checkpoints, progress, loggers."""

from compkit.engine.checkpoint import load_weights, read_metadata, save_weights
from compkit.engine.console import Console
from compkit.engine.distributed import Ranks, gather_rows, join_ranks, leave_ranks, sync_batch_norm
from compkit.engine.fit import (
    FoldData,
    Learner,
    clip_gradients,
    evaluate,
    fit,
    network_input,
    to_device,
    use_channels_last,
)
from compkit.engine.hardware import (
    choose_device,
    choose_precision,
    choose_threads,
    choose_workers,
    cpu_cores,
    describe_hardware,
)
from compkit.engine.loggers import Logger, TensorBoardLogger, WandbLogger
from compkit.engine.progress import Progress
from compkit.engine.trainer import TrainerSettings

__all__ = [
    "Console",
    "FoldData",
    "Learner",
    "Logger",
    "Progress",
    "Ranks",
    "TensorBoardLogger",
    "TrainerSettings",
    "WandbLogger",
    "choose_device",
    "choose_precision",
    "choose_threads",
    "choose_workers",
    "clip_gradients",
    "cpu_cores",
    "describe_hardware",
    "evaluate",
    "fit",
    "gather_rows",
    "join_ranks",
    "leave_ranks",
    "load_weights",
    "network_input",
    "read_metadata",
    "save_weights",
    "sync_batch_norm",
    "to_device",
    "use_channels_last",
]
