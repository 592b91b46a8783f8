"""What training costs beyond the network, what each trick adds to a step, and what memory prediction takes."""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compkit.build import load_plan
from compkit.data import Draw
from compkit.deadline import Deadline
from compkit.derived.predict import predict_run
from compkit.engine import Console, MicroBatch, Stepper, epoch_windows, fit, network_input
from compkit.models import Classifier
from compkit.pipeline import run
from compkit.run.assemble import describe
from compkit.run.plan import Plan
from compkit.run.trial import Trial, open_trial
from compkit.types import Batch, Moment

STEPS, PARTS = 2, 25  # whole steps, and a step's parts around the backbone, timed in each round


class Cost(NamedTuple):
    """What a trick adds to a training step; medians, in seconds."""

    part: float  # a step without backbone and optimizer: mixing, and head and loss forward and backward
    plain_part: float
    step: float  # the whole step
    plain_step: float

    @property
    def share(self) -> float:
        """What the trick adds, timed alone, as a share of the plain step.

        >>> round(Cost(part=0.003, plain_part=0.001, step=0.21, plain_step=0.2).share, 6)
        0.01
        """
        return (self.part - self.plain_part) / self.plain_step


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
                    deadline=Deadline(None),
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


def benchmark_tricks(plain: Plan, tricks: Mapping[str, Plan], rounds: int) -> dict[str, Cost]:
    """Print what each trick adds to a training step, as a share of the plain one.

    Args:
        plain: the run without any.
        tricks: the same run with one trick each, by its name.
        rounds: how often the plain step and the trick's are timed in turn, after one round of warming up.
    """
    with Console() as console:
        with open_trial(plain, Console(quiet=True)) as trial:
            console.say(describe(plain, trial.data, trial.fold_data.preprocessing, trial.ranks))
            costs = {}
            for name, plan in tricks.items():
                with open_trial(plan, Console(quiet=True)) as with_trick:
                    costs[name] = compare(trial, with_trick, rounds)
                console.say(f"{name}: {costs[name].share:+.2%} of a step")
        headings = ["trick", "part", "plain part", "cost / step", "whole step", "plain step", "whole / plain"]
        console.table("what a trick adds to a step", headings, [_row(*one) for one in costs.items()])
        console.say(
            f"part: a step's mixing, head and loss without backbone and optimizer, in milliseconds; medians of "
            f"{rounds * PARTS}. cost / step: what the trick's part takes longer, of the plain step. "
            f"Whole steps: medians of {rounds * STEPS}."
        )
    return costs


def benchmark_memory(plan: Plan, pictures: Sequence[int]) -> list[float]:
    """Print the peak memory of predicting so many small pictures, each number in a process of its own; on Linux.

    Args:
        plan: of what is trained for it, one epoch on 64 rows.
        pictures: numbers of pictures, each of 16 x 16 pixels.

    Returns:
        peak resident memory of each process, in MiB.
    """
    with Console() as console, tempfile.TemporaryDirectory() as parent:
        short = replace(plan, epochs=1, limit=64, train_folds=[0], predict_test=False, loggers=[])
        run(replace(short, folder=Path(parent) / "run"))
        peaks = []
        for number in pictures:
            folder = write_noise(Path(parent) / str(number), number, plan.competition.channels)
            # a new interpreter: a fork would start with this process's memory
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                peak, seconds = pool.submit(_predict_folder, Path(parent) / "run", folder).result()
            peaks.append(peak)
            console.say(f"{number} pictures: peak {peak:.1f} MiB, {number / seconds:.0f} pictures/s")
        growth = 1024 * (peaks[-1] - peaks[0]) / max(pictures[-1] - pictures[0], 1)
        console.say(f"growth: {growth:.2f} KiB a picture from the first to the last")
    return peaks


def write_noise(folder: Path, number: int, channels: int) -> Path:
    """A folder of so many pictures of noise, 16 x 16 pixels."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for row in range(number):
        np.save(folder / f"{row:06d}.npy", rng.integers(0, 256, (16, 16, channels), dtype=np.uint8))
    return folder


def _predict_folder(run_folder: Path, pictures: Path) -> tuple[float, float]:
    """Predict a folder of pictures in this process; its peak memory in MiB, and seconds."""
    start = time.perf_counter()
    plan = load_plan(run_folder, changes={"num_workers": 0})
    predict_run(plan, "test", str(pictures), str(pictures.with_suffix(".parquet")))
    # getrusage would give the memory of the process that started this one, where that was larger
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024, time.perf_counter() - start


def compare(plain: Trial, with_trick: Trial, rounds: int) -> Cost:
    """Time a plain run's steps and those of one with a trick in turn, on the same pictures."""
    sides = [_Side(plain), _Side(with_trick)]
    parts: list[list[float]] = [[], []]
    steps: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        if number == 1:  # the first round warms up allocator and kernels
            parts, steps = [[], []], [[], []]
        for _ in range(STEPS):
            for side, seconds in zip(sides, steps, strict=True):
                seconds.append(side.time(side.step))
        for _ in range(PARTS):
            for side, seconds in zip(sides, parts, strict=True):
                seconds.append(side.time(side.part))
    (plain_part, part), (plain_step, step) = (
        [statistics.median(one) for one in both] for both in (parts, steps)
    )
    return Cost(part, plain_part, step, plain_step)


class _Side:
    """A trial's first batch, and the step on it, whole and in part."""

    def __init__(self, trial: Trial) -> None:
        plan, fold = trial.plan, trial.fold_data
        self.stepper, self.device = trial.stepper(), trial.ranks.device
        self.moment, self.number = Moment(0, 0.0, plan.epochs), 0
        self.draw = Draw(trial.first_batch(self.stepper, plan.batch_size).rows.cpu().numpy(), 0)
        batch = next(iter(fold.loader.batches([self.draw])))
        self.batch: Batch = batch._replace(images=batch.images.to(self.device))
        self.images = network_input(self.batch.images, fold.preprocessing, plan.trainer)
        assert isinstance(self.stepper.learner.model, Classifier), (
            "only networks that have head and loss apart"
        )
        self.model = self.stepper.learner.model.train()
        self.stepper.learner.set_moment(self.moment)
        with torch.no_grad():
            self.features: Tensor = self.model.features(self.images)
        self.features = self.features.detach().requires_grad_()

    def micro_batch(self) -> MicroBatch:
        """The batch, mixed anew each time."""
        self.number += 1
        return self.stepper.micro_batch(self.batch, self.draw._replace(seed=self.number), self.moment)

    def step(self) -> None:
        """A whole step of the loop."""
        self.stepper.step([self.micro_batch()], self.moment)

    def part(self) -> None:
        """What comes before and behind the backbone: mixing, neck, head and loss forward and backward."""
        learner, dtype = self.stepper.learner, self.stepper.dtype
        micro = self.micro_batch()
        if micro.mix is not None:
            micro.mix.images(self.images)
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            outputs = self.model.head(self.model.neck(self.features), micro.targets)
        learner.loss(outputs._replace(features=self.features), micro.targets).backward()

    def time(self, call: Callable[[], None]) -> float:
        """Seconds that a call takes."""
        start = time.perf_counter()
        call()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start


def _row(name: str, cost: Cost) -> list[str]:
    milliseconds = [f"{1000 * one:.2f}" for one in (cost.part, cost.plain_part, cost.step, cost.plain_step)]
    return [
        name,
        *milliseconds[:2],
        f"{cost.share:+.2%}",
        *milliseconds[2:],
        f"{cost.step / cost.plain_step - 1:+.1%}",
    ]
