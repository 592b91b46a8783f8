"""Which training images an epoch shows, how often and in which order.

A sampler orders the rows of the whole fold, in the main process; `training_windows` cuts that order into steps and
deals it to the ranks. So sampling is the same for any number of ranks and workers.
"""

import math
from collections.abc import Sequence

import numpy as np

from compkit.ranges import below_one, one_of, whole, zero_to_one
from compkit.types import Task


class Sampler:
    """What every sampler has.

    Attributes:
        name: the option that selects it, for messages.
        tasks: the tasks it makes sense for.
        whole_batches: each batch_size consecutive rows of its order belong together in one micro-batch.
    """

    name: str
    tasks: tuple[Task, ...] = (Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION)
    whole_batches = False

    def check_task(self, task: Task) -> None:
        """Refuse a task the sampler makes no sense for.

        Raises:
            ValueError: naming the sampler, the task and what to set.
        """
        if task not in self.tasks:
            raise ValueError(
                f"sampler={self.name} works for {' and '.join(self.tasks)}, but the task is {task}. "
                "Set sampler=shuffle."
            )

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        """One epoch's images.

        Args:
            labels: of the fold's training rows, int64 [N], or float32 [N, C].
            batch_size: rows of a micro-batch.
            rng: of the epoch.

        Returns:
            Positions in `labels`, int64 [M].
        """
        raise NotImplementedError


class Shuffle(Sampler):
    """Every image once, in random order.

    >>> Shuffle().order(np.zeros(4), 2, np.random.default_rng(0)).tolist()
    [2, 0, 1, 3]
    """

    name = "shuffle"

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(labels))


class ClassSampler(Sampler):
    """Draws each image independently, with replacement, as often as its class deserves.

    Args:
        samples: images an epoch; None is as many as there are.
        several: with multilabel, what the weights of an image's labels make of it: mean or max.

    Raises:
        ValueError: samples is no whole number above 0, or an unknown `several`.
    """

    tasks = (Task.MULTICLASS, Task.MULTILABEL)

    def __init__(self, samples: int | None = None, several: str = "mean"):
        self.samples = None if samples is None else whole("sampler.samples", samples, 1, "20000")
        self.several = one_of("sampler.several", several, ("mean", "max"))

    def class_weights(self, counts: np.ndarray) -> np.ndarray:
        """How often an image of each class is drawn, up to a factor, from the images of each class [C]."""
        raise NotImplementedError

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        weights = image_weights(labels, self.class_weights(class_counts(labels)), self.several)
        total = weights.sum()
        if not total > 0:
            raise ValueError(
                f"sampler={self.name}: no training image has a class of weight above 0. "
                "Set sampler=shuffle, or other class weights."
            )
        return rng.choice(len(labels), size=self.samples or len(labels), p=weights / total)


class FrequencySampler(ClassSampler):
    """Draws an image in proportion to n_c^-power, n_c the images of its class.

    Args:
        power: 1 shows all classes equally often, 0.5 shows class c in proportion to the root of n_c, 0 as they come.
        samples, several: as in `ClassSampler`.

    Raises:
        ValueError: power outside [0, 1]; see `ClassSampler`.

    Source: Mahajan et al. 2018, arXiv:1805.00932, section 2.2 (square root).

    >>> FrequencySampler(power=1.0).class_weights(np.array([100, 25, 0]))
    array([0.01, 0.04, 0.  ])
    """

    def __init__(self, power: float = 1.0, samples: int | None = None, several: str = "mean"):
        super().__init__(samples, several)
        self.power = zero_to_one("sampler.power", power, "0.5")
        self.name = "square_root" if self.power == 0.5 else "balanced"

    def class_weights(self, counts: np.ndarray) -> np.ndarray:
        return _of_present(counts, counts.clip(1) ** -self.power)


class EffectiveNumberSampler(ClassSampler):
    """Draws an image in proportion to (1 - beta) / (1 - beta^n_c): classes count as at most 1 / (1 - beta) images.

    Args:
        beta: 0 draws as they come, towards 1 all classes equally often.
        samples, several: as in `ClassSampler`.

    Raises:
        ValueError: beta outside [0, 1); see `ClassSampler`.

    Source: Cui et al. 2019, arXiv:1901.05555, eq. 2.

    >>> EffectiveNumberSampler(beta=0.9).class_weights(np.array([1, 2, 1000])).round(3)
    array([1.   , 0.526, 0.1  ])
    """

    name = "effective_number"

    def __init__(self, beta: float = 0.999, samples: int | None = None, several: str = "mean"):
        super().__init__(samples, several)
        self.beta = below_one("sampler.beta", beta, "0.999")

    def class_weights(self, counts: np.ndarray) -> np.ndarray:
        return _of_present(counts, (1 - self.beta) / (1 - self.beta ** counts.clip(1)))


class WeightedSampler(ClassSampler):
    """Draws an image in proportion to a weight given for its class.

    Args:
        class_weight: one number >= 0 a class, in class order; an image of a class of 2 is drawn twice as often as
            one of a class of 1.
        samples, several: as in `ClassSampler`.

    Raises:
        ValueError: no list, a negative number or all 0; another length than there are classes (when sampling);
            see `ClassSampler`.

    >>> WeightedSampler([1, 3]).class_weights(np.array([10, 5]))
    array([1., 3.])
    """

    name = "weighted"

    def __init__(self, class_weight: Sequence[float], samples: int | None = None, several: str = "mean"):
        super().__init__(samples, several)
        given = list(class_weight) if isinstance(class_weight, Sequence) else []
        is_weight = [isinstance(one, int | float) and 0 <= one < math.inf for one in given]
        if not all(is_weight) or not any(given):
            raise ValueError(
                f"sampler.class_weight: got {class_weight!r}; expected one number >= 0 for each class, not all 0, "
                "e.g. sampler.class_weight=[1,3]."
            )
        self.weights = np.array(given, np.float64)

    def class_weights(self, counts: np.ndarray) -> np.ndarray:
        if len(self.weights) < len(counts):
            raise ValueError(
                f"sampler.class_weight: {len(self.weights)} weights given for {len(counts)} classes; give one for each."
            )
        return self.weights


def class_counts(labels: np.ndarray) -> np.ndarray:
    """Images of each class, or with each label, [C].

    >>> class_counts(np.array([0, 2, 2])), class_counts(np.array([[1.0, 0.0], [1.0, 1.0]]))
    (array([1, 0, 2]), array([2, 1]))
    """
    return np.bincount(labels) if labels.ndim == 1 else (labels > 0.5).sum(axis=0)


def image_weights(labels: np.ndarray, class_weights: np.ndarray, several: str) -> np.ndarray:
    """The weight of each image from those of its classes, float64 [N].

    An image with several labels gets the mean or the max of their weights. One without any gets the
    smallest weight of a label that occurs: such images are usually the most common kind.

    >>> image_weights(np.array([[1, 0], [1, 1], [0, 0]]), np.array([1.0, 3.0]), "mean")
    array([1., 2., 1.])
    """
    if labels.ndim == 1:
        return class_weights[labels]
    if len(class_weights) != labels.shape[1]:
        raise ValueError(
            f"sampler.class_weight: {len(class_weights)} weights given for {labels.shape[1]} labels; give one for each."
        )
    present = labels > 0.5
    if several == "max":
        weights = np.where(present, class_weights, 0.0).max(axis=1)
    else:
        weights = present @ class_weights / present.sum(axis=1).clip(1)
    occurring = class_weights[present.any(axis=0)]
    smallest = occurring.min() if len(occurring) else 0.0
    return np.where(present.any(axis=1), weights, smallest)


def _of_present(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights of the classes that have images; nothing is drawn of the others."""
    return np.where(counts > 0, weights, 0.0)
