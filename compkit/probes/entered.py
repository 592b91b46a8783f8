"""What entered the network at the first step, from the tensor itself."""

import cv2
import numpy as np
import torch
from torch import Tensor

from compkit.data import Preprocessing, resized
from compkit.types import Targets

PICTURES, LONGEST_PX = 16, 96  # how many are kept, and how large


def entered(
    images: Tensor, targets: Targets, rows: Tensor, preprocessing: Preprocessing
) -> dict[str, np.ndarray]:
    """The step's first pictures made visible, their labels, and the tensor's numbers.

    Args:
        images: as the network got them, normalised and mixed, [B, C, H, W].
        targets: of these images.
        rows: their positions in the table, int64 [B].
        preprocessing: what normalised them.

    Returns:
        input_pictures uint8 [n, h, w, C], input_rows [n], input_labels [n] or [n, K]; where pictures are mixed,
        input_other as labels and input_share [n]; input_min, input_mean, input_max, input_std [C] of the whole
        tensor; input_shape [4]. Pictures without label, which come last, are left out of all but the numbers.
    """
    count = min(PICTURES, len(images) - targets.unlabelled)
    shown = targets.take(torch.arange(count, device=targets.labels.device))
    flat = images.float().transpose(0, 1).flatten(1)
    std, mean = torch.std_mean(flat, dim=1, correction=0)
    low, high = torch.aminmax(flat, dim=1)
    found = {
        "input_pictures": smaller(preprocessing.denormalise(images[:count])),
        "input_rows": rows[:count].cpu().numpy(),
        "input_labels": shown.labels.cpu().numpy(),
        "input_shape": np.array(images.shape),
    }
    if shown.other is not None and shown.share is not None:
        found |= {"input_other": shown.other.cpu().numpy(), "input_share": shown.share.cpu().numpy()}
    numbers = {"min": low, "mean": mean, "max": high, "std": std}
    return found | {f"input_{name}": value.cpu().numpy() for name, value in numbers.items()}


def smaller(pictures: np.ndarray) -> np.ndarray:
    """Pictures [n, H, W, C] with no side longer than `LONGEST_PX`.

    >>> smaller(np.zeros((2, 200, 100, 1), np.uint8)).shape
    (2, 96, 48, 1)
    """
    height, width = pictures.shape[1:3]
    scale = min(1.0, LONGEST_PX / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    return np.stack([resized(one, height, width, cv2.INTER_AREA) for one in pictures])
