"""What a network is made of: layers, output shapes, parameters, work and memory."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle

SUMMARY_HEADINGS = ("layer", "kind", "output", "parameters", "state", "MFLOPs")


class LayerRow(NamedTuple):
    """One layer, or a block of layers taken together.

    Attributes:
        name: as in `model.named_modules()`.
        kind: its class; `(own)` marks what a block holds or computes beside the layers listed below it.
        output_shape: of its last call, batch first; None when it was not called or returns no tensor.
        parameters: number of parameters; one shared with an earlier row is counted there.
        trainable: how many of these are trained.
        flops: floating-point operations; a multiply-add counts 2. Convolutions, matrix products and attention
            are counted, normalisations and activations are not: they are a few per cent at most.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    parameters: int
    trainable: int
    flops: int

    @property
    def state(self) -> str:
        """`trained`, `frozen`, `partly` trained, or nothing to train."""
        if self.parameters == 0:
            return ""
        return {self.parameters: "trained", 0: "frozen"}.get(self.trainable, "partly")

    def cells(self) -> tuple[str, ...]:
        """The row as text, one cell under each of SUMMARY_HEADINGS.

        >>> LayerRow("fc", "Linear", (1, 2), 2050, 0, 4096).cells()
        ('fc', 'Linear', '1 x 2', '2,050', 'frozen', '0.00')
        """
        shape = "" if self.output_shape is None else " x ".join(map(str, self.output_shape))
        flops = f"{self.flops / 1e6:,.2f}" if self.flops else ""
        return (self.name, self.kind, shape, f"{self.parameters:,}", self.state, flops)


class ModelSummary(NamedTuple):
    """A network's rows in order; they add up to the total.

    Attributes:
        rows: layers and blocks.
        total: the whole network.
        activation_bytes: what one training step keeps of the images for its backward pass, as measured in
            evaluation mode: without dropout's masks, and in the images' number format.
    """

    rows: list[LayerRow]
    total: LayerRow
    activation_bytes: int

    def describe(self) -> str:
        """The totals in one line."""
        total, mebibytes = self.total, self.activation_bytes / 2**20
        return (
            f"{total.parameters:,} parameters, {total.trainable:,} of them trained; "
            f"{total.flops / 1e9:.3f} GFLOPs forward (a multiply-add counts 2); "
            f"{mebibytes:.1f} MiB of activations kept for the backward pass"
        )


def summarise_model(model: nn.Module, images: Tensor, depth: int = 4) -> ModelSummary:
    """Layers, shapes, parameters, work and memory of a network, from two forward passes in evaluation mode.

    The network is left as it was: its modes, weights, running statistics and the random state.

    Args:
        model: takes `images`.
        images: [B, C, H, W], on the model's device; work and memory are those of all B together.
        depth: how deep layers are listed, >= 1; what lies deeper is one row with the block around it.

    Raises:
        ValueError: depth < 1.

    >>> summary = summarise_model(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.zeros(1, 4))
    >>> [(row.name, row.parameters, row.flops) for row in summary.rows]
    [('0', 15, 24), ('1', 0, 0)]
    """
    if depth < 1:
        raise ValueError(f"depth must be >= 1, got {depth}. Set depth=4, for example.")
    modes = {module: module.training for module in model.modules()}
    devices = [images.device] if images.is_cuda else []
    try:
        with torch.random.fork_rng(devices):
            model.eval()
            shapes, flops = _forward_counted(model, images)
            activation_bytes = _kept_for_backward(model, images)
    finally:
        for module, mode in modes.items():
            module.training = mode
    parameters = list(model.parameters())
    total = LayerRow("", type(model).__name__, shapes.get(""), *_counts(parameters), flops[""])
    return ModelSummary(list(_rows(model, depth, shapes, flops)), total, activation_bytes)


def _forward_counted(model: nn.Module, images: Tensor) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Output shape and FLOPs of every module that is called, by name; "" is the model."""
    shapes: dict[str, tuple[int, ...]] = {}

    def record(name: str, module: nn.Module) -> RemovableHandle:
        def hook(_: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        return module.register_forward_hook(hook)

    hooks = [record(name, module) for name, module in model.named_modules()]
    counter = FlopCounterMode(display=False)
    try:
        # attention as plain matrix products, which torch counts on every device
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    root = type(model).__name__
    flops = {
        name.removeprefix(root).removeprefix("."): sum(counts.values())
        for name, counts in counter.get_flop_counts().items()
        if name == root or name.startswith(f"{root}.")
    }
    return shapes, {"": counter.get_total_flops()} | flops


def _kept_for_backward(model: nn.Module, images: Tensor) -> int:
    """Bytes of the tensors that autograd saves, without the weights, each memory once."""
    weights = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(images)  # held until the sum is made, so that no memory is given out twice
        total = sum(kept.values())
        del output
    return total


def _rows(
    model: nn.Module, depth: int, shapes: dict[str, tuple[int, ...]], flops: dict[str, int]
) -> Iterator[LayerRow]:
    seen: set[nn.Parameter] = set()

    def walk(module: nn.Module, name: str, level: int) -> Iterator[LayerRow]:
        children = list(module.named_children()) if level < depth else []
        own = [one for one in module.parameters(recurse=not children) if one not in seen]
        seen.update(own)
        names = [f"{name}.{child}" if name else child for child, _ in children]
        work = flops.get(name, 0) - sum(flops.get(child, 0) for child in names)
        says_something = name in shapes and not children and not isinstance(module, nn.Identity)
        if own or work or says_something:
            kind = type(module).__name__ + (" (own)" if children else "")
            yield LayerRow(name, kind, shapes.get(name), *_counts(own), work)
        for child_name, (_, child) in zip(names, children, strict=True):
            yield from walk(child, child_name, level + 1)

    return walk(model, "", 0)


def _counts(parameters: list[nn.Parameter]) -> tuple[int, int]:
    """Numbers of parameters: all, and those that are trained."""
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)
