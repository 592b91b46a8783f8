"""Which parameters are trained, at which rate, and which of them weight decay leaves alone."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

NORMS = (
    _NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)  # _NormBase: every batch and instance norm
TOKENS = (
    "pos_embed",
    "cls_token",
    "dist_token",
    "reg_token",
    "mask_token",
)  # timm's names


def undecayed(model: nn.Module) -> set[int]:
    """`id` of every parameter that weight decay must not pull towards zero.

    These are the vectors and scalars (biases, scales, GeM's p), all of a normalisation layer,
    position embeddings and class tokens, and whatever a module lists in `no_weight_decay()` as
    timm's models do. The list is read from every module, so a backbone inside a classifier counts.

    >>> layer = nn.Linear(2, 3)
    >>> undecayed(layer) == {id(layer.bias)}
    True
    """
    found = set()
    for module in model.modules():
        for name, param in module.named_parameters(recurse=False):
            if param.ndim <= 1 or isinstance(module, NORMS) or name in TOKENS or name.endswith("bias"):
                found.add(id(param))
        if callable(declared := getattr(module, "no_weight_decay", None)):
            own = dict(module.named_parameters(remove_duplicate=False))
            # timm also lists names that this variant of the model does not have
            found.update(id(own[name]) for name in declared() if name in own)
    return found


def param_groups(model: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Every trainable parameter exactly once: one group with weight decay, one without.

    Frozen parameters (requires_grad False) are left out; shared ones appear once. A group keeps the
    rate it was made with as `base_lr`, which the schedule multiplies (see `set_lr`), and a `name`
    for logs.

    Raises:
        ValueError: nothing is trainable.

    >>> [(g["name"], g["weight_decay"], len(g["params"])) for g in param_groups(nn.Linear(2, 3), 0.1, 0.05)]
    [('decay', 0.05, 1), ('no_decay', 0.0, 1)]
    """
    trainable = [param for param in model.parameters() if param.requires_grad]
    if not trainable:
        raise ValueError(
            "param_groups: the model has no trainable parameter; expected at least one with "
            "requires_grad=True. Unfreeze the head or the backbone."
        )
    exempt = undecayed(model)
    members = {
        "decay": (
            weight_decay,
            [param for param in trainable if id(param) not in exempt],
        ),
        "no_decay": (0.0, [param for param in trainable if id(param) in exempt]),
    }
    return [
        {"name": name, "params": params, "lr": lr, "base_lr": lr, "weight_decay": decay}
        for name, (decay, params) in members.items()
        if params
    ]
