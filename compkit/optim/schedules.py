"""How the learning rate changes: a factor of each group's own rate, as a function of progress.

The rate follows from how far the run is, not from how often a method was called, so a resumed run
needs no state; only the plateau schedule, which reacts to scores, has one.
"""

import math
from typing import Any

from torch.optim import Optimizer

from compkit.optim.ranges import not_negative, positive, zero_to_one


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


class Schedule:
    """A linear warm-up, then what the subclass says; the subclass's clock starts after the warm-up.

    Args:
        warmup_epochs: length of the warm-up; 0 is none, fractions are fine.
        warmup_start_factor: factor at the very first step, 0-1; it grows linearly to 1.

    Raises:
        ValueError: warmup_epochs negative, or warmup_start_factor outside [0, 1].

    Source of the warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """

    def __init__(self, warmup_epochs: float = 0.0, warmup_start_factor: float = 0.01) -> None:
        self.warmup_epochs = not_negative("schedule.warmup_epochs", warmup_epochs, "1")
        self.warmup_start_factor = zero_to_one("schedule.warmup_start_factor", warmup_start_factor, "0.01")

    def check(self, epochs: float) -> None:
        """Refuse a warm-up that does not end within a run of `epochs` epochs."""
        if self.warmup_epochs >= epochs:
            raise ValueError(
                f"schedule.warmup_epochs: got {self.warmup_epochs:g}, but the run has only {epochs:g} "
                "epochs; expected fewer. Set e.g. schedule.warmup_epochs=0, or more epochs."
            )

    def factor(self, epoch: float, epochs: float) -> float:
        """What to multiply each group's own rate with.

        Args:
            epoch: epochs done so far, with their fraction: 0 at the first step, 1.5 in the middle
                of the second epoch.
            epochs: length of the run.

        Raises:
            ValueError: the warm-up is not shorter than the run.

        >>> [Constant(warmup_epochs=2, warmup_start_factor=0.1).factor(epoch, 10) for epoch in (0, 1, 2, 9)]
        [0.1, 0.55, 1.0, 1.0]
        """
        self.check(epochs)
        if epoch < self.warmup_epochs:
            done = epoch / self.warmup_epochs
            return self.warmup_start_factor + (1 - self.warmup_start_factor) * done
        return self.decay(epoch - self.warmup_epochs, epochs - self.warmup_epochs)

    def decay(self, epoch: float, epochs: float) -> float:
        """The factor `epoch` epochs after the warm-up, of `epochs` that follow it."""
        raise NotImplementedError

    def observe(self, score: float, greater_is_better: bool) -> None:
        """Take note of an epoch's validation score; only the plateau schedule reacts to it."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run cannot compute from its progress: nothing, but for the plateau schedule."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


class Constant(Schedule):
    """The base rate all along, after the warm-up.

    >>> Constant().factor(3, 10)
    1.0
    """

    def decay(self, epoch: float, epochs: float) -> float:
        return 1.0


class Cosine(Schedule):
    """Half a cosine from the base rate down to `min_factor` of it at the very end.

    factor = min + (1 - min) * (1 + cos(pi * epoch / epochs)) / 2

    Args:
        min_factor: factor at the end, 0-1.

    Raises:
        ValueError: min_factor outside [0, 1].

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5, one cycle.

    >>> [round(Cosine(min_factor=0.1).factor(epoch, 10), 2) for epoch in (0, 5, 10)]
    [1.0, 0.55, 0.1]
    """

    def __init__(self, min_factor: float = 0.0, **warmup: float) -> None:
        super().__init__(**warmup)
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")

    def decay(self, epoch: float, epochs: float) -> float:
        return self.min_factor + (1 - self.min_factor) * (1 + math.cos(math.pi * epoch / epochs)) / 2


class Step(Schedule):
    """The rate times `gamma` after every `step_epochs` epochs.

    Args:
        step_epochs: epochs between two drops, > 0.
        gamma: factor of a drop, 0-1.

    Raises:
        ValueError: step_epochs not positive, or gamma outside [0, 1].

    >>> [Step(step_epochs=4, gamma=0.5).factor(epoch, 12) for epoch in (0, 3.9, 4, 8)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, step_epochs: float, gamma: float = 0.1, **warmup: float) -> None:
        super().__init__(**warmup)
        self.step_epochs = positive("schedule.step_epochs", step_epochs, "4")
        self.gamma = zero_to_one("schedule.gamma", gamma, "0.1")

    def decay(self, epoch: float, epochs: float) -> float:
        # 4.1 - 1.1 is 2.9999999999999996: a drop must not come a step late for that
        return self.gamma ** math.floor(epoch / self.step_epochs + 1e-9)


class Plateau(Schedule):
    """The rate times `gamma` once the validation score has stopped improving.

    It drops when more than `patience` epochs in a row bring no gain above `threshold`; then the
    count starts again. Epochs within the warm-up are not counted. `observe` is called once an epoch.

    Args:
        patience: epochs without a gain that are tolerated, >= 0.
        gamma: factor of a drop, 0-1.
        min_factor: the factor never falls below it, 0-1.
        threshold: smallest gain that counts, in units of the score, >= 0.

    Raises:
        ValueError: one of them is outside its range.

    >>> plateau = Plateau(patience=1, gamma=0.1)
    >>> for score in (0.8, 0.8, 0.8):
    ...     plateau.observe(score, greater_is_better=True)
    >>> plateau.factor(3, 10)
    0.1
    """

    STATE = ("current", "best", "epochs_seen", "epochs_without_gain")

    def __init__(
        self,
        patience: int = 4,
        gamma: float = 0.1,
        min_factor: float = 0.0,
        threshold: float = 1e-4,
        **warmup: float,
    ) -> None:
        super().__init__(**warmup)
        self.patience = int(not_negative("schedule.patience", patience, "4"))
        self.gamma = zero_to_one("schedule.gamma", gamma, "0.1")
        self.min_factor = zero_to_one("schedule.min_factor", min_factor, "0.01")
        self.threshold = not_negative("schedule.threshold", threshold, "1e-4")
        self.current = 1.0
        self.best = -math.inf  # of the score, or of its negative when smaller is better
        self.epochs_seen = 0
        self.epochs_without_gain = 0

    def decay(self, epoch: float, epochs: float) -> float:
        return self.current

    def observe(self, score: float, greater_is_better: bool) -> None:
        gain = score if greater_is_better else -score
        self.epochs_seen += 1
        if gain > self.best + self.threshold:
            self.best, self.epochs_without_gain = gain, 0
        elif self.epochs_seen > self.warmup_epochs:
            self.epochs_without_gain += 1
        if self.epochs_without_gain > self.patience:
            self.current = max(self.current * self.gamma, self.min_factor)
            self.epochs_without_gain = 0

    def state_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key in self.STATE:
            setattr(self, key, state[key])
