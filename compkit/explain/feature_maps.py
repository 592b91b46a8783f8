"""The feature maps that a network makes on its way, whatever its layers are called and however they are laid out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST_EXTRA_TOKENS = 8  # class and register tokens in front of the patches' own
# attention's queries, keys and weights look like maps, and none of these makes a map that its neighbours do not
NO_MAPS = (nn.Linear, nn.Identity, nn.Dropout, nn.Softmax)


class Recorded(NamedTuple):
    """What a module returned."""

    name: str  # as in `model.named_modules()`
    output: Tensor


@contextmanager
def recorded_outputs(model: nn.Module) -> Iterator[list[Recorded]]:
    """The tensors that modules return while the block runs, in the order in which they do."""
    found: list[Recorded] = []

    def hook_of(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                found.append(Recorded(name, output))

        return modules[name].register_forward_hook(hook)

    modules = {name: one for name, one in model.named_modules() if not isinstance(one, NO_MAPS)}
    hooks = [hook_of(name) for name in modules]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def as_map(output: Tensor, image_size: tuple[int, int], extra_tokens: int | None = None) -> Tensor | None:
    """A module's output as a map with the picture's proportions; None when it is none.

    Maps come as [B, C, h, w], channels last, or as tokens [B, N, C] and [B, C, N, 1]. The two sides of a map are
    those with the picture's proportions, but for a cell's rounding; rows of tokens must make up a grid exactly.

    Args:
        output: of a module.
        image_size: height and width of the picture.
        extra_tokens: tokens in front of those of the patches; None tries up to 8.

    Returns:
        [B, C, h, w], a view of `output`.

    >>> tokens = torch.zeros(2, 197, 768)
    >>> as_map(tokens, (224, 224)).shape, as_map(torch.zeros(2, 7, 7, 96), (224, 224)).shape
    (torch.Size([2, 768, 14, 14]), torch.Size([2, 96, 7, 7]))
    >>> as_map(torch.zeros(2, 512), (224, 224)) is None
    True
    """
    if output.ndim == 3:
        return _from_tokens(output, image_size, extra_tokens)
    if output.ndim != 4:
        return None
    if _has_proportions(output.shape[2], output.shape[3], image_size):
        return output
    if output.shape[3] == 1:
        return _from_tokens(output.squeeze(3).transpose(1, 2), image_size, 0)
    if _has_proportions(output.shape[1], output.shape[2], image_size):
        return output.permute(0, 3, 1, 2)
    return None


def _has_proportions(height: int, width: int, image_size: tuple[int, int]) -> bool:
    return abs(height * image_size[1] - width * image_size[0]) <= max(image_size)


def _from_tokens(tokens: Tensor, image_size: tuple[int, int], extra_tokens: int | None) -> Tensor | None:
    for extra in range(MOST_EXTRA_TOKENS + 1) if extra_tokens is None else (extra_tokens,):
        count = tokens.shape[1] - extra
        height = round((max(count, 0) * image_size[0] / image_size[1]) ** 0.5)
        if height and count % height == 0 and height * image_size[1] == count // height * image_size[0]:
            return tokens[:, extra:].transpose(1, 2).unflatten(2, (height, count // height))
    return None
