"""The learning rate range test and the schedule's curve, as commands: console, CSV and a page."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.engine import Console, MicroBatch, RangeTest, epoch_windows, range_test
from compkit.engine.console import EpochProgress
from compkit.files import atomic_path, free_path, write_text
from compkit.optim import Plateau, schedule_points
from compkit.report import Figure, Line, Section, line_chart, render
from compkit.run.plan import Plan
from compkit.run.trial import Trial, open_trial
from compkit.types import Moment


def find_lr(plan: Plan, start: float, end: float, steps: int) -> RangeTest:
    """Train a copy of the first fold with a growing rate; say, draw and store what happened.

    Raises:
        ValueError: the range or the number of steps makes no sense.
    """
    if not 0 < start < end < np.inf:
        raise ValueError(f"start={start:g} end={end:g}: expected 0 < start < end. Set start=1e-7 end=1.")
    if steps < 10:
        raise ValueError(f"steps={steps}: expected at least 10, or nothing can be seen. Set steps=100.")
    if plan.optimizer.lr <= 0:
        raise ValueError("lr=0: the rates of the groups are in proportion to it. Set lr=3e-4.")
    with Console() as console:
        with open_trial(plan, console) as trial:
            console.say(
                f"{plan.competition.name} / {plan.name}: rates from {start:g} to {end:g} in up to {steps} steps of "
                f"{plan.batch_size * plan.trainer.accumulate} images"
            )
            stepper = trial.stepper()
            with console.epoch(steps * plan.batch_size * plan.trainer.accumulate, "range test") as bar:
                windows = _watched(trial.windows(stepper), bar)
                test = range_test(stepper, windows, plan.optimizer.lr, start, end, steps)
        columns = {"lr": test.rates, "loss": test.losses, "smoothed_loss": test.smoothed}
        page = _folder(plan) / f"{plan.name}.html"
        page = free_path(page)
        with atomic_path(page.with_suffix(".csv")) as temporary:
            pd.DataFrame(columns).to_csv(temporary, index=False)
        lines = [Line("loss", test.rates, test.losses), Line("smoothed", test.rates, test.smoothed)]
        chart = line_chart(
            "Loss over the learning rate",
            lines,
            mark=test.suggestion,
            x_label="learning rate",
            mark_label="steepest at",
            log_x=True,
        )
        told = _advice(plan, test)
        figure = Figure("The test ends early when the smoothed loss is four times its smallest.", [chart])
        section = Section("lr", "Learning rate range test", told, [figure])
        write_text(page, render(f"{plan.competition.name} / {plan.name}", [], [section], []))
        for line in told:
            console.say(line)
        console.say(f"curve: {page}")
    return test


def plot_schedule(plan: Plan) -> Path:
    """Draw the rate, and the momentum where it moves, of every step of the run; nothing is trained.

    Returns:
        the page.
    """
    with Console() as console:
        with open_trial(plan, console) as trial:
            steps = _steps_per_epoch(trial)
        schedule = plan.make_schedule()
        points = schedule_points(schedule, plan.epochs, steps)
        epochs = np.array([epoch for epoch, _, _ in points])
        rates = plan.optimizer.lr * np.array([factor for _, factor, _ in points])
        charts = [line_chart("Learning rate", [Line("lr", epochs, rates)], log=True)]
        if points[0][2] is not None:
            momenta = np.array([momentum for _, _, momentum in points], dtype=np.float64)
            charts.append(line_chart("Momentum", [Line("momentum", epochs, momenta)]))
        told = [
            f"{len(points)} steps, {steps} an epoch; "
            f"lr {rates[0]:.3g} in the first, {rates.max():.3g} at most, {rates[-1]:.3g} in the last."
        ]
        if isinstance(schedule, Plateau):
            told.append(
                "From where the score stops improving the rate falls; only the run itself will show where."
            )
        section = Section("schedule", "Schedule", told, [Figure(type(schedule).__name__, charts)])
        page = free_path(_folder(plan) / f"{plan.name}_schedule.html")
        write_text(page, render(f"{plan.competition.name} / {plan.name}", [], [section], []))
        for line in told:
            console.say(line)
        console.say(f"curve: {page}")
    return page


def _watched(
    windows: Iterator[tuple[list[MicroBatch], Moment]], bar: EpochProgress
) -> Iterator[tuple[list[MicroBatch], Moment]]:
    """The windows as they are; the bar moves on when the next one is asked for."""
    for window, moment in windows:
        yield window, moment
        bar.advance(sum(len(micro.rows) for micro in window))


def _steps_per_epoch(trial: Trial) -> int:
    plan = trial.plan
    return len(epoch_windows(trial.fold_data, plan.trainer.accumulate, 1, trial.seed, 0, plan.epochs))


def _advice(plan: Plan, test: RangeTest) -> list[str]:
    if test.suggestion is None or test.largest is None:
        return [
            f"The loss never fell in {len(test.rates)} steps up to a rate of {test.rates[-1]:.2g}. "
            "Set a smaller start, more steps or a larger batch_size, and look at the data."
        ]
    if test.suggestion <= test.largest:
        choice = (
            f"lr={test.suggestion:.2g}: here the loss fell fastest. Up to lr={test.largest:.2g}, a tenth of where it "
            "was smallest, is usually safe with a warm-up and a falling schedule."
        )
    else:
        choice = (
            f"lr={test.largest:.2g}: a tenth of where the loss was smallest. It fell fastest above that, at "
            f"{test.suggestion:.2g}: too near to where it rises again, unless with a warm-up."
        )
    return [
        choice,
        f"{len(test.rates)} steps of {plan.batch_size * plan.trainer.accumulate} images; "
        "another batch size or optimizer wants another rate.",
    ]


def _folder(plan: Plan) -> Path:
    return plan.folder.parent / "lr_find"
