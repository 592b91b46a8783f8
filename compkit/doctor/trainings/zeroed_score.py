"""Whether predictions of held-out rows know anything of them: pure functions of losses and labels."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Gap(NamedTuple):
    """By how much one training is better than another on the same rows."""

    mean: float  # of their losses' difference
    error: float  # its standard error

    @property
    def in_errors(self) -> float:
        return self.mean / max(self.error, 1e-12)


def paired_gap(worse: np.ndarray, better: np.ndarray) -> Gap:
    """The mean difference of losses [S, N] of S seeds on N rows, and its error from rows and from seeds.

    >>> gap = paired_gap(np.full((3, 4), 2.0), np.array([[1.0, 1.2, 0.8, 1.0]] * 3))
    >>> round(gap.mean, 3), round(gap.error, 3)
    (1.0, 0.082)
    """
    differences = worse - better
    seeds, rows = differences.shape
    of_rows = differences.mean(axis=0).var(ddof=1) / rows
    of_seeds = differences.mean(axis=1).var(ddof=1) / seeds
    return Gap(float(differences.mean()), float(np.sqrt(of_rows + of_seeds)))


def label_signal(
    loss_of: Callable[[np.ndarray], float], rows: int, seed: int, permutations: int = 200
) -> float:
    """How many standard deviations the loss with the rows' own labels lies below that with other rows' labels.

    Near 0, up to 2 by chance, where predictions have nothing to do with the labels; unlike the loss itself it is
    not spoilt by predictions that are too sure.

    Args:
        loss_of: the loss when row i has the label of row order[i], of an order int64 [N].
        rows: N.
        seed: of the permutations.
        permutations: how many.

    >>> said, labels = np.arange(50.0), np.arange(50.0)
    >>> label_signal(lambda order: np.abs(said - labels[order]).mean(), rows=50, seed=0) > 5
    True
    """
    rng = np.random.default_rng(seed)
    others = np.array([loss_of(rng.permutation(rows)) for _ in range(permutations)])
    return float((others.mean() - loss_of(np.arange(rows))) / max(others.std(), 1e-12))
