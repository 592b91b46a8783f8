"""What sampled pictures look like: size, channels, depth, whether they are masks."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

SAMPLED = 12
MOST_CHANNELS = 16  # an array [C, H, W] is told from [H, W, C] by a short first side
MASK_VALUES = 6  # a mask has hardly more different pixel values


class Looks(NamedTuple):
    """The sampled pictures of one kind.

    Attributes:
        height, width: the median, pixels.
        channels: 1, 3 or 4; more for npy.
        bits: of a pixel, 8, 16 or 32.
        largest: pixel value seen.
        is_grey: all channels are the same.
        is_mask: hardly any different pixel values.
        is_stack: each channel is a measurement of its own, of an array or the pages of a tif: none is transparency.
        files: how many could be read.
    """

    height: int
    width: int
    channels: int
    bits: int
    largest: float
    is_grey: bool
    is_mask: bool
    files: int
    is_stack: bool = False

    @property
    def pixels(self) -> int:
        """Of one picture."""
        return self.height * self.width


def look_at(root: Path, paths: Sequence[str]) -> Looks | None:
    """Read a few pictures; None when none of them can be read.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = cv2.imwrite(str(folder / "a.png"), np.full((4, 6, 3), np.arange(6)[:, None] * 40, np.uint8))
    >>> look_at(folder, ["a.png"])[:4]
    (4, 6, 3, 8)
    """
    chosen = (
        [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, SAMPLED).astype(int))]
        if paths
        else []
    )
    images = [image for path in chosen if (image := _read(root / path)) is not None]
    if not images:
        return None
    planes = [image if image.ndim == 3 else image[..., None] for image in images]
    values = [len(np.unique(plane[..., :3].reshape(-1, min(3, plane.shape[2])), axis=0)) for plane in planes]
    return Looks(
        height=int(np.median([plane.shape[0] for plane in planes])),
        width=int(np.median([plane.shape[1] for plane in planes])),
        channels=max(plane.shape[2] for plane in planes),
        bits=max(plane.dtype.itemsize * 8 for plane in planes),
        largest=float(max(plane.max() for plane in planes)),
        is_grey=all((plane[..., :3] == plane[..., :1]).all() for plane in planes),
        is_mask=max(values) <= MASK_VALUES and all(_is_patchy(plane[..., 0]) for plane in planes),
        files=len(images),
        is_stack=chosen[0].lower().endswith((".npy", ".tif", ".tiff")) and planes[0].shape[2] not in (1, 3),
    )


def is_larger(one: Looks, other: Looks) -> bool:
    """Clearly more pixels."""
    return one.pixels > 1.05 * other.pixels


def _is_patchy(plane: np.ndarray) -> bool:
    """Whether only background and foreground are there: black is among the values, or there is one value."""
    values = np.unique(plane)
    return len(values) <= MASK_VALUES and (0 in values)


def _read(path: Path) -> np.ndarray | None:
    """Pixels as stored, [H, W] or [H, W, C]; grey pages are channels; None when damaged."""
    try:
        if path.suffix.lower() == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if array.ndim not in (2, 3) or not array.size:
                return None
            first = array.ndim == 3 and array.shape[0] <= MOST_CHANNELS < array.shape[2]
            return np.moveaxis(array, 0, -1) if first else np.asarray(array)
        data = np.frombuffer(path.read_bytes(), np.uint8)
        if not len(data):
            return None
        if path.suffix.lower() in (".tif", ".tiff"):
            pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)[1]
            grey = len(pages) > 1 and all(page.shape == pages[0].shape and page.ndim == 2 for page in pages)
            return np.stack(pages, axis=-1) if grey else next(iter(pages), None)
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error, EOFError, struct.error):
        return None


def suggested_size(looks: Looks) -> int:
    """A training size for pictures of a size: theirs up to 224, in steps of 32.

    >>> suggested_size(Looks(512, 700, 3, 8, 255, False, False, 1))
    224
    """
    return int(min(224, max(32, round(min(looks.height, looks.width) / 32) * 32)))
