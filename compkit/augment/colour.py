"""Operations of the policies that change values and leave pixels where they are.

uint8 pictures go through a table of 256 values where an operation allows it, deep ones (float32) through the
same formula, so 16-bit depth survives. Values are clipped to the picture's range.
"""

from collections.abc import Callable

import cv2
import numpy as np

from compkit.augment.geometry import full_range

LEVELS = np.arange(256) / 255
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def pointwise(image: np.ndarray, curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Every value through one curve, a function of values in [0, 1].

    >>> pointwise(np.array([[[0], [100]]], np.uint8), lambda values: values * 2)[..., 0]
    array([[  0, 200]], dtype=uint8)
    """
    if image.dtype == np.uint8:
        table = np.rint(curve(LEVELS).clip(0, 1) * 255).astype(np.uint8)
        return cv2.LUT(image, table).reshape(image.shape)
    return curve(image).clip(0, 1).astype(np.float32)


def blend(image: np.ndarray, other: np.ndarray, factor: float) -> np.ndarray:
    """`other` at factor 0, the image at 1, beyond it above 1."""
    other = other.astype(np.float32)
    mixed = other + np.float32(factor) * (image - other)
    if image.dtype == np.uint8:
        return np.rint(mixed).clip(0, 255).astype(np.uint8)
    return mixed.clip(0, 1)


def grey(image: np.ndarray) -> np.ndarray:
    """Brightness as seen, [H, W, 1]; the mean of the channels unless they are red, green, blue."""
    if image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return image if image.shape[2] == 1 else image.mean(axis=2, keepdims=True)


def brightness(image: np.ndarray, amount: float) -> np.ndarray:
    """Values times 1 + amount."""
    return pointwise(image, lambda values: values * (1 + amount))


def contrast(image: np.ndarray, amount: float) -> np.ndarray:
    """Distances from the picture's mean brightness times 1 + amount."""
    mean = float(grey(image).mean()) / full_range(image)
    return pointwise(image, lambda values: mean + (1 + amount) * (values - mean))


def color(image: np.ndarray, amount: float) -> np.ndarray:
    """Distances from the grey picture times 1 + amount; -1 is grey. RGB only: others come back unchanged."""
    return blend(image, grey(image), 1 + amount) if image.shape[2] == 3 else image


def sharpness(image: np.ndarray, amount: float) -> np.ndarray:
    """Distances from a smoothed picture times 1 + amount; the outermost pixels are kept."""
    inner = (slice(1, -1), slice(1, -1))
    smooth = cv2.filter2D(image, -1, SMOOTH).reshape(image.shape)
    result = image.copy()
    result[inner] = blend(image[inner], smooth[inner], 1 + amount)
    return result


def posterize(image: np.ndarray, amount: float) -> np.ndarray:
    """Keep the `amount` highest of the 8 bits; deep pictures keep 2^amount levels.

    >>> posterize(np.array([[[255], [127]]], np.uint8), 1)[..., 0]
    array([[128,   0]], dtype=uint8)
    """
    bits = round(amount)
    if image.dtype == np.uint8:
        return image & np.uint8(256 - 2 ** (8 - bits))
    levels = np.float32(2**bits)
    return (np.floor(image * levels).clip(0, levels - 1) / levels).astype(np.float32)


def solarize(image: np.ndarray, amount: float) -> np.ndarray:
    """Values of at least `amount` (of 255) are turned into their negative."""
    return pointwise(image, lambda values: np.where(values * 255 < amount, values, 1 - values))


def invert(image: np.ndarray) -> np.ndarray:
    """The negative."""
    return pointwise(image, lambda values: 1 - values)


def autocontrast(image: np.ndarray) -> np.ndarray:
    """Each channel stretched so that its darkest value is black and its brightest white."""
    return _each_channel(image, _stretch)


def equalize(image: np.ndarray) -> np.ndarray:
    """Each channel's values spread so that all brightnesses are about equally frequent."""
    return _each_channel(image, _equalize_bytes if image.dtype == np.uint8 else _equalize_deep)


def _each_channel(image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    channels = [change(np.ascontiguousarray(image[..., [one]])) for one in range(image.shape[2])]
    return np.concatenate(channels, axis=2)


def _stretch(channel: np.ndarray) -> np.ndarray:
    white = full_range(channel)
    low, high = float(channel.min()) / white, float(channel.max()) / white
    return channel if low == high else pointwise(channel, lambda values: (values - low) / (high - low))


def _equalize_bytes(channel: np.ndarray) -> np.ndarray:
    """In whole numbers, as the Python Imaging Library defines it: pixels below a value, over pixels a level."""
    counts = np.bincount(channel.ravel(), minlength=256)
    a_level = (channel.size - counts[counts.nonzero()[0][-1]]) // 255
    if a_level == 0:  # too few pixels, or one value: nothing to spread
        return channel
    below = np.cumsum(counts) - counts
    table = ((below + a_level // 2) // a_level).clip(0, 255).astype(np.uint8)
    return cv2.LUT(channel, table).reshape(channel.shape)


def _equalize_deep(channel: np.ndarray) -> np.ndarray:
    """The share of pixels below a value, from 256 bins between black and white, linear within a bin."""
    if channel.min() == channel.max():
        return channel
    counts, edges = np.histogram(channel, bins=256, range=(0, 1))
    share = np.concatenate([[0], np.cumsum(counts)]) / max(1, counts.sum())
    return np.interp(channel, edges, share).astype(np.float32)
