"""Pictures side by side with a line of text each, drawn as they are."""

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from compkit.data import Preprocessing
from compkit.types import Targets, Task

SMALLEST_PX = 112  # smaller pictures are enlarged by a whole factor, pixels staying squares
TEXT_LINE_PX = 16
LETTER_PX = 8  # of cv2's simplex font at this scale, about
MARGIN_PX = 6


def denormalise(images: Tensor, preprocessing: Preprocessing) -> np.ndarray:
    """What enters the network as pictures to look at; see `Preprocessing.denormalise`.

    Args:
        images: normalised, [B, C, H, W].
        preprocessing: what normalised them.

    Returns:
        uint8 [B, H, W, 3]; one channel is shown grey, of more than three the first three.

    >>> import torch
    >>> box = Preprocessing(1, 1, 1, False, None, (0.5,), (0.5,))
    >>> denormalise(torch.tensor([[[[0.2]]]]), box)
    array([[[[153, 153, 153]]]], dtype=uint8)
    """
    return visible(preprocessing.denormalise(images))


def visible(images: np.ndarray) -> np.ndarray:
    """Any number of channels as three: uint8 [B, H, W, C] -> [B, H, W, 3]."""
    return images[..., [0, 0, 0]] if images.shape[3] < 3 else images[..., :3]


def label_texts(targets: Targets, classes: Sequence[str], task: Task) -> list[str]:
    """A line for each image: its classes or values; of mixed images both, with their shares.

    >>> import torch
    >>> mixed = Targets(torch.tensor([0, 1]), share=torch.tensor([0.75, 1.0]), other=torch.tensor([1, 0]))
    >>> label_texts(mixed, ["cat", "dog"], Task.MULTICLASS)
    ['75% cat + 25% dog', 'dog']
    """
    (labels, share), *mixed_in = targets.parts()
    own = [_label(label, classes, task) for label in labels.cpu().numpy()]
    if share is None:
        return own
    other = [_label(label, classes, task) for label in mixed_in[0][0].cpu().numpy()]
    return [
        first if kept == 1 else f"{kept:.0%} {first} + {1 - kept:.0%} {second}"
        for first, second, kept in zip(own, other, share.tolist(), strict=True)
    ]


def _label(label: np.ndarray, classes: Sequence[str], task: Task) -> str:
    if task == Task.MULTICLASS:
        return str(classes[int(label)])
    if task == Task.MULTILABEL:
        return ", ".join(str(name) for name, value in zip(classes, label, strict=True) if value > 0.5) or "-"
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(label))


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], texts: Sequence[str], titles: Sequence[str] = (), columns: int = 8
) -> np.ndarray:
    """Pictures in columns, those of one sample below each other, its text under them.

    Args:
        rows: variants of the same B samples, each uint8 [H, W, 3]; sizes may differ.
        texts: one a sample.
        titles: lines above the sheet.
        columns: samples beside each other.

    Returns:
        uint8 [height, width, 3].

    >>> contact_sheet([np.zeros((3, 112, 112, 3), np.uint8)], ["a", "b", "c"], columns=2).shape
    (308, 242, 3)
    """
    tiles = [_tile([images[number] for images in rows], text) for number, text in enumerate(texts)]
    height, width = (max(tile.shape[axis] for tile in tiles) + MARGIN_PX for axis in (0, 1))
    top = MARGIN_PX + TEXT_LINE_PX * len(titles)
    lines = -(-len(tiles) // columns)
    sheet = _white(top + lines * height, MARGIN_PX + min(columns, len(tiles)) * width)
    for number, title in enumerate(titles):
        _write(sheet, title, MARGIN_PX, TEXT_LINE_PX * number)
    for number, tile in enumerate(tiles):
        line, column = divmod(number, columns)
        _paste(sheet, tile, MARGIN_PX + column * width, top + line * height)
    return sheet


def _tile(images: Sequence[np.ndarray], text: str) -> np.ndarray:
    """One sample: its pictures and two lines of text."""
    large = [_enlarged(image) for image in images]
    width = max(image.shape[1] for image in large)
    tile = _white(sum(image.shape[0] + 1 for image in large) + 2 * TEXT_LINE_PX, width)
    y = 0
    for image in large:
        _paste(tile, image, 0, y)
        y += image.shape[0] + 1
    letters = max(4, width // LETTER_PX)
    for number, line in enumerate(textwrap.wrap(text, letters, max_lines=2, placeholder="..")):
        _write(tile, line, 0, y + TEXT_LINE_PX * number)
    return tile


def _white(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def _paste(sheet: np.ndarray, image: np.ndarray, x: int, y: int) -> None:
    sheet[y : y + image.shape[0], x : x + image.shape[1]] = image


def _enlarged(image: np.ndarray) -> np.ndarray:
    factor = max(1, -(-SMALLEST_PX // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _write(sheet: np.ndarray, text: str, x: int, y: int) -> None:
    """A line whose upper left corner is (x, y); cv2's font has ASCII letters only, others become '?'."""
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(
        sheet, shown, (x, y + TEXT_LINE_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA
    )
