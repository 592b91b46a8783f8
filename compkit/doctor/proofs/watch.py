"""What happens inside a network during a pass, without touching it."""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compkit.types import Outputs

RECTIFIERS = {F.relu, torch.relu, Tensor.relu, torch.relu_, Tensor.relu_, F.relu6, F.hardtanh}
SMOOTH = {F.gelu, F.silu, F.mish}  # next to 0 rather than 0 where they are dead
GATES = {
    torch.sigmoid: (0.02, 0.98),
    Tensor.sigmoid: (0.02, 0.98),
    torch.tanh: (-0.98, 0.98),
    Tensor.tanh: (-0.98, 0.98),
}
NEXT_TO_ZERO = 1e-3


class Watch:
    """Inside it, the modes in which modules run, the input of the first layer and the last layer are noted.

    Attributes:
        flags: whether each module that ran was in training mode, by its name.
        first: input of the first layer with weights, a copy, [B, …].
        is_behind_norm: whether a norm ran before that layer.
        first_layer, last: the first module with weights of its own that ran, and the last that holds no others.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1)).eval()
    >>> with Watch(model) as watch:
    ...     _ = model(torch.ones(1, 2))
    >>> watch.flags, watch.first.tolist()
    ({'': False, '0': False, '1': False}, [[1.0, 1.0]])
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.flags: dict[str, bool] = {}
        self.first: Tensor | None = None
        self.is_behind_norm = False
        self.first_layer: nn.Module | None = None
        self.last: nn.Module | None = None
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, module in self.model.named_modules():
            self._handles.append(module.register_forward_pre_hook(self._before(name)))
            self._handles.append(module.register_forward_hook(self._after))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, name: str) -> Callable[[nn.Module, Any], None]:
        def note(module: nn.Module, inputs: Any) -> None:
            self.flags[name] = module.training
            if self.first is None and isinstance(module, nn.modules.batchnorm._NormBase):
                self.is_behind_norm = True
            is_layer = any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
            if self.first is None and is_layer and inputs and isinstance(inputs[0], Tensor):
                self.first, self.first_layer = inputs[0].detach().clone(), module

        return note

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        own = any(True for _ in module.parameters(recurse=False))
        # a network with tokens of its own ends after its head
        if own and not any(True for _ in module.children()) and isinstance(output, Tensor | Outputs):
            self.last = module


class Units(TorchFunctionMode):
    """Inside it, activations are counted: units that are silent for all samples, and saturated values of gates.

    Attributes:
        units, dead: of all activations so far.
        layers: units and dead units of each activation, in the order in which they ran.
        gated, saturated: values of sigmoid and tanh, and those of them at an end.

    >>> with Units() as units:
    ...     _ = torch.relu(torch.tensor([[1.0, -1.0], [2.0, -3.0]]))
    >>> units.units, units.dead
    (2, 1)
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[tuple[int, int]] = []
        self.gated = self.saturated = 0

    @property
    def units(self) -> int:
        return sum(units for units, _ in self.layers)

    @property
    def dead(self) -> int:
        return sum(dead for _, dead in self.layers)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in RECTIFIERS:
            self._count(result.detach() > 0)
        elif func in SMOOTH:
            self._count(result.detach().abs() > NEXT_TO_ZERO)
        elif func in GATES:
            low, high = GATES[func]
            values = result.detach()
            self.gated += values.numel()
            self.saturated += int(((values < low) | (values > high)).sum())
        return result

    def _count(self, active: Tensor) -> None:
        """Channels lie behind the samples in maps, and last in everything else."""
        if active.ndim < 2:
            return
        channels = 1 if active.ndim == 4 else active.ndim - 1
        alive = active.movedim(channels, 0).flatten(1).any(dim=1)
        self.layers.append((len(alive), int((~alive).sum())))
