"""A few pictures as a training step would get them, chosen so that every kind of loss has something to compare."""

import numpy as np
from torch import Tensor

from compkit.data import Draw, Size
from compkit.engine import Stepper, network_input
from compkit.run.trial import Trial, unmixed
from compkit.types import Moment, Targets


def pick_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Positions of `count` rows: two of each class side by side, class after class; repeated when there are fewer.

    Metric losses compare pictures of one class with each other and with another class's. Of several labels a
    picture, and of numbers, it is the first rows.

    >>> pick_rows(np.array([0, 1, 1, 1, 0, 2]), 5).tolist()
    [0, 4, 1, 2, 5]
    """
    if labels.ndim > 1 or labels.dtype.kind == "f":
        return np.resize(np.arange(len(labels)), count)
    _, first, number, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(labels), np.int64)  # how many rows of its class come before a row
    rank[np.argsort(labels, kind="stable")] = np.arange(len(labels)) - np.repeat(
        np.cumsum(sizes) - sizes, sizes
    )
    order = np.lexsort((rank, first[number], sizes[number] < 2, rank // 2))
    return np.resize(order, count)


def take_sample(
    trial: Trial, stepper: Stepper, count: int, size: Size | None = None
) -> tuple[Tensor, Targets]:
    """Normalised training pictures [B, C, H, W] at a size, unmixed, and what they are taught.

    The network and the loss are told that training begins, as before the first step.
    """
    begin, rows = Moment(0, 0.0, trial.plan.epochs), trial.fold_data.train_rows
    picked = rows[pick_rows(trial.fold_data.table.labels[rows], count)]
    lessons = trial.fold_data.lessons
    micro = next(lessons.windows(stepper, [[Draw(picked, 0, size)]], lambda: begin))[0][0]
    micro = micro._replace(mix=None, targets=unmixed(micro.targets))
    stepper.learner.set_moment(begin)
    images = network_input(micro.images, trial.fold_data.preprocessing, trial.plan.trainer)
    return images, lessons.targets(stepper, micro)
