"""Which parts of a network are looked at."""

from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import numpy as np
import timm.layers
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit.models import AngularHead

T = TypeVar("T")
MAX_LAYERS = 150  # of a network; of more, so many evenly over its depth


class Kind(StrEnum):
    """What a layer is, which says what its numbers mean."""

    WEIGHTS = "weights"  # a matrix, or filters
    ANGULAR = "angular"  # weights of which only the direction counts
    VECTOR = "vector"  # scales and offsets: of a norm, or for themselves
    RECTIFIER = "rectifier"  # (nearly) nothing passes below zero: ReLU, GELU, SiLU
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


WEIGHTED = (Kind.WEIGHTS, Kind.ANGULAR, Kind.VECTOR)


class Layer(NamedTuple):
    """A module with weights of its own, or a non-linearity."""

    name: str  # of the module in the network
    kind: Kind
    module: nn.Module
    is_leaf: bool  # its output is its own doing
    tensor: nn.Parameter | None  # the largest of its own parameters


RECTIFIERS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    timm.layers.GELU,
    timm.layers.GELUTanh,
    timm.layers.QuickGELU,
    timm.layers.Swish,
    timm.layers.Mish,
)
BOUNDED: dict[Kind, tuple[type[nn.Module], ...]] = {
    Kind.TANH: (nn.Tanh, timm.layers.Tanh),
    Kind.SIGMOID: (nn.Sigmoid, timm.layers.Sigmoid),
    Kind.SOFTMAX: (nn.Softmax,),
}
# what a `forward` may call instead of a module
FUNCTIONS: dict[Any, Kind] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), Kind.RECTIFIER),
    **dict.fromkeys((F.relu6, F.gelu, F.silu, F.mish), Kind.RECTIFIER),
    **dict.fromkeys((torch.tanh, Tensor.tanh), Kind.TANH),
    **dict.fromkeys((torch.sigmoid, Tensor.sigmoid), Kind.SIGMOID),
}


def choose_layers(model: nn.Module, most: int = MAX_LAYERS) -> list[Layer]:
    """Every module that has parameters of its own, and every non-linearity, in the network's own order.

    Args:
        model: the network.
        most: of more layers, so many evenly over the depth are taken; the first and the last always.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    >>> [(layer.name, str(layer.kind)) for layer in choose_layers(net)]
    [('0', 'weights'), ('1', 'vector'), ('2', 'rectifier')]
    """
    found = []
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        tensor = max(own, key=lambda one: one.numel(), default=None)
        kind = activation_kind(module) if tensor is None else weight_kind(module, tensor)
        if kind is not None:
            found.append(Layer(name or "network", kind, module, not list(module.children()), tensor))
    return evenly(found, most)


def evenly(items: list[T], most: int) -> list[T]:
    """At most so many items, evenly spread in their order; of two or more the first and the last are kept.

    >>> evenly([0, 1, 2, 3, 4], 3), evenly([0, 1], 3), evenly([0, 1], 0)
    ([0, 2, 4], [0, 1], [])
    """
    if len(items) <= most:
        return items
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def activation_kind(module: nn.Module) -> Kind | None:
    """Of a non-linearity; None of anything else."""
    if isinstance(module, RECTIFIERS):
        return Kind.RECTIFIER
    return next((kind for kind, types in BOUNDED.items() if isinstance(module, types)), None)


def weight_kind(module: nn.Module, tensor: Tensor) -> Kind:
    """Of a module by its largest parameter."""
    if isinstance(module, AngularHead):
        return Kind.ANGULAR
    return Kind.WEIGHTS if sum(side > 1 for side in tensor.shape) > 1 else Kind.VECTOR
