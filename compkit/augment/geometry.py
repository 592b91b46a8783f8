"""Operations of the policies that move pixels. What comes in from outside the picture has one grey value."""

import math

import cv2
import numpy as np


def full_range(image: np.ndarray) -> float:
    """The value of white: 255 for uint8, 1 for float32."""
    return 255.0 if image.dtype == np.uint8 else 1.0


def warp(image: np.ndarray, matrix: list[list[float]], fill: float) -> np.ndarray:
    """Affine move with bilinear interpolation.

    Args:
        image: uint8 or float32 in [0, 1], [H, W, C].
        matrix: 2 x 3, from a place in the result to the place in `image` it is read from; (0, 0) is the upper
            left corner of the picture, so that the centre of the first pixel is (0.5, 0.5).
        fill: what lies outside, as a share of white.
    """
    height, width, channels = image.shape
    # cv2 counts from the centre of the first pixel
    centred = [[a, b, c + 0.5 * (a + b) - 0.5] for a, b, c in matrix]
    moved = [
        cv2.warpAffine(
            image[..., start : start + 4],  # a border value has at most four members
            np.array(centred),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(fill * full_range(image),) * 4,
        ).reshape(height, width, -1)
        for start in range(0, channels, 4)
    ]
    return moved[0] if len(moved) == 1 else np.concatenate(moved, axis=2)


def shear_x(image: np.ndarray, amount: float, fill: float) -> np.ndarray:
    """Rows slide left, each by `amount` times its distance from the upper edge."""
    return warp(image, [[1, amount, 0], [0, 1, 0]], fill)


def shear_y(image: np.ndarray, amount: float, fill: float) -> np.ndarray:
    """Columns slide up, each by `amount` times its distance from the left edge."""
    return warp(image, [[1, 0, 0], [amount, 1, 0]], fill)


def translate_x(image: np.ndarray, amount: float, fill: float) -> np.ndarray:
    """Move right by whole pixels; `amount` is cut off towards zero.

    >>> translate_x(np.array([[[10], [20], [30]]], np.uint8), 1.9, fill=0.0)[..., 0]
    array([[ 0, 10, 20]], dtype=uint8)
    """
    return warp(image, [[1, 0, -int(amount)], [0, 1, 0]], fill)


def translate_y(image: np.ndarray, amount: float, fill: float) -> np.ndarray:
    """Move down by whole pixels; `amount` is cut off towards zero."""
    return warp(image, [[1, 0, 0], [0, 1, -int(amount)]], fill)


def rotate(image: np.ndarray, amount: float, fill: float) -> np.ndarray:
    """Turn about the centre, counter-clockwise, by `amount` degrees."""
    height, width = image.shape[:2]
    cos, sin = math.cos(math.radians(amount)), math.sin(math.radians(amount))
    x, y = width / 2, height / 2
    return warp(image, [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]], fill)


def cutout(
    image: np.ndarray, amount: float, fill: float, place: tuple[float, float] = (0.5, 0.5)
) -> np.ndarray:
    """Paint over a square whose side is `amount` times the shorter side; it may stick out of the picture.

    Args:
        image: uint8 or float32, [H, W, C].
        amount: 0 to 1.
        fill: the square's value, as a share of white.
        place: its centre, (x, y) as shares of width and height.

    Source: DeVries and Taylor 2017, arXiv:1708.04552.

    >>> cutout(np.full((1, 4, 1), 9, np.uint8), 1.0, fill=0.0, place=(0.25, 0.5))[..., 0]
    array([[0, 9, 9, 9]], dtype=uint8)
    """
    height, width = image.shape[:2]
    side = round(amount * min(height, width))
    left, top = round(place[0] * width - side / 2), round(place[1] * height - side / 2)
    result = image.copy()
    rows, columns = slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side))
    result[rows, columns] = np.rint(fill * 255) if image.dtype == np.uint8 else fill
    return result
