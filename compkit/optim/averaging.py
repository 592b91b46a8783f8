"""Averages of the weights along the run, evaluated and saved beside the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compkit.ranges import below_one, positive, zero_to_one


def tensors(model: nn.Module) -> list[Tensor]:
    """Every parameter and buffer, always in the same order."""
    return list(chain(model.parameters(), model.buffers()))


@torch.no_grad()
def move(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move `average` by `share` of the way to `model`: floats that far, integer buffers all the way."""
    pairs = list(zip(tensors(average), tensors(model), strict=True))
    floats = [(old, new) for old, new in pairs if old.is_floating_point()]
    # one call for all tensors: a loop over a hundred small ones costs more than a small model's step
    torch._foreach_lerp_([old for old, _ in floats], [new for _, new in floats], share)
    for old, new in pairs:
        if not old.is_floating_point():
            old.copy_(new)


class Averaging:
    """Base of the averages: nothing happens and there is none.

    Attributes:
        name: of the file its weights are saved as, and of their scores.
        model: the averaged copy, in eval mode; None while there is no average.
        needs_batch_norm: whether the running statistics of its batch norms have to be estimated anew once
            the run is over, see `batch_norm_reestimation`.
    """

    name = "none"
    needs_batch_norm = False
    model: nn.Module | None = None

    def update(self, model: nn.Module) -> None:
        """Take note of the weights after an optimizer step."""

    def end_epoch(self, model: nn.Module, epoch: int, epochs: int) -> None:
        """Take note of the weights after `epoch` of `epochs` epochs, 1 after the first one."""

    def state_dict(self) -> dict[str, Any]:
        """What to resume from."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


class NoAveraging(Averaging):
    """Only the weights themselves.

    >>> NoAveraging(nn.Linear(2, 1)).model is None
    True
    """

    def __init__(self, model: nn.Module) -> None:
        """There is nothing to keep of the model."""


class EMA(Averaging):
    """Exponential moving average of the weights: a smoothed copy that often scores better.

    average = d * average + (1 - d) * weights  after every optimizer step. With warm-up,
    d = min(decay, (1 + n) / (10 + n)) at update n = 0, 1, ..., else a decay of 0.9999 would after 1000
    updates still be 90 % initial weights. Running statistics of BatchNorm are averaged too,
    integer buffers copied.

    Make it of the bare model, on its device, before compiling or wrapping it for several devices,
    and give `update` that same bare model.

    Args:
        model: what is averaged; the copy is in eval mode and has no gradients.
        decay: share of the past kept per step, 0 <= decay < 1; longer runs take larger ones.
        half_life_steps: instead of decay, the steps after which a weight's influence has halved.
        warmup: whether the decay grows from 0.1.

    Raises:
        ValueError: not exactly one of decay and half_life_steps is given, or it is out of range.

    Source: Polyak and Juditsky 1992 for averaging; the warm-up is TensorFlow's
    ExponentialMovingAverage with num_updates.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(model.weight, 0.0)
    >>> ema = EMA(model, decay=0.9, warmup=False)
    >>> _ = nn.init.constant_(model.weight, 1.0)
    >>> ema.update(model)
    >>> round(ema.model.weight.item(), 4)
    0.1
    """

    name = "ema"
    model: nn.Module

    def __init__(
        self,
        model: nn.Module,
        decay: float | None = None,
        half_life_steps: float | None = None,
        warmup: bool = True,
    ) -> None:
        if (decay is None) == (half_life_steps is None):
            raise ValueError(
                f"averaging: got decay={decay} and half_life_steps={half_life_steps}; expected exactly "
                "one. Set the other to null, e.g. averaging.decay=null averaging.half_life_steps=500."
            )
        if half_life_steps is not None:
            decay = 0.5 ** (1 / positive("averaging.half_life_steps", half_life_steps, "500"))
        self.decay = below_one("averaging.decay", decay, "0.999")
        self.warmup = warmup
        self.updates = 0
        self.model = deepcopy(model).eval().requires_grad_(False)

    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights `model` has after an optimizer step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        move(self.model, model, 1 - decay)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of updates, to resume from."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]


class SWA(Averaging):
    """Plain mean of the weights after each of the last epochs: one flat point between several good ones.

    It starts once `start` of the run is done and takes the weights of every epoch from there on, all
    equally; a constant or cyclic rate over these epochs makes them differ more. Running statistics of
    BatchNorm are averaged too, but those of an averaged network are others: they are estimated anew.

    Make it of the bare model, and give `end_epoch` that same bare model.

    Args:
        model: what is averaged; the copy is in eval mode and has no gradients.
        start: share of the run before the first epoch whose weights count, 0-1; the last always counts.

    Raises:
        ValueError: start outside [0, 1].

    Source: Izmailov et al. 2018, arXiv:1803.05407, algorithm 1.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> swa = SWA(model, start=0.5)
    >>> for epoch, weight in enumerate([7.0, 2.0, 4.0, 6.0], start=1):
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     swa.end_epoch(model, epoch, epochs=4)
    >>> swa.model.weight.item()
    4.0
    """

    name = "swa"
    needs_batch_norm = True

    def __init__(self, model: nn.Module, start: float = 0.75) -> None:
        self.start = zero_to_one("averaging.start", start, "0.75")
        self.averaged = 0
        self.copy = deepcopy(model).eval().requires_grad_(False)

    @property
    def model(self) -> nn.Module | None:  # type: ignore[override]
        """The average, None before its first epoch."""
        return self.copy if self.averaged else None

    def end_epoch(self, model: nn.Module, epoch: int, epochs: int) -> None:
        # 0.07 * 100 is 7.000000000000001: the epoch must not be missed for that
        if epoch < self.start * epochs - 1e-9:
            self.averaged = 0  # a run continued for more epochs begins its average anew
            return
        self.averaged += 1
        move(self.copy, model, 1 / self.averaged)

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how many epochs are in them, to resume from."""
        return {"model": self.copy.state_dict(), "averaged": self.averaged}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.copy.load_state_dict(state["model"])
        self.averaged = state["averaged"]


@contextmanager
def batch_norm_reestimation(model: nn.Module, trained: nn.Module | None = None) -> Iterator[None]:
    """Inside it, running statistics of batch norms become those of the batches passed through `model`.

    They start from nothing, and every batch counts equally, so give it the training images once, with
    their augmentation and in batches of equal size. All but the batch norms is in eval mode. Afterwards
    momentum and modes are as before; the statistics stay, so keep a copy of the state to undo it. Of a
    batch norm that no batch passed through they are 0 and 1.

    Args:
        model: an average of weights.
        trained: the model it is the average of; batch norms that are frozen in it keep their statistics.

    Source: Izmailov et al. 2018, arXiv:1803.05407, section 3.2.

    >>> norm = nn.BatchNorm1d(1)
    >>> with batch_norm_reestimation(norm):
    ...     _ = norm(torch.tensor([[2.0], [4.0]])), norm(torch.tensor([[6.0], [8.0]]))
    >>> norm.running_mean.item(), norm.running_var.item()
    (5.0, 2.0)
    """
    norms = [
        norm
        for norm, live in zip(model.modules(), (trained or model).modules(), strict=True)
        if isinstance(norm, _BatchNorm) and norm.track_running_stats
        # the average itself requires no gradients at all
        if trained is None or live.weight is None or live.weight.requires_grad
    ]
    modes = {module: module.training for module in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.training = True
    try:
        yield
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
