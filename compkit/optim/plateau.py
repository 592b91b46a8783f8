"""A rate that drops when the validation score has stopped improving."""

import math
from typing import Any

from compkit.optim.schedule import Schedule
from compkit.ranges import not_negative, whole, zero_to_one


class Plateau(Schedule):
    """The rate times `gamma` once the validation score has stopped improving.

    It drops when more than `patience` epochs in a row bring no gain above `threshold`; then the
    count starts again. Epochs within warm-up and hold are not counted. `observe` is called once an epoch.

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
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.patience = whole("schedule.patience", patience, 0, "4")
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
        elif self.epochs_seen > self.lead_epochs:
            self.epochs_without_gain += 1
        if self.epochs_without_gain > self.patience:
            self.current = max(self.current * self.gamma, self.min_factor)
            self.epochs_without_gain = 0

    def state_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key in self.STATE:
            setattr(self, key, state[key])
