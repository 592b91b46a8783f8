"""The training loop's speed as a share of what the network alone would reach on this machine."""

import statistics
import tempfile
import time
from pathlib import Path

import torch

from compkit.data import training_windows
from compkit.engine import (
    Console,
    FoldData,
    Learner,
    Ranks,
    choose_device,
    choose_precision,
    choose_threads,
    fit,
    network_input,
    to_device,
    use_channels_last,
)
from compkit.pipeline import describe, make_learner, make_loader, try_parts
from compkit.plan import Plan
from compkit.prepare import prepare
from compkit.randomness import seed_everything
from compkit.types import Batch


def benchmark(plan: Plan, rounds: int) -> float:
    """Print images/s of warm epochs and of the step alone, in turn, and the median of their ratio.

    Returns:
        loop speed / step speed; 1 would be a loop that costs nothing.
    """
    ranks = Ranks(device=choose_device(plan.trainer.device))
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    with Console() as console, tempfile.TemporaryDirectory() as folder:
        data = prepare(plan, ranks, Console(quiet=True))
        preprocessing = try_parts(plan, data)
        console.say(describe(plan, data, preprocessing, ranks))
        seed_everything(plan.seed)
        train_rows, valid_rows = data.folds.train_rows(0), data.folds.valid_rows(0)
        learner, alone = (make_learner(plan, data, train_rows, ranks) for _ in range(2))
        if use_channels_last(plan.trainer, preprocessing, ranks.device):
            for one in (learner, alone):
                one.model.to(memory_format=torch.channels_last)
        loader = make_loader(plan, data.table, preprocessing, ranks, augment=True)
        fold = FoldData(
            data.table, train_rows, valid_rows, loader, preprocessing, plan.batch_size, plan.competition.task
        )
        windows = training_windows(train_rows, plan.batch_size, 1, 1, plan.seed, 0)
        batch = next(iter(loader.batches(windows[0][0])))
        batch = to_device(batch, ranks.device)
        batch = batch._replace(images=network_input(batch.images, preprocessing, plan.trainer))
        ratios = []
        for number in range(rounds + 1):
            progress = fit(
                Path(folder),
                learner,
                fold,
                plan.trainer,
                number + 1,
                plan.seed,
                ranks,
                Console(quiet=True),
                [],
                title="benchmark",
                metadata={},
            )
            loop = progress.history[-1]["images_per_second"]
            step = step_speed(
                alone,
                batch,
                len(windows),
                ranks.device,
                choose_precision(plan.trainer.precision, ranks.device),
            )
            if number == 0:
                continue  # the first round warms up processes, allocator and kernels
            ratios.append(loop / step)
            console.say(
                f"round {number}: loop {loop:.1f} images/s, step alone {step:.1f} images/s, ratio {ratios[-1]:.3f}"
            )
        ratio = statistics.median(ratios)
        console.say(f"loop / step alone: {ratio:.3f} (median of {rounds})")
    return ratio


def step_speed(
    learner: Learner, batch: Batch, steps: int, device: torch.device, dtype: torch.dtype | None
) -> float:
    """Images/s of forward, backward and optimizer step on one batch that lies normalised on the device."""
    learner.model.train()
    start = time.perf_counter()
    for _ in range(steps):
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            logits = learner.model(batch.images)
        learner.loss(logits, batch.targets).backward()
        learner.optimizer.step()
        learner.optimizer.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * len(batch.rows) / (time.perf_counter() - start)
