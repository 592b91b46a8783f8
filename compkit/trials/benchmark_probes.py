"""What looking into the network costs."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from compkit.engine import Console, epoch_windows
from compkit.probes import FoldProbes, NoProbes
from compkit.probes.fold_probes import interval
from compkit.run.assemble import describe
from compkit.run.plan import Plan
from compkit.run.trial import open_trial
from compkit.types import Moment

STEPS = 10  # of each kind, in a round


def benchmark_probes(plan: Plan, rounds: int) -> float:
    """Print what probes add to the steps of a run, and to the end of an epoch.

    Steps with and without are made in turn on the same pictures. This thread's processor time counts, where there is
    no GPU: it does not grow with what else the machine does.

    Args:
        plan: of the run, with its trainer.probe_every.
        rounds: how many times `STEPS` of each kind are timed, after one round of warming up.

    Returns:
        share of a step that probes take on average, the files of an epoch included.
    """
    with Console() as console, open_trial(plan, Console(quiet=True)) as trial:
        console.say(describe(plan, trial.data, trial.fold_data.preprocessing, trial.ranks))
        stepper, probes = trial.stepper(), FoldProbes(1, plan.trainer.compile)
        window, _ = next(trial.windows(stepper))
        windows = len(epoch_windows(trial.fold_data, plan.trainer.accumulate, 1, trial.seed, 0, plan.epochs))
        now = time.perf_counter if trial.ranks.device.type == "cuda" else time.thread_time
        times: list[tuple[float, float]] = []
        for number in range(STEPS * (rounds + 1)):
            moment, pair = Moment(number, 0.0, plan.epochs), []
            for by in (NoProbes(), probes):
                start = now()
                by.step(stepper, window, moment, windows=1)
                if trial.ranks.device.type == "cuda":
                    torch.cuda.synchronize()
                pair.append(now() - start)
            times.append((pair[0], pair[1]))
        plain = statistics.median(one for one, _ in times[STEPS:])
        added = statistics.median(probed - one for one, probed in times[STEPS:])
        rows = np.sort(trial.fold_data.valid_rows)
        values = np.full((len(rows), len(plan.competition.classes)), 1.0, np.float32)
        with tempfile.TemporaryDirectory() as folder:
            start = now()
            probes.end_epoch(stepper, 1, rows, values)
            probes.write(Path(folder), is_last=True)
            writing = now() - start
        every = interval(plan.trainer.probe_every or 1, windows, plan.epochs)
        steps, ends = added / plain / every, writing / plain / windows
        console.say(
            f"step {1000 * plain:.1f} ms; a look at {len(probes.names)} layers adds {1000 * added:.1f} ms "
            f"({added / plain:.0%}), every {every} steps {steps:.2%}; an epoch's end {1000 * writing:.1f} ms, "
            f"{ends:.2%} of {windows} steps where it is written after each epoch\n"
            f"probes / step: {steps + ends:.2%} (medians of {rounds * STEPS})"
        )
    return steps + ends
