"""Small pictures inside a page."""

import base64
from collections.abc import Callable

import cv2
import numpy as np

THUMBNAIL_PX = 128  # longest side
JPEG_QUALITY = 70

ImageOf = Callable[[str], np.ndarray | None]
"""Finds the picture of an id: uint8 [H, W, 3] RGB, or None when there is none."""


def thumbnail(image: np.ndarray) -> str:
    """The image, made small, as a data URI.

    Args:
        image: uint8 [H, W, 3], RGB.

    >>> thumbnail(np.zeros((400, 200, 3), np.uint8))[:23]
    'data:image/jpeg;base64,'
    """
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert done, f"JPEG of an array {image.shape} {image.dtype}"
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
