"""Which region of a picture speaks for an output: by the last feature map of any network, else by its pixels."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.explain.feature_maps import Recorded, as_map, recorded_outputs

ENOUGH_CELLS = (
    16  # of a map; a coarser one says less than an earlier layer's, and is taken only where there is none
)


class ClassMaps(NamedTuple):
    """Where a network looks.

    Attributes:
        maps: float32 [Q, B, h, w] >= 0 on the CPU, in no unit; all 0 where no region speaks for the output.
        how: of which layer they are, in words.
    """

    maps: Tensor
    how: str


def class_maps(model: nn.Module, images: Tensor, columns: Tensor, signs: Tensor) -> ClassMaps | None:
    """Maps of what speaks for some outputs of each picture, one question after the other.

    The last feature map times the output's gradient, position by position, added up over channels, and only what is
    positive kept. Where the map is averaged into a linear head this is Grad-CAM; behind other poolings and in earlier
    layers Grad-CAM takes the mean of the gradient over positions, which loses where it came from (on digits with
    resnet18 an eighth of its maps were empty). The map is the last of at least 16 cells that the outputs depend on, of
    a whole block where there is one; of a transformer that is read from its class token, the last patch tokens that
    this token looks at. A network without any map is asked for its pixels: |gradient * pixel|, summed over channels
    and smoothed.

    In evaluation mode and float32, as half precision loses small gradients. The network is left as it was: modes and
    weights; parameters get no gradient.

    Args:
        model: images -> logits [B, C].
        images: normalised, [B, in_chans, H, W], on the model's device.
        columns: the outputs in question, int64 [Q, B].
        signs: 1 for what raises an output, -1 for what lowers it, [Q, B].

    Returns:
        None when the outputs have no gradient at all, as behind a `torch.no_grad()`.

    Source: Draelos and Carin 2020, arXiv:2011.08891 (HiResCAM); Selvaraju et al. 2017, arXiv:1610.02391 (Grad-CAM);
    Simonyan et al. 2014, arXiv:1312.6034, section 3 (gradient of the pixels).

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 8, stride=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    >>> found = class_maps(model, torch.rand(5, 1, 32, 32), torch.zeros(1, 5, dtype=torch.int64), torch.ones(1, 5))
    >>> found.maps.shape, found.how
    (torch.Size([1, 5, 4, 4]), 'class activation map of layer 0, 4 x 4 cells')
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.enable_grad(), recorded_outputs(model) as outputs:
            pixels = images.detach().clone().requires_grad_()
            # a network may work on its input in place, which autograd forbids on a leaf
            logits = model(pixels * 1).float()
            scores = [
                (sign * logits.gather(1, column[:, None])[:, 0]).sum()
                for column, sign in zip(columns.to(images.device), signs.to(images.device), strict=True)
            ]
        if not logits.requires_grad:
            return None
        return _activation_maps(model, scores, outputs, images) or _saliency(scores, pixels)
    finally:
        for module, mode in modes.items():
            module.training = mode


def _activation_maps(
    model: nn.Module, scores: list[Tensor], outputs: list[Recorded], images: Tensor
) -> ClassMaps | None:
    """Maps of the last layer that the scores depend on; None when there is none."""
    size, extra = (images.shape[2], images.shape[3]), _extra_tokens(model)
    for one in _by_preference(model, outputs, size, extra):
        gradients = [as_map(_gradient(score, one.output), size, extra) for score in scores]
        features = as_map(one.output, size, extra)
        assert features is not None
        if any(bool(gradient.any()) for gradient in gradients if gradient is not None):
            maps = torch.stack([_positive(features, gradient) for gradient in gradients])
            cells = " x ".join(map(str, features.shape[2:]))
            return ClassMaps(maps, f"class activation map of layer {one.name}, {cells} cells")
    return None


def _by_preference(
    model: nn.Module, outputs: list[Recorded], size: tuple[int, int], extra_tokens: int | None
) -> list[Recorded]:
    """The outputs that are maps, the last first, and behind them those of too few cells.

    Before the last map come those of whole blocks with as many cells: inside a block a shortcut passes by.
    """
    cells_of = [as_map(one.output, size, extra_tokens) for one in reversed(outputs)]
    pairs = [
        (one, features.shape[2:].numel())
        for one, features in zip(reversed(outputs), cells_of, strict=True)
        if features is not None and one.output.requires_grad
    ]
    # one cell is no map, and the picture itself is none of the network's
    fine = [(one, cells) for one, cells in pairs if ENOUGH_CELLS <= cells < size[0] * size[1]]
    coarse = [one for one, cells in pairs if 1 < cells < ENOUGH_CELLS]
    blocks = {name for name, module in model.named_modules() if any(True for _ in module.children())}
    first = [one for one, cells in fine if cells == fine[0][1] and one.name in blocks]
    return [*first, *(one for one, _ in fine), *coarse]


def _extra_tokens(model: nn.Module) -> int | None:
    """How many tokens a timm transformer puts in front of its patches; None where nothing tells."""
    told = [getattr(module, "num_prefix_tokens", None) for module in model.modules()]
    return next((count for count in told if isinstance(count, int)), None)


def _gradient(score: Tensor, output: Tensor) -> Tensor:
    gradient = torch.autograd.grad(score, output, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(output) if gradient is None else gradient


def _positive(features: Tensor, gradient: Tensor | None) -> Tensor:
    """What speaks for the score in each cell, [B, h, w]."""
    assert gradient is not None, "a gradient has the shape of its map"
    return (gradient.float() * features.detach().float()).sum(dim=1).relu().nan_to_num(0, 0, 0).cpu()


def _saliency(scores: list[Tensor], pixels: Tensor) -> ClassMaps:
    maps = []
    for score in scores:
        strength = (_gradient(score, pixels) * pixels).detach().abs().sum(dim=1, keepdim=True)
        maps.append(_smooth(strength.float()).nan_to_num(0, 0, 0)[:, 0].cpu())
    return ClassMaps(torch.stack(maps), "gradient of the pixels, smoothed: the network has no feature map")


def _smooth(maps: Tensor) -> Tensor:
    """A moving mean over an eighth of the shorter side, twice, [B, 1, H, W]."""
    side = min(maps.shape[2:]) // 16 * 2 + 1
    for _ in range(2):
        maps = F.avg_pool2d(maps, side, stride=1, padding=side // 2, count_include_pad=False)
    return maps
