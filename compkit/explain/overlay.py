"""Maps drawn over the pictures they explain, and where in a picture a map lies."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

TILE_PX = 128  # longer side of a picture in a strip
GAP_PX = 4
STRENGTH = 0.75  # of the colour where a map is strongest
BORDER = 0.1  # of each side: the ring is 36 % of the area
CORNER = 0.25  # of each side: one corner is 6 % of the area


class Place(NamedTuple):
    """How much of a map's mass lies where, each in 0..1; an even map has 0.36 at the border, 0.06 in a corner."""

    border: float  # in the outer tenth of the sides
    corner: float  # in that corner, a quarter of the sides, which has most


def place_of(heat: np.ndarray) -> Place | None:
    """Where the mass of a map [h, w] >= 0 lies; None of an empty one.

    Measured on the map as it is drawn, interpolated to the size of a tile.

    >>> heat = np.zeros((8, 8), np.float32)
    >>> heat[0, 0] = 1
    >>> place = place_of(heat)
    >>> round(place.border, 2), round(place.corner, 2)
    (0.94, 1.0)
    """
    fine = cv2.resize(heat.astype(np.float32), (TILE_PX, TILE_PX), interpolation=cv2.INTER_LINEAR)
    total = float(fine.sum())
    if total <= 0:
        return None
    ring, box = round(BORDER * TILE_PX), round(CORNER * TILE_PX)
    ends = (slice(None, box), slice(-box, None))
    corner = max(float(fine[rows, columns].sum()) for rows in ends for columns in ends)
    return Place(1 - float(fine[ring:-ring, ring:-ring].sum()) / total, corner / total)


def strip(picture: np.ndarray, heats: Sequence[np.ndarray]) -> np.ndarray:
    """The picture, and beside it the same in grey under each map in colour, dark to bright yellow.

    Args:
        picture: uint8 [H, W, 3].
        heats: maps >= 0, each [h, w] of any size; each is drawn relative to its own maximum.

    Returns:
        uint8 [height, width, 3], tiles with a longer side of 128 pixels and a white gap between them.

    >>> strip(np.zeros((32, 16, 3), np.uint8), [np.ones((4, 2))]).shape
    (128, 132, 3)
    """
    height, width = picture.shape[:2]
    scale = TILE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    tile = cv2.resize(picture, size, interpolation=method)
    gap = np.full((tile.shape[0], GAP_PX, 3), 255, np.uint8)
    parts = [tile]
    for heat in heats:
        parts += [gap, _coloured(tile, heat)]
    return np.concatenate(parts, axis=1)


def _coloured(tile: np.ndarray, heat: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    if heat.max() <= 0:
        return grey
    fine = cv2.resize(heat.astype(np.float32), tile.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    fine = fine.clip(0) / fine.max()
    colours = cv2.applyColorMap((fine * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = STRENGTH * fine[..., None]
    mixed = (1 - weight) * grey + weight * cv2.cvtColor(colours, cv2.COLOR_BGR2RGB)
    return mixed.round().astype(np.uint8)
