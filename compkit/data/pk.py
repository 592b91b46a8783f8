"""Batches of P classes with K images each."""

import numpy as np

from compkit.data.samplers import Sampler
from compkit.ranges import whole
from compkit.types import Task


class PKSampler(Sampler):
    """Batches of P classes with K images each, as losses that compare images within a batch want them.

    P = batch_size / K. Classes take turns, so all are shown equally often; so do a class's images.
    Within a batch classes are distinct, and images repeat only in classes of fewer than K.

    Args:
        images_per_class: K >= 2.

    Raises:
        ValueError: images_per_class below 2, or, when sampling, batch_size no multiple of it or too few classes.

    Source: Hermans et al. 2017, arXiv:1703.07737, section 2.

    >>> labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    >>> labels[PKSampler(images_per_class=2).order(labels, 4, np.random.default_rng(0))]
    array([2, 2, 0, 0, 1, 1, 2, 2])
    """

    name = "pk"
    tasks = (Task.MULTICLASS,)
    whole_batches = True

    def __init__(self, images_per_class: int = 4):
        self.images_per_class = whole("sampler.images_per_class", images_per_class, 2, "4")

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        present, counts = np.unique(labels, return_counts=True)
        classes = self.classes_per_batch(batch_size, len(present))
        of_class = np.split(np.argsort(labels, kind="stable"), counts.cumsum()[:-1])
        images = {one: _Deck(rows, rng) for one, rows in zip(present.tolist(), of_class, strict=True)}
        turns = _Deck(present, rng)
        batches = max(1, len(labels) // batch_size)
        chosen = [one for _ in range(batches) for one in turns.take(classes)]
        return np.array([row for one in chosen for row in images[one].take(self.images_per_class)], np.int64)

    def classes_per_batch(self, batch_size: int, num_classes: int) -> int:
        """P, for training rows of `num_classes` classes."""
        classes, rest = divmod(batch_size, self.images_per_class)
        if rest:
            raise ValueError(
                f"sampler=pk: batch_size={batch_size} is no multiple of "
                f"sampler.images_per_class={self.images_per_class}. Set batch_size={self.images_per_class * 8}, "
                "for example."
            )
        if classes > num_classes:
            raise ValueError(
                f"sampler=pk: batch_size={batch_size} with {self.images_per_class} images a class needs {classes} "
                f"classes, the training rows have {num_classes}. "
                f"Set batch_size={num_classes * self.images_per_class}, or a larger sampler.images_per_class."
            )
        return classes


class _Deck:
    """Items dealt like cards: all of them once, then shuffled anew."""

    def __init__(self, items: np.ndarray, rng: np.random.Generator):
        self.items = items
        self.rng = rng
        self.left: list[int] = []

    def take(self, count: int) -> list[int]:
        """The next items, distinct as long as there are `count` of them."""
        hand: list[int] = []
        while len(hand) < count:
            if not self.left:
                shuffled = self.rng.permutation(self.items).tolist()
                # what is already in the hand goes to the bottom of the new deck
                self.left = sorted(shuffled, key=set(hand).__contains__)
            want = count - len(hand)
            hand += self.left[:want]
            self.left = self.left[want:]
        return hand
