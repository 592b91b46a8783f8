"""A fold's history as the rules read it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from compkit.diagnosis.facts import FoldFacts

LAST_SHARE = 0.2  # of the epochs, whose mean stands for where training has come to
SETTLED_STEPS = (
    100  # before these, batch norm's running statistics lag behind the weights, and so does validation
)


@dataclass(frozen=True)
class Curves:
    """Columns of history.csv, each float64 [E], E epochs so far; NaN where something was not measured.

    Attributes:
        epochs: their numbers, from 1.
        steps: optimizer steps taken.
        lr: highest rate of any group, at the epoch's end.
        train: the training loss that `FoldFacts.prior` is held against, or the whole one.
        clean: the same loss of unaugmented training pictures after the epoch, where the loop measures it.
        valid: validation loss.
        gain: the metric that chooses the epoch, turned so that more is better.
        judged: the score by which learning is told from guessing, as it is; NaN without one.
        train_score: the metric on unaugmented training pictures, where the loop measures it.
    """

    epochs: np.ndarray
    steps: np.ndarray
    lr: np.ndarray
    train: np.ndarray
    clean: np.ndarray
    valid: np.ndarray
    gain: np.ndarray
    judged: np.ndarray
    train_score: np.ndarray

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def last(self) -> slice:
        """The last fifth of the epochs, at least one."""
        return slice(len(self) - max(1, round(LAST_SHARE * len(self))), len(self))

    @property
    def last_epochs(self) -> int:
        """How many `last` are."""
        return self.last.stop - self.last.start

    def rate(self, factor: float) -> str:
        """A rate to try, this many times the highest so far, as on the command line."""
        return f"lr={self.lr.max() * factor:.1g}"

    @property
    def least_biased(self) -> np.ndarray:
        """The training loss of unaugmented pictures where it is measured, else the loop's own."""
        return self.train if np.isnan(self.clean).any() else self.clean

    @property
    def has_settled(self) -> bool:
        """Whether enough steps were made for the numbers to mean something."""
        return len(self) >= 3 and self.steps[-1] >= SETTLED_STEPS

    @property
    def is_annealed(self) -> bool:
        """Whether the rate has come down since it was highest."""
        return bool(self.lr[-1] < 0.3 * self.lr.max())

    @property
    def restarts(self) -> np.ndarray:
        """Positions of epochs that begin a new cycle: the rate rose after it had fallen, int64 [R]."""
        ratio = self.lr[1:] / np.maximum(self.lr[:-1], 1e-300)
        has_fallen = np.minimum.accumulate(ratio) < 0.99 if len(ratio) else ratio > 1
        return np.flatnonzero((ratio > 1.2) & has_fallen) + 1

    @property
    def is_in_new_cycle(self) -> bool:
        """Whether a cycle began so late that the last epochs are those of its high rate."""
        begun = self.restarts
        return bool(len(begun) and begun[-1] >= self.last.start)

    def since(self, epoch: int) -> "Curves":
        """The epochs after this one, numbered from 1; for what comes before another part of the network is trained."""
        kept = self.epochs > epoch
        return Curves(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))


def read_curves(history: pd.DataFrame, facts: FoldFacts) -> Curves:
    """The columns of history.csv that rules look at.

    Args:
        history: a row an epoch, as the loop writes it; `clean_loss` and `clean_<metric>` may be there or not.
        facts: of the fold.
    """

    def column(name: str, factor: float = 1.0) -> np.ndarray:
        found = history[name] if name in history else pd.Series(np.nan, index=history.index)
        return found.to_numpy(np.float64) * factor

    # the running average of the weights is what predicts
    of = "ema_" if "ema_val_loss" in history else ""
    sign = 1.0 if facts.greater_is_better else -1.0
    return Curves(
        epochs=column("epoch"),
        steps=column("step"),
        lr=column("lr"),
        train=column(facts.term, 1 / facts.term_weight),
        clean=column("clean_loss"),
        valid=column(f"{of}val_loss"),
        gain=column(f"{of}val_{facts.metric}", sign),
        judged=column(f"{of}val_{facts.judged_by}"),
        train_score=column(f"clean_{facts.metric}"),
    )


def is_due(curves: Curves, facts: FoldFacts) -> bool:
    """Whether enough of a run is over to judge what it has learnt, frozen epochs not counted."""
    settled = curves.since(facts.frozen_epochs).has_settled
    return settled and (facts.is_over or len(curves) >= 0.3 * facts.epochs)


def log_slope(values: np.ndarray) -> float:
    """By which factor a positive curve changes each epoch, less one: -0.02 is a fall of 2 %.

    >>> round(log_slope(np.array([1.0, 0.9, 0.81])), 3)
    -0.1
    """
    slope = np.polyfit(np.arange(len(values)), np.log(np.maximum(values, 1e-12)), 1)[0]
    return float(np.expm1(slope))
