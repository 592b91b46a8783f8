"""How rate and momentum change along a run, whatever the shape: the base of all schedules.

Both follow from how far the run is, not from how often a method was called, so a resumed run needs no
state; only the plateau schedule, which reacts to scores, has one.
"""

from typing import Any

from torch.optim import Optimizer

from compkit.ranges import inside_zero_to_one, not_negative, positive, zero_to_one


def set_lr(optimizer: Optimizer, factor: float) -> None:
    """Set every group's rate to `factor` times its own `base_lr`; ratios between groups survive.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = torch.optim.SGD([{"params": [weight], "lr": 0.4, "base_lr": 0.4}])
    >>> set_lr(optimizer, 0.5)
    >>> optimizer.param_groups[0]["lr"]
    0.2
    """
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


def set_momentum(optimizer: Optimizer, momentum: float) -> None:
    """Set the share of the past that a step keeps: SGD's `momentum`, or the first of Adam's `betas`.

    Args:
        optimizer: of torch or timm, made with a momentum above 0.
        momentum: the share, above 0 and below 1.

    Raises:
        ValueError: the optimizer has no momentum, or one of 0.

    >>> import torch
    >>> optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    >>> set_momentum(optimizer, 0.85)
    >>> optimizer.param_groups[0]["betas"]
    (0.85, 0.999)
    """
    for group in optimizer.param_groups:
        if group.get("momentum"):
            group["momentum"] = momentum
        # a momentum of 0 was switched off on purpose: plain SGD, RMSprop
        elif "momentum" not in group and "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            raise ValueError(
                f"schedule: it moves the momentum, but the optimizer {type(optimizer).__name__} has none. "
                "Choose one that has, e.g. optimizer=momentum or optimizer=adam, or leave the momentum "
                "alone with schedule.momentum_start=null."
            )


class Schedule:
    """A linear warm-up, a hold at the base rate, then what the subclass says, whose clock starts there.

    Args:
        warmup_epochs: length of the warm-up; 0 is none, fractions are fine.
        warmup_start_factor: factor at the very first step, 0-1; it grows linearly to the schedule's
            first factor, which is 1 but for one-cycle.
        hold_epochs: length of the hold after it, at that factor; 0 is none.
        momentum_start: momentum at the first step, above 0 and below 1; None leaves the optimizer's alone.
        momentum_end: momentum it grows to linearly, and then keeps.
        momentum_epochs: length of that growth from the first step on; None is the whole run.

    Raises:
        ValueError: one of them is outside its range.

    Source of the warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2; of the growing momentum:
    Sutskever et al. 2013, section 3.
    """

    def __init__(
        self,
        warmup_epochs: float = 0.0,
        warmup_start_factor: float = 0.01,
        hold_epochs: float = 0.0,
        momentum_start: float | None = None,
        momentum_end: float = 0.99,
        momentum_epochs: float | None = None,
    ) -> None:
        self.warmup_epochs = not_negative("schedule.warmup_epochs", warmup_epochs, "1")
        self.warmup_start_factor = zero_to_one("schedule.warmup_start_factor", warmup_start_factor, "0.01")
        self.hold_epochs = not_negative("schedule.hold_epochs", hold_epochs, "2")
        self.lead_epochs = self.warmup_epochs + self.hold_epochs
        self.momentum_start = (
            None
            if momentum_start is None
            else inside_zero_to_one("schedule.momentum_start", momentum_start, "0.5")
        )
        self.momentum_end = inside_zero_to_one("schedule.momentum_end", momentum_end, "0.99")
        self.momentum_epochs = (
            None if momentum_epochs is None else positive("schedule.momentum_epochs", momentum_epochs, "5")
        )

    def check(self, epochs: float) -> None:
        """Refuse what does not fit into a run of `epochs` epochs, before its first step."""
        if self.lead_epochs >= epochs:
            key, given = "schedule.warmup_epochs", f"{self.warmup_epochs:g}"
            if self.hold_epochs:
                key, given = f"{key} + schedule.hold_epochs", f"{given} + {self.hold_epochs:g}"
            raise ValueError(
                f"{key}: got {given}, but the run has only {epochs:g} epochs; expected fewer. "
                "Set e.g. schedule.warmup_epochs=0, or more epochs."
            )
        if self.momentum_epochs is not None and self.momentum_epochs > epochs:
            raise ValueError(
                f"schedule.momentum_epochs: got {self.momentum_epochs:g}, but the run has only {epochs:g} "
                "epochs; expected no more. Set schedule.momentum_epochs=null for the whole run."
            )

    def factor(self, epoch: float, epochs: float) -> float:
        """What to multiply each group's own rate with.

        Args:
            epoch: epochs done so far, with their fraction: 0 at the first step, 1.5 in the middle
                of the second epoch.
            epochs: length of the run.

        Raises:
            ValueError: warm-up and hold are not shorter than the run.

        >>> from compkit.optim import Constant
        >>> [Constant(warmup_epochs=2, warmup_start_factor=0.1).factor(epoch, 10) for epoch in (0, 1, 2, 9)]
        [0.1, 0.55, 1.0, 1.0]
        """
        self.check(epochs)
        left = epochs - self.lead_epochs
        if epoch < self.warmup_epochs:
            first = self.decay(0.0, left)  # 1, but for one-cycle, which has a rise of its own
            done = epoch / self.warmup_epochs
            return self.warmup_start_factor + (first - self.warmup_start_factor) * done
        return self.decay(max(epoch - self.lead_epochs, 0.0), left)

    def decay(self, epoch: float, epochs: float) -> float:
        """The factor `epoch` epochs after warm-up and hold, of `epochs` that follow them."""
        raise NotImplementedError

    def momentum(self, epoch: float, epochs: float) -> float | None:
        """The momentum after `epoch` of `epochs` epochs, to give to `set_momentum`; None: leave it alone.

        >>> from compkit.optim import Constant
        >>> [Constant(momentum_start=0.5, momentum_end=0.9).momentum(epoch, 10) for epoch in (0, 5, 10)]
        [0.5, 0.7, 0.9]
        """
        if self.momentum_start is None:
            return None
        done = min(epoch / (self.momentum_epochs or epochs), 1.0)
        return self.momentum_start + (self.momentum_end - self.momentum_start) * done

    def cycle_ended(self, epoch: int, epochs: int) -> int | None:
        """The number, from 1, of the cycle that ended as the run's `epoch`-th epoch was finished, else None.

        Args:
            epoch: epochs done, 1 after the first one.
            epochs: length of the run.
        """
        return None

    def observe(self, score: float, greater_is_better: bool) -> None:
        """Take note of an epoch's validation score; only the plateau schedule reacts to it."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run cannot compute from its progress: nothing, but for the plateau schedule."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


def schedule_points(
    schedule: Schedule, epochs: int, steps_per_epoch: int
) -> list[tuple[float, float, float | None]]:
    """What a schedule does at every step of a run, to be drawn: (epoch, factor, momentum or None).

    >>> from compkit.optim import Cosine
    >>> [(epoch, round(factor, 2)) for epoch, factor, _ in schedule_points(Cosine(), 2, 2)]
    [(0.0, 1.0), (0.5, 0.85), (1.0, 0.5), (1.5, 0.15)]
    """
    moments = [step / steps_per_epoch for step in range(epochs * steps_per_epoch)]
    return [(epoch, schedule.factor(epoch, epochs), schedule.momentum(epoch, epochs)) for epoch in moments]
