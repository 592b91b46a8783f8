"""Proofs of the run's course: which rows it shows, how they are mixed, at which rate, and what is averaged."""

import copy
import dataclasses

import numpy as np
import torch

from compkit.data import NoMixing
from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.engine import epoch_windows
from compkit.findings import Finding
from compkit.optim import EMA, schedule_points
from compkit.types import Moment, Task

FEW = 12  # rows below which an order may repeat by chance
SHORT = 12  # steps below which a warm-up is all there is time for
EPOCHS = 3  # orders that are compared
NOTHING = 1e-3  # a factor of the rate that is next to none
TOO_FAST, TOO_SLOW = 2.0, 0.1  # factors of the rate at its largest: lr means the largest one
KEPT = 0.5  # share of the first weights in an average at the end
MIXED = 0.02  # of a picture's share, what a rounded box may be off


def sampling(bench: Bench) -> list[Finding]:
    """Epochs show other rows or another order each time, and batches hold several classes."""
    own = bench.labels[bench.fold_data.train_rows]
    orders = [_order(bench, own, epoch) for epoch in range(EPOCHS)]
    name = type(bench.plan.sampler).__name__
    remedy = f"Look at {name}.order (sampler._target_), or set sampler=shuffle."
    if any(order.min(initial=0) < 0 or order.max(initial=0) >= len(own) for order in orders):
        return [failed("sampling", f"{name} draws rows that do not exist, among {len(own)}.", remedy)]
    if not len(orders[0]):
        return [failed("sampling", f"{name} draws no row.", remedy, 0.0, "above 0")]
    if not np.array_equal(orders[0], _order(bench, own, 0)):
        return [
            doubted(
                "sampling",
                f"{name} draws other rows when it is asked again with the same generator: the run cannot be "
                "repeated or resumed.",
                f"Draw from the generator `rng` that order() gets. {remedy}",
            )
        ]
    if len(own) < FEW:
        return [left_out("sampling", f"There are {len(own)} training rows.")]
    found = []
    drawn = [np.unique(order) for order in orders]
    if len(drawn[0]) < len(own) and all(np.array_equal(drawn[0], one) for one in drawn[1:]):
        found.append(
            doubted(
                "sampling",
                f"Each epoch shows the same {len(drawn[0])} of {len(own)} training rows, and never the others.",
                remedy,
                len(drawn[0]) / len(own),
                "1, or other rows each epoch",
            )
        )
    if all(np.array_equal(orders[0], one) for one in orders[1:]):
        found.append(doubted("sampling", "The rows come in the same order in each epoch.", remedy))
    return found + _batches(bench, own)


def _order(bench: Bench, own: np.ndarray, epoch: int) -> np.ndarray:
    """As the run draws it, by a sampler of its own."""
    rng = np.random.default_rng([bench.trial.seed, epoch, 0])
    return np.asarray(copy.deepcopy(bench.plan.sampler).order(own, bench.plan.batch_size, rng))


def _batches(bench: Bench, own: np.ndarray) -> list[Finding]:
    """Classes of the first epoch's batches."""
    if bench.task != Task.MULTICLASS:
        return []
    share = np.bincount(own).max() / len(own)
    data = dataclasses.replace(bench.fold_data, sampler=copy.deepcopy(bench.plan.sampler))
    windows = epoch_windows(data, bench.plan.trainer.accumulate, 1, bench.trial.seed, 0, bench.plan.epochs)
    batches = [draw.rows for window in windows for draw in window[0] if len(draw.rows) >= 4]
    single = sum(len(np.unique(bench.labels[rows])) == 1 for rows in batches)
    # at most as many of one class alone as chance would make
    if not batches or share > 0.8 or single / len(batches) <= 0.5:
        return []
    return [
        doubted(
            "sampling",
            f"{single} of {len(batches)} batches of the first epoch hold one class alone.",
            "Shuffle the rows: sampler=shuffle.",
            single / len(batches),
            "at most 0.5",
        )
    ]


def mixing(bench: Bench) -> list[Finding]:
    """Mixed pictures hold the shares of the two that their labels say."""
    if isinstance(bench.plan.mixing, NoMixing):
        return [left_out("mixing", "Nothing is mixed.")]
    height, width = bench.plan.image_size
    count, worst = 6, 0.0
    height, width = min(height, 64), min(width, 64)
    middle = Moment(1, bench.plan.epochs / 2, bench.plan.epochs)
    device = torch.device("cpu")
    levels = torch.arange(count, dtype=torch.float32)
    images = levels[:, None, None, None].expand(count, 1, height, width).contiguous()
    for seed in range(6):
        mix = bench.plan.mixing.draw(count, seed, middle, height, width, device)
        if mix is not None:
            wanted = mix.share * levels + (1 - mix.share) * levels[mix.order]
            worst = max(worst, float((mix.images(images).mean(dim=(1, 2, 3)) - wanted).abs().max()))
    if worst < MIXED * count:
        return []
    return [
        failed(
            "mixing",
            "The labels of mixed pictures do not have the shares that the pictures were mixed with.",
            "Look at draw() and images() of the mixing (mixing._target_).",
            worst,
            f"below {MIXED * count:g}",
        )
    ]


def schedule(bench: Bench) -> list[Finding]:
    """The rate stays above 0 for most of the run, and near lr."""
    epochs = bench.plan.epochs
    steps = max(1, len(bench.fold_data.train_rows) // (bench.plan.batch_size * bench.plan.trainer.accumulate))
    points = schedule_points(bench.plan.make_schedule(), epochs, min(steps, 50))
    factors = np.array([factor for _, factor, _ in points], dtype=np.float64)
    remedy = "Set schedule=cosine, or look at the schedule's decay (schedule._target_)."
    if not np.isfinite(factors).all() or (factors < 0).any():
        wrong = float(factors[~np.isfinite(factors) | (factors < 0)][0])
        return [
            failed(
                "schedule", f"The schedule multiplies the rate with {wrong:.3g}.", remedy, wrong, "at least 0"
            )
        ]
    if not factors.any():
        return [
            failed("schedule", "The schedule sets the rate to 0 for the whole run.", remedy, 0.0, "above 0")
        ]
    still = float((factors < NOTHING * factors.max()).mean())
    if still > 0.5:
        message = f"For {still:.0%} of the run the rate is less than {NOTHING:g} times its largest."
        return [doubted("schedule", message, remedy, still, "below 50%")]
    largest = float(factors.max())
    if not TOO_SLOW <= largest <= TOO_FAST:
        return [
            doubted(
                "schedule",
                f"The rate {'grows to' if largest > 1 else 'never exceeds'} {largest:.3g} times lr.",
                f"lr is meant to be the largest rate. {remedy}",
                largest,
                f"{TOO_SLOW:g} to {TOO_FAST:g}",
            )
        ]
    late = factors[int(0.8 * len(factors))]
    is_rising = (np.diff(factors) >= 0).all() and factors[-1] > 1.1 * late
    if len(factors) >= SHORT and is_rising:
        return [
            doubted(
                "schedule",
                f"The rate rises to the end of the run, from {factors[0]:.3g} to {largest:.3g} times lr: it is all "
                "warm-up.",
                f"Set schedule.warmup_epochs to a tenth of epochs ({epochs}), or more epochs. {remedy}",
                largest,
                "a rate that falls in the end, or stays",
            )
        ]
    return []


def averaging(bench: Bench) -> list[Finding]:
    """An average of the weights forgets the first ones before the run ends."""
    average = bench.learner.averaging
    if not isinstance(average, EMA):
        return [left_out("averaging", "There is no moving average.")]
    window = bench.plan.batch_size * bench.plan.trainer.accumulate
    updates = max(1, len(bench.fold_data.train_rows) // window) * bench.plan.epochs
    counts = np.arange(min(updates, 100_000))
    decays = (
        np.minimum(average.decay, (1 + counts) / (10 + counts))
        if average.warmup
        else np.full(len(counts), average.decay)
    )
    left = float(np.prod(decays))
    if left < KEPT:
        return []
    return [
        doubted(
            "averaging",
            f"After the {updates} steps of the run {left:.0%} of the average are still the first weights.",
            "Set averaging.warmup=true, a smaller averaging.decay, or more epochs.",
            left,
            f"below {KEPT:.0%}",
        )
    ]
