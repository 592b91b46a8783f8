"""Pairs of pictures whose 64-bit hashes differ in few bits, found in blocks so that memory stays bounded."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK, ACROSS = 64, 8192  # rows against others at a time: 4 MB, which stay in the processor's cache
RADII = np.arange(
    9
)  # distances that are looked at; unrelated pictures differ in 31 of 63 bits, rarely in less than 12
LEAST_RADIUS = 6  # what re-saving, resizing and brightening changed in pictures of 64 px; 4 in photographs
ENOUGH_PAIRS = 20  # of a distance or less, before their labels say anything
DRAWN = 20_000  # random pairs that say how often labels agree by chance


class Pairs(NamedTuple):
    """Rows that may show the same, and in how many bits their hashes differ."""

    one: np.ndarray  # int64 [P]
    other: np.ndarray  # int64 [P], larger than `one`
    distance: np.ndarray  # uint8 [P]


def near_pairs(
    hashes: np.ndarray, radius: int = int(RADII[-1]), others: np.ndarray | None = None, first: int = 0
) -> Iterator[Pairs]:
    """All pairs of a hash and a later one that differ in at most `radius` bits, block by block.

    Args:
        hashes: uint64 [N]; 20 000 take a second, 200 000 two minutes or less.
        radius: in bits.
        others: what the later rows are compared by, such as hashes of their mirror images; None is `hashes`.
        first: the later row of each pair is this one or a later one still.

    >>> pairs = next(near_pairs(np.array([0b111, 0b1, 2**40 - 1], np.uint64), radius=2))
    >>> pairs.one.tolist(), pairs.other.tolist(), pairs.distance.tolist()
    ([0], [1], [2])
    """
    rows, others = len(hashes), hashes if others is None else others
    for top in range(0, rows, BLOCK):
        block = hashes[top : top + BLOCK, None]
        for left in range(max(top, first), rows, ACROSS):
            distance = np.bitwise_count(block ^ others[None, left : left + ACROSS])
            one, other = np.nonzero(distance <= radius)
            later = one + top < other + left  # each pair once, and no row with itself
            one, other = one[later], other[later]
            if len(one):
                yield Pairs(one + top, other + left, distance[one, other])


def calibrated_radius(agreeing: np.ndarray, pairs: np.ndarray, chance: float) -> int:
    """The largest distance up to which pairs have the same label far more often than by chance.

    Far: the lower end of a 95 % interval lies above the middle between chance and certainty. What few or no pairs say
    is not believed: then it is 6, what re-saving does to a picture.

    Args:
        agreeing, pairs: pairs of each distance that share their label, and all of them, int [R].
        chance: how often two rows share it.

    >>> calibrated_radius(np.array([50] * 8 + [90]), np.array([50] * 8 + [900]), chance=0.1)
    7
    """
    agreeing, pairs = agreeing.cumsum(), pairs.cumsum()
    low = wilson_low(agreeing, pairs)
    good = (pairs >= ENOUGH_PAIRS) & (low > (1 + chance) / 2)
    return max(LEAST_RADIUS, int(np.flatnonzero(good).max(initial=0)))


def disagree_by_chance(agreeing: int, pairs: int, chance: float) -> bool:
    """Whether labels prove that pairs which look the same are not the same: they agree about as often as any two.

    Proven: the upper end of a 95 % interval lies below the middle between chance and certainty. Where it lies below
    chance too, somebody has given copies another label, which they would not have by chance.

    Args:
        agreeing, pairs: pairs that share their label, and all of them.
        chance: how often two rows share it.

    >>> disagree_by_chance(50, 100, 0.5), disagree_by_chance(90, 100, 0.5), disagree_by_chance(0, 100, 0.5)
    (True, False, False)
    """
    high = 1 - float(wilson_low(np.array([pairs - agreeing]), np.array([pairs]))[0])
    return pairs >= ENOUGH_PAIRS and chance <= high < (1 + chance) / 2


def wilson_low(hits: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Lower end of the 95 % interval of a share, [R]; 0 without trials.

    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.

    >>> wilson_low(np.array([10]), np.array([10])).round(3).tolist()
    [0.722]
    """
    z2, trials = 1.96**2, np.maximum(trials, 1e-9)
    share = hits / trials
    middle = share + z2 / (2 * trials)
    spread = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * trials)) / trials)
    return np.maximum(0, (middle - spread) / (1 + z2 / trials))


def labels_agree(targets: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether pairs of rows have the same label, bool [P]; numbers: within half a standard deviation.

    Args:
        targets: int64 [N], or float [N, C].
        one, other: rows, [P].

    >>> labels_agree(np.array([1, 1, 2]), np.array([0, 0]), np.array([1, 2])).tolist()
    [True, False]
    """
    if targets.ndim == 1:
        return targets[one] == targets[other]
    apart = np.abs(targets[one] - targets[other])
    return (apart <= 0.5 * targets.std(axis=0)).all(axis=1)


def chance_agreement(targets: np.ndarray) -> float:
    """How often two different rows drawn at random agree."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(targets), (2, DRAWN))
    apart = one != other
    return float(labels_agree(targets, one[apart], other[apart]).mean()) if apart.any() else 1.0
