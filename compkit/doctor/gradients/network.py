"""A network and a loss as plain functions of tensors, which give the same number for the same tensors."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from compkit.losses import Circle, Loss, WeightedSum, WithTeacher, as_outputs
from compkit.randomness import seed_everything
from compkit.types import Outputs, Targets

OURS = ("compkit", "timm", "torch", "torchvision")
TENSORS, BLOCK = 12, 8


def to_64_bit(targets: Targets) -> Targets:
    """The targets on the CPU, numbers among them in 64 bit."""
    further = {name: to_64_bit(one) for name, one in (targets.auxiliary or {}).items()}
    taught = targets.taught
    if taught is not None:
        features = tuple(one.cpu().double() for one in taught.features)
        taught = taught._replace(logits=taught.logits.cpu().double(), features=features)
    labels = targets.labels.cpu()
    return Targets(
        labels.double() if labels.is_floating_point() else labels,
        auxiliary=further or None,
        taught=taught,
        unlabelled=targets.unlabelled,
    )


def make_steady(model: nn.Module) -> None:
    """Training mode without what draws or gathers: no dropout, no skipped branches, norms by their statistics."""
    model.train()
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.training = False
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if isinstance(getattr(module, "drop_prob", None), float):  # of timm's stochastic depth
            module.drop_prob = 0.0  # type: ignore[assignment]


@torch.no_grad()
def move_constants(model: nn.Module, size: float = 0.1) -> None:
    """Add noise to weights that all start equal: behind a scale of 0 no gradient would arrive to be looked at."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        is_constant = parameter.numel() > 1 and float(parameter.max() - parameter.min()) == 0
        if is_constant or float(parameter.abs().max()) == 0:
            parameter.add_(size * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))


@torch.no_grad()
def move_all(model: nn.Module, size: float = 0.01) -> None:
    """Add noise to all weights, in units of their spread, to leave a kink that they may sit on."""
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        if parameter.numel() > 1:
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(size * parameter.std() * noise)


def tensors_of(outputs: Outputs) -> dict[str, Tensor]:
    """The tensors of outputs by name.

    >>> list(tensors_of(Outputs(torch.zeros(1, 2), margin=(torch.zeros(1, 2),))))
    ['logits', 'margin 0']
    """
    found = {"logits": outputs.logits}
    if outputs.features is not None:
        found["features"] = outputs.features
    found |= {f"margin {number}": one for number, one in enumerate(outputs.margin)}
    found |= {f"views {number}": one for number, one in enumerate(outputs.views)}
    return found | {f"auxiliary {name}": one for name, one in (outputs.auxiliary or {}).items()}


def outputs_of(tensors: dict[str, Tensor]) -> Outputs:
    """The inverse of `tensors_of`."""

    def numbered(kind: str) -> tuple[Tensor, ...]:
        return tuple(one for name, one in tensors.items() if name.startswith(f"{kind} "))

    auxiliary = {
        name.removeprefix("auxiliary "): one for name, one in tensors.items() if name.startswith("aux")
    }
    return Outputs(
        tensors["logits"],
        features=tensors.get("features"),
        margin=numbered("margin"),
        views=numbered("views"),
        auxiliary=auxiliary or None,
    )


class SteadyNetwork:
    """A network that gives the same outputs whenever its weights are the same.

    Its buffers are put back and all generators seeded before each pass.
    """

    def __init__(self, model: nn.Module, images: Tensor, targets: Targets) -> None:
        self.model, self.images, self.targets = model, images, targets
        self.buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self.kept = [buffer.clone() for buffer in self.buffers]

    def outputs(self) -> dict[str, Tensor]:
        seed_everything(0)
        with torch.no_grad():
            for buffer, kept in zip(self.buffers, self.kept, strict=True):
                buffer.copy_(kept)
        return tensors_of(as_outputs(self.model(self.images, self.targets)))

    def objective(self, reads: list[str]) -> Callable[[], Tensor]:
        """One number of size 1: what the loss reads of the outputs, added up with fixed random weights."""
        generator, weights = torch.Generator().manual_seed(0), {}
        with torch.no_grad():
            for name, one in self.outputs().items():
                weight = torch.randn(one.shape, generator=generator, dtype=one.dtype)
                weights[name] = weight / (one.numel() ** 0.5 * one.square().mean().sqrt().clamp(min=1e-300))

        def value() -> Tensor:
            outputs = self.outputs()
            return torch.stack([(outputs[name] * weights[name]).sum() for name in reads]).sum()

        return value


def loss_value(loss: Loss, outputs: dict[str, Tensor], targets: Targets) -> Tensor:
    """The loss without the terms that stop a part of their gradient on purpose."""
    terms = loss.terms(outputs_of(outputs), targets)
    left_out = stopped_terms(loss)
    kept = [term for name, term in terms.items() if name not in left_out]
    return torch.stack(kept).sum()


def stopped_terms(loss: Loss) -> list[str]:
    """Names of the terms of circle losses, whose paces take part in the value and not in the gradient."""
    if isinstance(loss, Circle):
        return ["loss"]
    if isinstance(loss, WeightedSum):
        return [name for name, one in loss.losses().items() if isinstance(one, Circle)]
    main = getattr(loss, "main", None)
    return ["target" if name == "loss" else name for name in stopped_terms(main)] if main is not None else []


def own_weights(loss: Loss) -> dict[str, Tensor]:
    """The loss's own parameters, but for those of sums: they learn as if their term weighed 1."""
    if any(isinstance(one, WeightedSum | WithTeacher) for one in loss.modules()):
        return {}
    return {f"loss.{name}": parameter for name, parameter in loss.named_parameters()}


def is_somebodys(module: nn.Module) -> bool:
    """Whether a module's class is none of compkit's, timm's or torch's."""
    return type(module).__module__.partition(".")[0] not in OURS


def choose_tensors(model: nn.Module, count: int = TENSORS) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The trained tensors to look into one by one, and all the others.

    Those that sit in somebody's own modules come first, then others spread evenly from the first to the last.
    """
    trained: dict[str, Tensor] = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    own: dict[str, None] = {}
    for prefix, module in model.named_modules():
        if is_somebodys(module):
            # a block hands its layers' weights to functions of its own; a whole network is looked at evenly
            is_block = sum(1 for _ in module.parameters()) <= BLOCK
            names = (f"{prefix}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=is_block))
            own |= dict.fromkeys(name for name in names if name in trained)
    picked = set(spread(list(own), count))
    picked |= set(spread([name for name in trained if name not in picked], max(count - len(picked), 2)))
    chosen = {name: one for name, one in trained.items() if name in picked}
    return chosen, {name: one for name, one in trained.items() if name not in picked}


def spread(names: list[str], count: int) -> list[str]:
    """Some of the names, evenly from the first to the last.

    >>> spread(["a", "b", "c", "d", "e"], 3), spread(["a"], 3)
    (['a', 'c', 'e'], ['a'])
    """
    positions = np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int)
    return [names[position] for position in dict.fromkeys(positions.tolist())]


def somebodys_classes(*parts: nn.Module) -> list[str]:
    """Names of the classes that are none of ours, as `_target_` would name them."""
    found = [type(module) for part in parts for module in part.modules() if is_somebodys(module)]
    return list(dict.fromkeys(f"{one.__module__}.{one.__name__}" for one in found))
