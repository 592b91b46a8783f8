"""The training loop's speed as a share of what the network alone would reach on this machine."""

import statistics
import tempfile
import time
from pathlib import Path

import torch

from compkit.engine import Console, MicroBatch, Stepper, epoch_windows, fit, network_input
from compkit.pipeline import describe
from compkit.plan import Plan
from compkit.trial import open_trial


def benchmark(plan: Plan, rounds: int) -> float:
    """Print images/s of warm epochs and of the step alone, in turn, and the median of their ratio.

    Returns:
        loop speed / step speed; 1 would be a loop that costs nothing.
    """
    with Console() as console, tempfile.TemporaryDirectory() as folder:
        with open_trial(plan, Console(quiet=True)) as trial:
            console.say(describe(plan, trial.data, trial.fold_data.preprocessing, trial.ranks))
            looping, alone = trial.stepper(), trial.stepper()
            micro = trial.first_batch(alone, plan.batch_size)
            windows = epoch_windows(trial.fold_data, plan.trainer.accumulate, 1, trial.seed, 0, plan.epochs)
            ratios = []
            for number in range(rounds + 1):
                progress = fit(
                    Path(folder),
                    looping.learner,
                    trial.fold_data,
                    plan.trainer,
                    number + 1,
                    plan.seed,
                    trial.ranks,
                    Console(quiet=True),
                    [],
                    title="benchmark",
                    metadata={},
                )
                loop = progress.history[-1]["images_per_second"]
                step = step_speed(alone, micro, len(windows) * plan.trainer.accumulate)
                if number == 0:
                    continue  # the first round warms up processes, allocator and kernels
                ratios.append(loop / step)
                console.say(
                    f"round {number}: loop {loop:.1f} images/s, step alone {step:.1f} images/s, "
                    f"ratio {ratios[-1]:.3f}"
                )
        ratio = statistics.median(ratios)
        console.say(f"loop / step alone: {ratio:.3f} (median of {rounds})")
    return ratio


def step_speed(stepper: Stepper, micro: MicroBatch, steps: int) -> float:
    """Images/s of forward, backward and optimizer step on one batch that lies normalised on the device.

    Written out rather than asked of the loop's own parts: those are what is measured.
    """
    learner, device = stepper.learner, stepper.ranks.device
    images = network_input(micro.images, stepper.data.preprocessing, stepper.settings)
    learner.model.train()
    start = time.perf_counter()
    for _ in range(steps):
        with torch.autocast(device.type, stepper.dtype, enabled=stepper.dtype is not None):
            outputs = learner.model(images, micro.targets)
        learner.loss(outputs, micro.targets).backward()
        learner.optimizer.step()
        learner.optimizer.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * len(micro.rows) / (time.perf_counter() - start)
