"""How a pretrained network is trained further: what is frozen, until when, and at which rates."""

import math
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from compkit.optim.groups import param_groups, split_by_decay, undecayed
from compkit.optim.places import FROZEN, Place, backbone_places, designed
from compkit.ranges import above_zero_to_one, positive, whole

ALL = "all"
MODES = {
    frozenset(): "",
    frozenset({False}): "train",
    frozenset({True}): "eval",
    frozenset({False, True}): "mixed",
}  # of batch norms, by whether they are frozen


class Part(NamedTuple):
    """Parameters that share their rate and the time they are frozen."""

    name: str
    params: list[nn.Parameter]
    lr_factor: float
    frozen_epochs: float  # 0 is trained from the start, infinity never


class Finetune:
    """Which parts of a model are trained from when on, and at which rates; all at once is its default.

    Rates multiply: a parameter's is lr * backbone_lr_factor (in the backbone) * layer_decay^(layers above
    it). All of it follows from the model and the epoch, so a resumed run never freezes anew.

    Args:
        freeze_backbone_epochs: epochs in which only pooling, neck and head are trained, >= 0.
        freeze_stages: the first stages of the backbone that are never trained, stem or embedding being
            one; "all" is the whole backbone.
        backbone_lr_factor: factor of the backbone's rate, > 0.
        layer_decay: factor of the rate from each layer to the one below, in (0, 1].

    Raises:
        ValueError: one of them is outside its range.

    Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.2, for rates by layer and gradual
    unfreezing; Bao et al. 2022, arXiv:2106.08254, appendix, for one decay per layer.

    >>> finetune = Finetune(backbone_lr_factor=0.1)
    >>> finetune.is_full, Finetune().is_full
    (False, True)
    """

    def __init__(
        self,
        freeze_backbone_epochs: int = 0,
        freeze_stages: int | str = 0,
        backbone_lr_factor: float = 1.0,
        layer_decay: float = 1.0,
    ) -> None:
        self.freeze_backbone_epochs = whole("finetune.freeze_backbone_epochs", freeze_backbone_epochs, 0, "1")
        self.freeze_stages: int | str = (
            ALL if freeze_stages == ALL else whole("finetune.freeze_stages", freeze_stages, 0, "2")
        )
        self.backbone_lr_factor = positive("finetune.backbone_lr_factor", backbone_lr_factor, "0.1")
        self.layer_decay = above_zero_to_one("finetune.layer_decay", layer_decay, "0.75")

    @property
    def is_full(self) -> bool:
        """Whether everything is trained from the start at one rate."""
        frozen = self.freeze_backbone_epochs or self.freeze_stages
        return not frozen and self.backbone_lr_factor == self.layer_decay == 1

    def check(self, epochs: int) -> None:
        """Refuse a backbone that would stay frozen for the whole run of `epochs` epochs."""
        if self.freeze_backbone_epochs >= epochs:
            raise ValueError(
                f"finetune.freeze_backbone_epochs: got {self.freeze_backbone_epochs}, but the run has only "
                f"{epochs} epochs; expected fewer. To train the head alone set finetune.freeze_stages=all."
            )

    def groups(self, model: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Every parameter that is trained at some time exactly once, in groups for an optimizer.

        Args:
            model: bare; unless all settings are at their defaults, with timm's network as `backbone.model`.
            lr: rate of the head, and of all that has no factor.
            weight_decay: of weight matrices and kernels.

        Raises:
            ValueError: the model has no backbone, no known stages or too few of them; nothing is trained.
        """
        if self.is_full:
            return param_groups(model, lr, weight_decay)
        trained = [part for part in self.parts(model) if part.frozen_epochs < math.inf]
        if not trained:
            raise ValueError(
                f"finetune.freeze_stages: got {self.freeze_stages}, which leaves this model nothing to "
                "train; expected fewer stages. Set e.g. finetune.freeze_stages=0."
            )
        exempt = undecayed(model)
        return [
            group
            for part in trained
            for group in split_by_decay(part.name, part.params, exempt, lr * part.lr_factor, weight_decay)
        ]

    def parts(self, model: nn.Module) -> list[Part]:
        """All that is trained by design, in parts from the images upwards; pooling, neck and head are one."""
        places = {} if self.is_full else self.places(model)
        found: dict[str, Part] = {}
        for name, param in designed(model).items():
            place = places.get(name)
            part = self.part(place)
            found.setdefault(part.name, part).params.append(param)
        return list(found.values())

    def places(self, model: nn.Module) -> dict[str, Place]:
        """The place of each parameter of the backbone, as far as these settings need to know it."""
        by_stage = self.freeze_stages not in (0, ALL)
        places, stages = backbone_places(model, needed=by_stage or self.layer_decay != 1)
        if by_stage and int(self.freeze_stages) > stages:
            raise ValueError(
                f"finetune.freeze_stages: got {self.freeze_stages}, but this backbone has {stages} stages; "
                "expected no more. Set finetune.freeze_stages=all for the whole backbone."
            )
        return places

    def part(self, place: Place | None) -> Part:
        """The part, still without members, of what sits at a place of the backbone, or above it (None)."""
        if place is None:
            return Part("head", [], 1.0, 0)
        stage, layers_above = place
        name = "backbone.rest" if stage is None else f"backbone.stage{stage}"
        if self.layer_decay != 1:
            name += f".{layers_above}_below_head"
        never = self.freeze_stages == ALL or (stage is not None and stage < int(self.freeze_stages))
        return Part(
            name,
            [],
            self.backbone_lr_factor * self.layer_decay**layers_above,
            math.inf if never else self.freeze_backbone_epochs,
        )

    def apply(self, model: nn.Module, epoch: int) -> bool:
        """Freeze and unfreeze what the epoch after `epoch` finished ones wants; whether anything changed.

        A change must be told to what has looked at the parameters before: wrap again for several devices.
        The model's norms follow at its next `train()`.
        """
        parts = self.parts(model)
        frozen = {id(param) for part in parts if epoch < part.frozen_epochs for param in part.params}
        names = frozenset(name for name, param in designed(model).items() if id(param) in frozen)
        changed = names != getattr(model, FROZEN, frozenset())
        for param in designed(model).values():
            param.requires_grad_(id(param) not in frozen)
        setattr(model, FROZEN, names)
        return changed

    def summary(self, model: nn.Module, optimizer: Optimizer, epoch: int) -> list[dict[str, Any]]:
        """One row for each of the optimizer's groups, and for each part that is never trained.

        Returns:
            Rows of name, parameters (how many numbers), lr (before the schedule), weight_decay, frozen
            ("no", "until epoch <n>", "always", "partly"), batch_norm (the mode of the batch norms in it
            during the next epoch: "train", "eval", "mixed", or "" without any).
        """
        parts = self.parts(model)
        until = {id(param): part.frozen_epochs for part in parts for param in part.params}
        norms = {
            id(module.weight)
            for module in model.modules()
            if isinstance(module, _NormBase) and module.weight is not None
        }
        never = [
            {"name": part.name, "params": part.params, "base_lr": 0.0, "weight_decay": 0.0}
            for part in parts
            if part.frozen_epochs == math.inf
        ]
        rows = []
        for group in [*never, *optimizer.param_groups]:
            params = group["params"]
            frozen_norms = {epoch < until[id(param)] for param in params if id(param) in norms}
            rows.append(
                {
                    "name": group["name"],
                    "parameters": sum(param.numel() for param in params),
                    "lr": group["base_lr"],
                    "weight_decay": group.get("weight_decay", 0.0),
                    "frozen": in_words({until[id(param)] for param in params}, epoch),
                    "batch_norm": MODES[frozenset(frozen_norms)],
                }
            )
        return rows


def in_words(frozen_epochs: set[float], epoch: int) -> str:
    """What a table says of parameters frozen that long, after `epoch` epochs.

    >>> in_words({2}, 0), in_words({2}, 2), in_words({math.inf}, 5), in_words({0, 2}, 0)
    ('until epoch 2', 'no', 'always', 'partly')
    """
    left = {0 if epoch >= epochs else epochs for epochs in frozen_epochs}
    if len(left) > 1:
        return "partly"
    (epochs,) = left
    if epochs == math.inf:
        return "always"
    return f"until epoch {epochs:g}" if epochs else "no"
