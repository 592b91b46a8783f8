"""The filters that look at the picture itself."""

import numpy as np
import torch
from torch import Tensor, nn

MOST, LONGEST_PX = 64, 16  # filters that are kept, and their side; of larger ones every n-th pixel


def first_filters(model: nn.Module) -> Tensor | None:
    """The weights of the first convolution over a plane, [F, C, h, w], where a filter has pixels beside each other."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.weight.detach() if min(module.kernel_size) > 1 else None
    return None


def kept_filters(filters: Tensor) -> Tensor:
    """The first of them and not too large, float16 on the CPU."""
    step = -(-max(filters.shape[2:]) // LONGEST_PX)
    return filters[:MOST, :, ::step, ::step].to(torch.float16).cpu()


def smoothness(filters: Tensor) -> float:
    """How alike neighbouring pixels of filters are: their correlation, the filters' means taken off.

    Filters that have learnt edges and colours are smooth, 0.3 and more; noise is about -0.1 for 3 x 3 pixels and
    nearer to 0 for larger ones.

    >>> round(smoothness(torch.arange(9.0).view(1, 1, 3, 3)), 2)
    0.33
    """
    centred = filters.float() - filters.float().mean(dim=(2, 3), keepdim=True)
    power = centred.square().sum()
    down = (centred[..., 1:, :] * centred[..., :-1, :]).sum()
    across = (centred[..., :, 1:] * centred[..., :, :-1]).sum()
    return float((down + across) / (2 * power)) if power > 0 else float("nan")


def tiles(filters: np.ndarray, columns: int = 8, enlarge: int = 4) -> np.ndarray:
    """Filters [F, C, h, w] beside each other as one picture, uint8 [H, W, 3]; each spans black to white.

    Of one or more than three channels the first is shown grey.

    >>> tiles(np.zeros((9, 3, 7, 7))).shape
    (68, 260, 3)
    """
    shown = filters.astype(np.float32)
    shown = shown if shown.shape[1] == 3 else shown[:, :1].repeat(3, axis=1)
    low, high = (
        extreme(shown.reshape(len(shown), -1), axis=1)[:, None, None, None] for extreme in (np.min, np.max)
    )
    pixels = np.where(high > low, (shown - low) / np.where(high > low, high - low, 1), 0.5)
    pixels = pixels.transpose(0, 2, 3, 1).repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    height, width = pixels.shape[1] + 4, pixels.shape[2] + 4
    sheet = np.full((-(-len(shown) // columns) * height + 4, columns * width + 4, 3), 0.5, np.float32)
    for number, tile in enumerate(pixels):
        y, x = number // columns * height + 4, number % columns * width + 4
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return (sheet * 255).round().astype(np.uint8)
