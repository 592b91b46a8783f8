"""How pixel values are scaled for the network: settled once a fold, from its training rows alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from compkit.data.preprocessing import Preprocessing
from compkit.ranges import require, whole

Load = Callable[[int], np.ndarray]  # row of the table -> its image as `Preprocessing.load` returns it


class Scaling:
    """What every scaling has."""

    def fit(self, load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Preprocessing:
        """The preprocessing with this scaling, for training, validation and every later command.

        Args:
            load: a row's image, uint8 or float32 in [0, 1], [H, W, C], resized but not augmented.
            rows: the fold's training rows; images of no others are looked at.
            preprocessing: with the mean and std of the weights' config.
        """
        raise NotImplementedError


class PretrainedScaling(Scaling):
    """Mean and std of the weights' own config: what a pretrained network was trained on."""

    def fit(self, load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Preprocessing:
        return preprocessing


class MeasuredScaling(Scaling):
    """Mean and std of each channel over the training pixels.

    Args:
        samples: at most as many images are read, evenly spread over the rows.

    Raises:
        ValueError: samples below 1; when measured, a channel with the same value everywhere.
    """

    def __init__(self, samples: int = 2000):
        self.samples = whole("scaling.samples", samples, 1, "2000")

    def fit(self, load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Preprocessing:
        mean, std = measure(pixels_of(load, spread(rows, self.samples), preprocessing))
        if not (std > 0).all():
            channels = np.flatnonzero(std == 0).tolist()
            raise ValueError(
                f"scaling: channel(s) {channels} have one value in all training pixels, so they cannot be divided "
                "by their std. Set scaling=pretrained, or leave the channels out."
            )
        return replace(preprocessing, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


class TanhScaling(MeasuredScaling):
    """tanh(x / C): keeps differences among dark pixels, where C is, and squeezes bright ones together.

    Mean and std are then measured on the squeezed pixels.

    Args:
        level: C, as a share of the full pixel range (max_value); auto is twice the mean training pixel.
        samples: as in `MeasuredScaling`.

    Raises:
        ValueError: level not above 0 nor auto; see `MeasuredScaling`.
    """

    def __init__(self, level: float | str = "auto", samples: int = 2000):
        super().__init__(samples)
        expected = "auto or a number > 0, a share of the full range, e.g. scaling.level=0.1"
        self.level = (
            None if level == "auto" else require("scaling.level", level, lambda given: given > 0, expected)
        )

    def fit(self, load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Preprocessing:
        level = self.level
        if level is None:
            mean, _ = measure(pixels_of(load, spread(rows, self.samples), preprocessing))
            # a level of 0 would divide by 0; black pictures are then refused for their std
            level = 2 * float(mean.mean()) or 1.0
        return super().fit(load, rows, replace(preprocessing, tanh_scale=level))


class PercentileScaling(MeasuredScaling):
    """Cuts each channel at two percentiles of its training pixels and stretches what lies between to [0, 1].

    Mean and std are then measured on the squeezed pixels.

    Args:
        low, high: percentiles, 0 <= low < high <= 100.
        samples: as in `MeasuredScaling`.

    Raises:
        ValueError: percentiles out of order; when measured, a channel whose percentiles are equal;
            see `MeasuredScaling`.
    """

    def __init__(self, low: float = 1.0, high: float = 99.0, samples: int = 2000):
        super().__init__(samples)
        usual = "e.g. scaling.low=1 scaling.high=99"
        self.low, self.high = (
            require(f"scaling.{key}", value, lambda given: 0 <= given <= 100, f"a percentile, {usual}")
            for key, value in (("low", low), ("high", high))
        )
        if self.low >= self.high:
            raise ValueError(f"scaling.low={low} and scaling.high={high}: expected low < high, {usual}.")

    def fit(self, load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Preprocessing:
        pixels = pixels_of(load, spread(rows, self.samples), preprocessing)
        low, high = percentiles(pixels, np.array([self.low, self.high]))
        if not (low < high).all():
            channels = np.flatnonzero(low >= high).tolist()
            raise ValueError(
                f"scaling: in channel(s) {channels} percentiles {self.low:g} and {self.high:g} of the training pixels "
                "are the same value. Set scaling.low=0 scaling.high=100, or scaling=measured."
            )
        cut = replace(preprocessing, low=tuple(low.tolist()), high=tuple(high.tolist()))
        return super().fit(load, rows, cut)


def spread(rows: np.ndarray, samples: int) -> np.ndarray:
    """At most `samples` of the rows, evenly spaced among them in ascending order.

    >>> spread(np.array([9, 1, 5, 3, 7]), samples=3)
    array([1, 5, 9])
    """
    ordered = np.sort(rows)
    if len(ordered) <= samples:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, samples).round().astype(np.int64)]


def pixels_of(load: Load, rows: np.ndarray, preprocessing: Preprocessing) -> Iterator[np.ndarray]:
    """The squeezed pixels of one image after another, float32 in [0, 1], [H * W, C]."""
    for row in rows:
        squeezed = preprocessing.squeeze(torch.from_numpy(load(int(row))))
        yield squeezed.reshape(-1, preprocessing.channels).numpy()


def measure(images: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std (of the population) of each channel over all pixels, in float64, one image in memory at a time.

    Args:
        images: pixels [P, C] of each image.

    Returns:
        mean [C], std [C].

    >>> measure(iter([np.array([[1.0], [2.0]]), np.array([[6.0]])]))
    (array([3.]), array([2.1602469]))
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for image in images:
        pixels = image.astype(np.float64)
        # merging sums of squared deviations loses no digits, where E[x^2] - mean^2 would for a narrow range
        own_mean = pixels.mean(axis=0)
        own_squares = ((pixels - own_mean) ** 2).sum(axis=0)
        total = count + len(pixels)
        shift = own_mean - mean
        mean = mean + shift * len(pixels) / total
        squares = squares + own_squares + shift**2 * count * len(pixels) / total
        count = total
    return mean, np.sqrt(squares / count)


DROPPED_BITS = 13  # of a float32's 23 bits of fraction: bins are 0.1 % of their value wide
BINS = (np.float32(1).view(np.int32) >> DROPPED_BITS) + 1


def percentiles(images: Iterator[np.ndarray], at: np.ndarray) -> np.ndarray:
    """Percentiles of each channel over all pixels, to 0.05 % of their value, one image in memory at a time.

    Counts pixels in bins as wide as their value is large: as many bins for 0.001 … 0.002 as for 0.5 … 1, since
    the pixels of 16-bit and medical pictures often fill only a small part of their range.

    Args:
        images: pixels in [0, 1], float32 [P, C], of each image.
        at: percentiles, ascending, [Q].

    Returns:
        The smallest pixel that at least so many per cent do not exceed, float64 [Q, C].

    >>> percentiles(iter([np.array([[0.25], [0.5], [0.0], [1.0]], np.float32)]), np.array([50, 100])).round(3)
    array([[0.25],
           [1.   ]])
    """
    counts: np.ndarray | None = None
    for image in images:
        # the bits of a float grow with it from 0 on; adding 0 turns -0 into 0
        bins = (np.ascontiguousarray(image, np.float32) + np.float32(0)).view(np.int32) >> DROPPED_BITS
        own = np.stack([np.bincount(channel, minlength=BINS) for channel in bins.T])
        counts = own if counts is None else counts + own
    assert counts is not None, "no images"
    below = counts.cumsum(axis=1)
    # the product first: 7 / 100 * 100 is 7.000000000000001, whose ceiling would be 8
    wanted = np.ceil(at * below[0, -1] / 100).clip(1)
    found = np.stack([np.searchsorted(channel, wanted) for channel in below], axis=1)
    return _bin_value(found)


def _bin_value(bins: np.ndarray) -> np.ndarray:
    """The middle of each bin; the bins of 0 and 1 hold those alone."""
    start = (bins << DROPPED_BITS).astype(np.int32).view(np.float32).astype(np.float64)
    end = ((bins + 1) << DROPPED_BITS).astype(np.int32).view(np.float32).astype(np.float64)
    return np.where((bins == 0) | (bins == BINS - 1), start, (start + end) / 2)
