"""What gradients are and what steps do to weights, by a few numbers of each tensor."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from compkit.engine import MicroBatch, Stepper
from compkit.engine.step import StepFigures

VISIBLE = 1e-6  # relative change that a float32 weight shows, 16 times its last digit
SAMPLED = 4096  # entries of each tensor whose moves are looked at


class Slope(NamedTuple):
    """The gradient of one tensor."""

    largest: float  # entry
    norm: float
    root_mean_square: float
    entries: Tensor  # some of them, see `some_entries`


class Trace(NamedTuple):
    """What one step did to one tensor; the tensors themselves would take too much memory."""

    largest: float  # entry of the gradient; 0 without any
    norm: float  # of the gradient
    root_mean_square: float  # of the gradient
    sampled: float  # norm of the gradient's entries that are looked at
    move: float  # norm of their change
    product: float  # of both
    is_stuck: bool  # in the optimizer, not moved, and plain descent would have moved it visibly


class Step(NamedTuple):
    """One step and what it did."""

    figures: StepFigures
    traces: dict[str, Trace]  # of every trainable tensor
    left: list[str]  # tensors of the optimizer whose gradient it did not clear
    rates: list[tuple[float, float]]  # of each group: the rate before and after it

    @property
    def gradient_norm(self) -> float:
        return math.sqrt(sum(one.norm**2 for one in self.traces.values()))


class Watched(Stepper):
    """A stepper that notes the gradients of its last pass, before they are cleared."""

    slopes: dict[str, Slope]

    def gradient(self, window: Sequence[MicroBatch]) -> StepFigures:
        figures = super().gradient(window)
        named = {name: one.grad for name, one in self.learner.model.named_parameters() if one.requires_grad}
        there = {name: grad for name, grad in named.items() if grad is not None}
        # one call for all tensors; of none there is none to make
        norms = torch._foreach_norm(list(there.values())) if there else ()
        largest = torch._foreach_norm(list(there.values()), float("inf")) if there else ()
        self.slopes = {
            name: Slope(
                float(most), float(norm), float(norm) / math.sqrt(grad.numel()), some_entries(grad).clone()
            )
            for (name, grad), norm, most in zip(there.items(), norms, largest, strict=True)
        }
        return figures


def some_entries(tensor: Tensor) -> Tensor:
    """Entries of a tensor at even distances in each axis, at most about SAMPLED of them, as a view.

    >>> some_entries(torch.zeros(1000, 1000)).shape
    torch.Size([67, 67])
    """
    tensor = tensor.detach()
    side = max(1, round(SAMPLED ** (1 / max(tensor.ndim, 1))))
    return tensor[tuple(slice(None, None, max(1, length // side)) for length in tensor.shape)]


def trace(slope: Slope | None, old: Tensor, new: Tensor, rate: float) -> Trace:
    """What a step did to a tensor, by some of its entries; `rate` is 0 where the optimizer does not have it.

    >>> slope = Slope(1.0, 1.0, 1.0, torch.ones(1))
    >>> one = torch.ones(1)
    >>> trace(slope, one, one / 2, rate=0.1).product, trace(slope, one, one, rate=0.1).is_stuck
    (-0.5, True)
    """
    if slope is None:
        return Trace(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False)
    move, entries = new - old, slope.entries
    distance = float(move.norm())
    is_stuck = distance == 0 and bool((rate * entries.abs() > VISIBLE * old.abs()).any())
    product = float((move * entries).sum())
    return Trace(*slope[:3], float(entries.norm()), distance, product, is_stuck)
