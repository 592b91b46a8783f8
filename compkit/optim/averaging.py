"""Averages of the weights along the run, evaluated and saved beside the weights themselves."""

from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from compkit.optim.ranges import below_one, positive


def tensors(model: nn.Module) -> list[Tensor]:
    """Every parameter and buffer, always in the same order."""
    return list(chain(model.parameters(), model.buffers()))


class NoAveraging:
    """Only the weights themselves: the interface of `EMA` without an average.

    >>> NoAveraging(nn.Linear(2, 1)).model is None
    True
    """

    def __init__(self, model: nn.Module) -> None:
        self.model: nn.Module | None = None

    def update(self, model: nn.Module) -> None:
        """Nothing to do after a step."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class EMA:
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

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights `model` has after an optimizer step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        pairs = list(zip(tensors(self.model), tensors(model), strict=True))
        floats = [(average, now) for average, now in pairs if average.is_floating_point()]
        # one call for all tensors: a loop over a hundred small ones costs more than a small model's step
        torch._foreach_lerp_([average for average, _ in floats], [now for _, now in floats], 1 - decay)
        for average, now in pairs:
            if not average.is_floating_point():
                average.copy_(now)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of updates, to resume from."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
