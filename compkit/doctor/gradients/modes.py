"""Ways to run somebody's code so that its slope can be measured: in 64 bit, and without kinks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

CASTS = (Tensor.float, Tensor.half, Tensor.bfloat16, Tensor.to, Tensor.type, Tensor.type_as)
SHARPNESS = 10.0  # of the softplus in the place of ReLU: 0.07 above it at 0


class _KeepsDoubles(TorchFunctionMode):
    """A cast to fewer bits returns a copy in 64 bit: islands of fp32 would round the differences away."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func not in CASTS or not isinstance(result, Tensor) or args[0].dtype != torch.float64:
            return result
        is_rounded = result.is_floating_point() and result.dtype != torch.float64
        return args[0].clone() if is_rounded else result


class Smooth(TorchFunctionMode):
    """Functions with a kink are replaced by close ones without, so that what stays wrong is no kink.

    >>> with Smooth():
    ...     print(torch.nn.ReLU()(torch.zeros(1)))
    tensor([0.0693])
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        other = SMOOTHED.get(func)
        return func(*args, **kwargs) if other is None else other(*args, **kwargs)


def _softplus(inputs: Tensor, *_: object, **__: object) -> Tensor:
    return F.softplus(inputs, beta=SHARPNESS)


def _leaky(inputs: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return negative_slope * inputs + (1 - negative_slope) * _softplus(inputs)


def _average(
    inputs: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **options: Any
) -> Tensor:
    """In the place of a maximum over windows, of the same shape."""
    return F.avg_pool2d(inputs, kernel_size, stride, padding, bool(options.get("ceil_mode")))


SMOOTHED: dict[Callable[..., Any], Callable[..., Tensor]] = {
    **dict.fromkeys(
        (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.hardtanh), _softplus
    ),
    F.leaky_relu: _leaky,
    F.hardswish: lambda inputs, inplace=False: F.silu(inputs),
    F.hardsigmoid: lambda inputs, inplace=False: torch.sigmoid(inputs),
    F.max_pool2d: _average,
}


@contextmanager
def in_64_bit() -> Iterator[None]:
    """Inside, new tensors are float64 and float64 ones stay so, whatever a network casts them to.

    >>> with in_64_bit():
    ...     torch.zeros(1).float().dtype
    torch.float64
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _KeepsDoubles():
            yield
    finally:
        torch.set_default_dtype(before)
