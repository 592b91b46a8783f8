"""One training step looked at from inside."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compkit.probes.histograms import BINS, log_histograms
from compkit.probes.layers import FUNCTIONS, MAX_LAYERS, WEIGHTED, Kind, Layer, evenly
from compkit.types import Targets

STATISTICS = (
    "activation_mean",
    "activation_std",
    "zero_share",  # of a non-linearity's values, those that are exactly 0
    "dead_share",  # of a rectifier's units that let nothing through for any of the pictures
    "saturated_share",  # of the values within 3 % of an end of their range
    "gradient_rms",  # of the step's gradient before clipping; 0 where none arrives
    "weight_rms",
    "update_ratio",  # root mean square of what the step changed, over that of the weights
    "not_finite",  # 1 where an activation, a gradient or a weight is infinite or no number
)
CALL = " > "  # between the layer that ran last and a function that was called behind it
PICTURES = 16  # of the micro-batch, whose activations are looked at
SATURATED = 0.97  # of the range
ENTRIES = 65_536  # of a tensor, beyond which only every n-th row is looked at
DRAWN = 8192  # entries whose zeros are counted
BINNED = 1024  # of those, entries of a histogram
FEWEST = 16  # values of a unit, below which "never above zero" says little


class Look(NamedTuple):
    """What a probed step showed, on the CPU."""

    names: list[str]  # L layers, in the order in which they ran; those that did not run come last
    kinds: list[str]
    statistics: Tensor  # float32 [L, S], in the order of STATISTICS; NaN where one has no meaning
    histograms: Tensor  # float16 [L, 2, 16], shares of |activations| and |gradients|, see `log_histograms`


class Seen(NamedTuple):
    """What a layer said in one call, still on the device."""

    kind: Kind
    mean: Tensor
    power: Tensor  # mean of the squares
    shares: (
        tuple[Tensor, Tensor, Tensor] | None
    )  # of zeros, dead units, saturated values; only of non-linearities
    drawn: Tensor  # some of the values


class LayerWatch:
    """Looks at one step; what is computed stays on the device until `look`, and nothing of the step is changed.

    Args:
        layers: what is looked at.
        with_activations: false for compiled networks, whose modules do not run.
        with_calls: whether to look for non-linearities that are no modules, which takes longer.

    Attributes:
        images, targets: what entered the network first, normalised and mixed; None before.
    """

    def __init__(
        self, layers: Sequence[Layer], with_activations: bool = True, with_calls: bool = True
    ) -> None:
        self.layers, self.with_activations, self.with_calls = layers, with_activations, with_calls
        self.images: Tensor | None = None
        self.targets: Targets | None = None
        self.weighted = [(one.name, one.tensor) for one in layers if one.tensor is not None]
        self.before = [sample(tensor).clone() for _, tensor in self.weighted]
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: the step starts again, as when memory ran out."""
        self.seen: dict[str, list[Seen]] = {}  # name -> its calls
        self.gradients: dict[str, int] = {}  # name -> row of the next two
        self.gradient_rms = self.gradient_spread = torch.empty(0)
        self._last, self._inside, self._unit_axis = "", False, 1

    @contextmanager
    def forward(self, images: Tensor, targets: Targets) -> Iterator[None]:
        """Inside it the network runs on images [B, C, H, W]."""
        self.images, self.targets = images.detach(), targets
        with ExitStack() as stack:
            if self.with_activations:
                for layer in self.layers:
                    if layer.is_leaf:
                        stack.callback(layer.module.register_forward_hook(self._leave(layer)).remove)
                        if layer.tensor is None:
                            stack.callback(layer.module.register_forward_pre_hook(self._enter).remove)
                if self.with_calls:
                    stack.enter_context(_Functions(self))
            yield

    def see_gradients(self) -> None:
        """Take note of the gradient of the whole step, which lies unscaled and unclipped in the parameters."""
        found = {name: sample(tensor.grad) for name, tensor in self.weighted if tensor.grad is not None}
        self.gradients = {name: row for row, name in enumerate(found)}
        if found:
            self.gradient_rms = rms(list(found.values()))
            self.gradient_spread = log_histograms([draw(one, BINNED) for one in found.values()])

    def look(self) -> Look:
        """What was seen, once the step has been taken."""
        kinds = {one.name: one.kind for one in self.layers}
        kinds |= {name: calls[0].kind for name, calls in self.seen.items()}
        names = evenly(list(self.seen), MAX_LAYERS)
        unseen = [one.name for one in self.layers if one.name not in self.seen]
        names += evenly(unseen, MAX_LAYERS - len(names))
        place = {name: number for number, name in enumerate(names)}
        device = self.before[0].device
        statistics = torch.full((len(names), len(STATISTICS)), torch.nan, device=device)
        histograms = torch.full((len(names), 2, BINS), torch.nan, device=device)
        measured = {
            0: self._fill_activations(place, statistics, histograms),
            5: self._fill_gradients(place, statistics, histograms),
            6: self._fill_weights(place, statistics),
        }
        statistics[:, -1] = is_broken(statistics, measured).float()
        said = [str(kinds[name]) for name in names]
        return Look(names, said, statistics.cpu(), histograms.to(torch.float16).cpu())

    def _fill_activations(self, place: dict[str, int], statistics: Tensor, histograms: Tensor) -> list[int]:
        """What layers said, the mean over the calls of a layer that ran more than once; returns their places."""
        seen = {place[name]: calls for name, calls in self.seen.items() if name in place}
        if not seen:
            return []
        calls = [one for some in seen.values() for one in some]
        none = statistics.new_full((3,), torch.nan)
        shares = [none if one.shares is None else torch.stack(one.shares) for one in calls]
        mean, power = (torch.stack([getattr(one, what) for one in calls]) for what in ("mean", "power"))
        std = (power - mean.square()).clamp(min=0).sqrt()
        table = torch.cat([torch.stack([mean, std], dim=1), torch.stack(shares)], dim=1)
        means = [part.mean(dim=0) for part in table.split([len(some) for some in seen.values()])]
        rows = list(seen)
        statistics[rows, :5] = torch.stack(means)
        histograms[rows, 0] = log_histograms([draw(some[0].drawn, BINNED) for some in seen.values()])
        return rows

    def _fill_gradients(self, place: dict[str, int], statistics: Tensor, histograms: Tensor) -> list[int]:
        """Gradients, 0 where none arrived and NaN of what is frozen; returns the places of those that arrived."""
        for name, tensor in self.weighted:
            if name in place and tensor.requires_grad:
                statistics[place[name], 5] = 0.0
        taken = [row for name, row in self.gradients.items() if name in place]
        rows = [place[name] for name in self.gradients if name in place]
        if rows:
            statistics[rows, 5] = self.gradient_rms[taken]
            histograms[rows, 1] = self.gradient_spread[taken]
        return rows

    def _fill_weights(self, place: dict[str, int], statistics: Tensor) -> list[int]:
        """Weights, and what the step changed; returns their places."""
        after = [sample(tensor) for _, tensor in self.weighted]
        weights, changes = rms(self.before), rms(torch._foreach_sub(after, self.before))
        trained = torch.tensor([tensor.requires_grad for _, tensor in self.weighted], device=weights.device)
        # of weights that are 0 a share means nothing
        ratios = torch.where(trained & (weights > 0), changes / weights, torch.nan)
        taken = [number for number, (name, _) in enumerate(self.weighted) if name in place]
        rows = [place[self.weighted[number][0]] for number in taken]
        statistics[rows, 6:8] = torch.stack([weights, ratios], dim=1)[taken]
        return rows

    def _enter(self, module: nn.Module, inputs: object) -> None:
        self._inside = True

    def _leave(self, layer: Layer) -> Any:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if layer.tensor is None:
                self._inside = False
            else:
                self._last = layer.name
                if layer.tensor.ndim > 1:
                    self._unit_axis = 1 if layer.tensor.ndim > 2 else -1
            self.see(layer.name, layer.kind, output)

        return hook

    def see_call(self, function: Any, output: object) -> None:
        """Take note of a non-linearity that is no module."""
        if function in FUNCTIONS and not self._inside:
            name = f"{self._last}{CALL}{function.__name__.strip('_')}"
            self.see(name, FUNCTIONS[function], output)

    @torch.no_grad()
    def see(self, name: str, kind: Kind, output: object) -> None:
        """Take note of what a layer said of the micro-batch."""
        if not isinstance(output, Tensor) or not output.is_floating_point() or output.ndim < 2:
            return
        values = output[:PICTURES].float()
        drawn = draw(values)
        shares = None if kind in WEIGHTED else shares_of(values, drawn, kind, self._unit_axis)
        # torch.std_mean takes 25 times as long on CPUs
        power = torch.linalg.vector_norm(values).square() / values.numel()
        self.seen.setdefault(name, []).append(Seen(kind, values.mean(), power, shares, drawn))


class _Functions(TorchFunctionMode):
    """Shows a watch the calls of functions, as a hook shows those of modules."""

    def __init__(self, watch: LayerWatch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.watch.see_call(func, output)
        return output


def shares_of(values: Tensor, drawn: Tensor, kind: Kind, unit_axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which share of a non-linearity's values is 0, of its units dead, of its values saturated.

    The gates of squeeze-and-excitation, maps of one cell, hardly differ from picture to picture, and stand open where
    their channel is useful: neither dead nor saturated means anything there.

    Args:
        values: [B, …], what it says of B pictures.
        drawn: some of the values, [n]: counting zeros takes longer than anything else here.
        kind: of the layer; a share that does not belong to it is NaN.
        unit_axis: along which the units lie.

    >>> values = torch.tensor([[0.0, 2.0], [0.0, 0.0]]).repeat(8, 1)
    >>> shares_of(values, values.flatten(), Kind.RECTIFIER, -1)
    (tensor(0.7500), tensor(0.5000), tensor(nan))
    """
    zeros = (drawn == 0).float().mean()
    dead = saturated = values.new_tensor(torch.nan)
    if values.shape[2:] == (1, 1):
        return zeros, dead, saturated
    if kind is Kind.RECTIFIER and values.numel() >= FEWEST * values.shape[unit_axis]:
        others = [axis for axis in range(values.ndim) if axis != unit_axis % values.ndim]
        dead = (values.amax(dim=others) <= 0).float().mean()
    elif kind is Kind.TANH:
        saturated = (drawn.abs() > SATURATED).float().mean()
    elif kind is Kind.SIGMOID:
        saturated = ((2 * drawn - 1).abs() > SATURATED).float().mean()
    elif kind is Kind.SOFTMAX:
        saturated = (values.amax(dim=-1) > SATURATED).float().mean()
    return zeros, dead, saturated


def sample(tensor: Tensor) -> Tensor:
    """Rows of a tensor, evenly spread, with at most about `ENTRIES` entries; a view.

    >>> sample(torch.zeros(1000, 131072 // 100)).shape[0] < 60, sample(torch.zeros(3)).shape
    (True, torch.Size([3]))
    """
    return tensor.detach()[:: max(1, -(-tensor.numel() // ENTRIES))] if tensor.ndim else tensor.detach()


def draw(tensor: Tensor, most: int = DRAWN) -> Tensor:
    """A copy of at most so many entries, evenly spread in the order of memory, float32 [n].

    >>> draw(torch.zeros(2, 100_000)).shape, draw(torch.zeros(3, 3)).shape
    (torch.Size([8000]), torch.Size([9]))
    """
    strides = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda axis: -strides[axis])
    flat = tensor.detach().permute(order).flatten()  # without a copy
    # an odd step, or it would meet the same channels or columns again and again. A view would keep the whole tensor in
    # memory until the step has been taken, and change where the next layer works in place
    return flat[:: -(-len(flat) // most) | 1].to(torch.float32, copy=True)


def rms(tensors: Sequence[Tensor]) -> Tensor:
    """The root mean square of each tensor's entries, float32 [L].

    >>> rms([torch.tensor([3.0, 4.0]), torch.tensor([2.0])])
    tensor([3.5355, 2.0000])
    """
    norms = torch._foreach_norm(list(tensors))
    sizes = torch.tensor([one.numel() for one in tensors], device=norms[0].device)
    return torch.stack([norm.float() for norm in norms]) / sizes.sqrt()


def is_broken(statistics: Tensor, measured: dict[int, list[int]]) -> Tensor:
    """Where something is infinite, or no number although it was measured, bool [L].

    Args:
        statistics: [L, S].
        measured: column -> rows that have a value there.

    >>> is_broken(torch.tensor([[torch.nan, 1.0], [torch.nan, 1.0], [2.0, torch.inf]]), {0: [1, 2]})
    tensor([False,  True,  True])
    """
    broken = torch.isinf(statistics).any(dim=1)
    for column, rows in measured.items():
        broken[rows] |= statistics[rows, column].isnan()
    return broken
