"""What one decoded picture looks like, in a few numbers: colours, sharpness, and hashes that survive re-saving."""

from typing import NamedTuple

import cv2
import numpy as np

REDUCED_PX = 256  # longest side of the copy whose sharpness is measured; smaller pictures stay as they are
COLOUR_PX = (
    128  # of the copy whose colours are measured; deviations take a third of the time of the larger one
)
THUMBNAIL_PX = 16
DCT_PX = 32  # side of the copy whose lowest frequencies are the perceptual hash


class Appearance(NamedTuple):
    """The statistics of one picture, on copies: of at most 256 pixels for sharpness, 128 for all else.

    Attributes:
        mean, std: of each channel, in [0, 1], float32 [C].
        brightness, contrast: mean and standard deviation of the grey picture, in [0, 1].
        sharpness: variance of the Laplacian in the middle of the grey copy (0 to 255); low is blurred or empty.
        phash, dhash: 64 bits each, as numbers.
        thumbnail: grey, uint8 [16, 16].
    """

    mean: np.ndarray
    std: np.ndarray
    brightness: float
    contrast: float
    sharpness: float
    phash: int
    dhash: int
    thumbnail: np.ndarray


def describe_appearance(image: np.ndarray) -> Appearance:
    """Measure a picture, uint8 [H, W, C].

    >>> grey = describe_appearance(np.full((8, 8, 1), 51, np.uint8))
    >>> round(grey.brightness, 3), grey.sharpness, grey.phash
    (0.2, 0.0, 0)
    """
    copy = reduced(image)
    small = reduced(copy, COLOUR_PX)
    mean, std = _mean_std(small)
    grey = to_grey(small)
    brightness, contrast = _mean_std(grey)
    low = cv2.resize(grey, (DCT_PX, DCT_PX), interpolation=cv2.INTER_AREA)
    return Appearance(
        mean=mean,
        std=std,
        brightness=float(brightness[0]),
        contrast=float(contrast[0]),
        sharpness=sharpness_of(to_grey(middle(copy))),
        phash=perceptual_hash(low),
        dhash=difference_hash(low),
        thumbnail=cv2.resize(low, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA),
    )


def reduced(image: np.ndarray, longest: int = REDUCED_PX) -> np.ndarray:
    """A copy whose longest side is at most `longest`, uint8 [H, W, C].

    First by a whole factor, for which OpenCV averages 15 times faster than for others, then the rest.

    >>> reduced(np.zeros((300, 600, 3), np.uint8)).shape
    (128, 256, 3)
    """
    height, width = image.shape[:2]
    factor = max(height, width) // longest
    if factor > 1 and min(height, width) >= factor:
        height, width = height // factor, width // factor
        image = _resized(
            image[: height * factor, : width * factor], height, width, interpolation=cv2.INTER_AREA
        )
    scale = longest / max(height, width)
    if scale < 1:
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        image = _resized(image, height, width, interpolation=cv2.INTER_LINEAR)
    return image


def middle(image: np.ndarray) -> np.ndarray:
    """The middle of a picture that is longer than 128 pixels: half of each side, a quarter of the work.

    >>> middle(np.zeros((200, 256, 3), np.uint8)).shape, middle(np.zeros((28, 28, 1), np.uint8)).shape
    ((100, 128, 3), (28, 28, 1))
    """
    height, width = image.shape[:2]
    if max(height, width) <= COLOUR_PX:
        return image
    top, left = height // 4, width // 4
    return image[top : height - top, left : width - left]


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luminance of the first three channels, or the first of fewer: uint8 [H, W, C] -> [H, W]."""
    if image.shape[2] < 3:
        return np.ascontiguousarray(image[..., 0])
    return cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)


def perceptual_hash(grey: np.ndarray) -> int:
    """Which of the 63 lowest frequencies lie above their median, as a number of 63 bits.

    Args:
        grey: uint8 [32, 32].

    Source: the DCT hash of Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions, 3.2.1.

    >>> dark = np.random.default_rng(0).integers(0, 100, (32, 32), dtype=np.uint8)
    >>> perceptual_hash(dark) == perceptual_hash(2 * dark + 40)
    True
    """
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()[1:]  # the first is the brightness
    if np.abs(low).max() < 1e-3:  # of an empty picture only rounding is left
        return 0
    return _bits(
        low > np.sort(low)[len(low) // 2]
    )  # 63 values: the middle one; np.median takes five times as long


def sharpness_of(grey: np.ndarray) -> float:
    """Variance of the Laplacian, uint8 [H, W] -> a number from 0; low in blurred and in empty pictures.

    Source: Pech-Pacheco et al. 2000, Diatom Autofocusing in Brightfield Microscopy, section 3.
    """
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    # meanStdDev would take three times as long
    return cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2


def difference_hash(grey: np.ndarray) -> int:
    """Where brightness rises from left to right on a copy of 8 x 9 pixels, as a number of 64 bits."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return _bits((small[:, 1:] > small[:, :-1]).ravel())


def _bits(values: np.ndarray) -> int:
    return int.from_bytes(np.packbits(values).tobytes(), "big")


def _resized(image: np.ndarray, height: int, width: int, interpolation: int) -> np.ndarray:
    """cv2.resize, which drops the axis of a single channel and refuses more than four here and there."""
    if image.shape[2] > 4:
        planes = [
            cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=interpolation)
            for plane in np.moveaxis(image, 2, 0)
        ]
        return np.stack(planes, axis=2)
    return cv2.resize(image, (width, height), interpolation=interpolation).reshape(height, width, -1)


def _mean_std(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, in [0, 1]."""
    if image.ndim == 3 and image.shape[2] > 4:  # OpenCV's limit here
        pixels = image.reshape(-1, image.shape[2]) / np.float32(255)
        return pixels.mean(axis=0), pixels.std(axis=0)
    mean, std = cv2.meanStdDev(image)
    return mean[:, 0] / 255, std[:, 0] / 255
