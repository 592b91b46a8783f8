"""Slopes by the difference of two values, and how far gradients are from them."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

STEP = 1e-5
TINY = 1e-8  # slopes below it drown in rounding, as objectives are of size 1 and steps 1e-5
ENTRIES = 6
WRONG, DOUBTFUL, SHARE = 1e-2, 1e-4, 0.05
DIRECTIONS = 3
TOGETHER = 1e-3  # error of many tensors at once: one of N that is wrong by a tenth moves it by 0.1 / sqrt(N)


class Fit(NamedTuple):
    """How far gradients are from slopes.

    Attributes:
        errors: relative errors of the entries looked at, of each tensor by name; none where all slopes were tiny.
    """

    errors: dict[str, np.ndarray]

    @property
    def all(self) -> np.ndarray:
        return np.concatenate([*self.errors.values(), np.zeros(0)])

    @property
    def median(self) -> float:
        return float(np.median(self.all)) if len(self.all) else 0.0

    @property
    def share(self) -> float:
        """Of entries that are wrong."""
        return float((self.all > WRONG).mean()) if len(self.all) else 0.0

    def wrong(self, factor: float = 1.0) -> list[str]:
        """The tensors of whose entries more than half are wrong."""
        return [
            name for name, one in self.errors.items() if len(one) and float(np.median(one)) > WRONG * factor
        ]

    def is_good(self, factor: float = 1.0) -> bool:
        """Whether nothing speaks against the gradients, kinks aside."""
        return self.median <= DOUBTFUL * factor and self.share <= SHARE and not self.wrong(factor)


def relative_error(slope: float, gradient: float, tiny: float = TINY) -> float | None:
    """|slope - gradient| over the larger of the two; None where both are tiny.

    >>> relative_error(2.0, 1.0), relative_error(1e-9, 0.0) is None
    (0.5, True)
    """
    largest = max(abs(slope), abs(gradient))
    return None if largest < tiny else abs(slope - gradient) / largest


def entries_of(gradient: Tensor, count: int, generator: torch.Generator) -> list[tuple[int, ...]]:
    """Which entries to look at: half where the gradient is largest, half anywhere.

    Where it is largest kinks hardly show; anywhere else it may be 0 and should not.

    >>> entries_of(torch.tensor([[0.0, 3.0]]), 1, torch.Generator())
    [(0, 1)]
    """
    size = gradient.abs().flatten()
    largest = size.topk(min((count + 1) // 2, len(size))).indices
    anywhere = torch.randperm(len(size), generator=generator)[:count]
    picked = list(dict.fromkeys([*largest.tolist(), *anywhere.tolist()]))[:count]
    return [tuple(int(one) for one in np.unravel_index(entry, gradient.shape)) for entry in picked]


@torch.no_grad()
def slope_at(value: Callable[[], Tensor], tensor: Tensor, entry: tuple[int, ...], step: float) -> float:
    """Of `value` in one entry of a tensor, which is left as it was.

    >>> weight = torch.tensor([3.0], dtype=torch.float64)
    >>> round(slope_at(lambda: weight.square().sum(), weight, (0,), 1e-5), 6)
    6.0
    """
    before = tensor[entry].item()
    tensor[entry] = before + step
    high = value().item()
    tensor[entry] = before - step
    low = value().item()
    tensor[entry] = before
    return (high - low) / (2 * step)


@torch.no_grad()
def slope_along(
    value: Callable[[], Tensor], tensors: list[Tensor], directions: list[Tensor], step: float
) -> float:
    """Of `value` along a direction through several tensors at once, which are left as they were."""
    before = [tensor.clone() for tensor in tensors]
    torch._foreach_add_(tensors, directions, alpha=step)
    high = value().item()
    torch._foreach_add_(tensors, directions, alpha=-2 * step)
    low = value().item()
    for tensor, kept in zip(tensors, before, strict=True):
        tensor.copy_(kept)
    return (high - low) / (2 * step)


def compare(
    value: Callable[[], Tensor],
    tensors: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    entries: int = ENTRIES,
    step: float = STEP,
    most_wrong: float = math.inf,
) -> Fit:
    """Hold gradients against slopes in some entries of each tensor; give up behind `most_wrong` wrong ones."""
    generator, errors, wrong = torch.Generator().manual_seed(0), {}, 0
    for name, tensor in tensors.items():
        if wrong > most_wrong:
            break
        gradient = gradients[name]
        found = [
            relative_error(slope_at(value, tensor, entry, step), gradient[entry].item(), TINY * STEP / step)
            for entry in entries_of(gradient, entries, generator)
        ]
        errors[name] = np.array([one for one in found if one is not None])
        wrong += int((errors[name] > WRONG).sum())
    return Fit(errors)


def compare_together(
    value: Callable[[], Tensor],
    tensors: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    times: int,
    step: float = STEP,
) -> np.ndarray:
    """Relative errors along random directions through all the tensors at once.

    Each direction is scaled so that all tensors add about as much to the slope, so that one wrong gradient among N
    right ones moves it by about 1 / sqrt(N).
    """
    generator, names = torch.Generator().manual_seed(0), list(tensors)
    sizes = {name: float(gradients[name].norm()) for name in names}
    typical = float(np.median(list(sizes.values()))) if names else 0.0
    errors = []
    for _ in range(times if names else 0):
        signs = [torch.randint(0, 2, tensors[name].shape, generator=generator) * 2.0 - 1 for name in names]
        scales = [min(1.0, typical / sizes[name]) if sizes[name] else 1.0 for name in names]
        ways = [sign.double() * scale for sign, scale in zip(signs, scales, strict=True)]
        gradient = sum(float((gradients[name] * way).sum()) for name, way in zip(names, ways, strict=True))
        slope = slope_along(value, [tensors[name] for name in names], ways, step)
        # the parts may cancel out by chance: measured against what they usually add up to
        usual = typical * len(names) ** 0.5
        if max(abs(slope), usual) > TINY * STEP / step:
            errors.append(abs(slope - gradient) / max(abs(slope), abs(gradient), usual))
    return np.array(errors)


def gradients_of(value: Tensor, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Autograd's gradients, zeros where none arrives."""
    if not value.requires_grad:  # the graph was cut
        return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    found = torch.autograd.grad(value, list(tensors.values()), allow_unused=True)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(tensors.items(), found, strict=True)
    }
