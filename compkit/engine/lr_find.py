"""Which learning rate: a short run in which it grows until the loss explodes."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from compkit.engine.step import MicroBatch, Stepper
from compkit.types import Moment

SMOOTHING = 0.9  # share of the past in the running mean that tells when to stop
EXPLODED = 4.0  # the test ends when the smoothed loss is this many times its smallest


class RangeTest(NamedTuple):
    """What the range test saw, step by step.

    Attributes:
        rates: learning rate of each step, [N].
        losses: training loss of each step, [N].
        smoothed: without their noise, [N].
        suggestion: the rate at which the smoothed loss fell fastest; None when it never fell.
        largest: a tenth of the rate at which the smoothed loss was smallest, where it still falls safely.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    largest: float | None


def range_test(
    stepper: Stepper,
    windows: Iterator[tuple[list[MicroBatch], Moment]],
    lr: float,
    start: float,
    end: float,
    steps: int,
) -> RangeTest:
    """Train with a rate that grows from step to step by the same factor, until the loss explodes.

    Args:
        stepper: with a learner of its own, which is worthless afterwards.
        windows: the steps' micro-batches, and the run's own moment of each.
        lr: base rate of the learner's groups; their ratios stay as they are.
        start, end: first and last rate.
        steps: how many, at most.

    Source: Smith 2017, arXiv:1506.01186, section 3.3, with an exponential growth.
    """
    rates, losses = np.geomspace(start, end, steps), []
    running, smallest = 0.0, math.inf
    for number, rate in enumerate(rates):
        window, moment = next(windows)
        figures = stepper.step(window, moment, factor=rate / lr)
        losses.append(figures.terms.sum().item())
        running = SMOOTHING * running + (1 - SMOOTHING) * losses[-1]
        mean = running / (1 - SMOOTHING ** (number + 1))
        if not math.isfinite(losses[-1]) or mean > EXPLODED * max(smallest, 1e-8):
            break
        smallest = min(smallest, mean)
    kept = np.array(losses)[np.isfinite(losses)]
    smoothed = smooth(kept)
    suggestion, largest = suggest(rates[: len(kept)], smoothed)
    return RangeTest(rates[: len(kept)], kept, smoothed, suggestion, largest)


def smooth(losses: np.ndarray) -> np.ndarray:
    """Losses [N] without their noise: a running mean that looks as far ahead as back, so that nothing is shifted.

    >>> smooth(np.array([2.0, 2.0, 2.0]))
    array([2., 2., 2.])
    """
    return gaussian_filter1d(losses, sigma=max(1.0, len(losses) / 40), mode="nearest")


def suggest(rates: np.ndarray, smoothed: np.ndarray) -> tuple[float | None, float | None]:
    """The rate of the steepest fall before the smallest loss, and a tenth of the rate of the smallest loss.

    Args:
        rates: growing by a constant factor, [N].
        smoothed: losses, [N].

    Returns:
        Both None when the loss never fell below its start.

    >>> suggest(np.array([1e-5, 1e-4, 1e-3, 1e-2, 1e-1]), np.array([2.3, 2.2, 1.4, 1.2, 5.0]))
    (0.0001, 0.001)
    """
    best = int(np.argmin(smoothed)) if len(smoothed) else 0
    if best < 1:
        return None, None
    steepest = int(np.argmin(np.diff(smoothed[: best + 1])))
    return float(rates[steepest]), float(rates[best] / 10)
