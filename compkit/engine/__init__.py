"""The training loop and what surrounds it: ranks, hardware, checkpoints, progress, loggers."""

from compkit.engine.batch_search import Attempt, attempt_step, largest_batch
from compkit.engine.checkpoint import load_weights, read_metadata, save_weights
from compkit.engine.console import Console
from compkit.engine.distributed import Ranks, gather_rows, join_ranks, leave_ranks, sync_batch_norm
from compkit.engine.fit import epoch_windows, evaluate, fit, is_over
from compkit.engine.hardware import (
    choose_device,
    choose_precision,
    choose_threads,
    choose_workers,
    cpu_cores,
    describe_hardware,
    peak_memory,
)
from compkit.engine.learner import FoldData, Learner
from compkit.engine.lessons import Lessons
from compkit.engine.loggers import Logger, TensorBoardLogger, WandbLogger
from compkit.engine.lr_find import RangeTest, range_test
from compkit.engine.progress import Progress
from compkit.engine.step import (
    MicroBatch,
    Stepper,
    clip_gradients,
    network_input,
    use_channels_last,
)
from compkit.engine.trainer import TrainerSettings

__all__ = [
    "Attempt",
    "Console",
    "FoldData",
    "Learner",
    "Lessons",
    "Logger",
    "MicroBatch",
    "Progress",
    "RangeTest",
    "Ranks",
    "Stepper",
    "TensorBoardLogger",
    "TrainerSettings",
    "WandbLogger",
    "attempt_step",
    "choose_device",
    "choose_precision",
    "choose_threads",
    "choose_workers",
    "clip_gradients",
    "cpu_cores",
    "describe_hardware",
    "epoch_windows",
    "evaluate",
    "fit",
    "gather_rows",
    "is_over",
    "join_ranks",
    "largest_batch",
    "leave_ranks",
    "load_weights",
    "network_input",
    "peak_memory",
    "range_test",
    "read_metadata",
    "save_weights",
    "sync_batch_norm",
    "use_channels_last",
]
