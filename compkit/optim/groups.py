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


def split_by_decay(
    name: str, params: list[nn.Parameter], exempt: set[int], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Up to two groups of optimizer settings: `params` that weight decay pulls, and those it leaves alone.

    Args:
        name: start of the groups' names, for logs; empty is none.
        params: what the groups hold; one without members is left out.
        exempt: `id` of the parameters without weight decay, see `undecayed`.
        lr: rate of both; kept as `base_lr` too, which the schedule multiplies (see `set_lr`).
        weight_decay: of the first. Its key `decayed` is True also when weight_decay is 0, for other
            penalties on the same weights (see `add_l1_gradient`).

    >>> layer = nn.Linear(2, 3)
    >>> groups = split_by_decay("head", list(layer.parameters()), {id(layer.bias)}, 0.1, 0.05)
    >>> [(group["name"], group["weight_decay"], group["decayed"]) for group in groups]
    [('head.decay', 0.05, True), ('head.no_decay', 0.0, False)]
    """
    groups = []
    for decayed in (True, False):
        members = [param for param in params if (id(param) not in exempt) == decayed]
        if members:
            kind = "decay" if decayed else "no_decay"
            groups.append(
                {
                    "name": f"{name}.{kind}" if name else kind,
                    "params": members,
                    "lr": lr,
                    "base_lr": lr,
                    "weight_decay": weight_decay if decayed else 0.0,
                    "decayed": decayed,
                }
            )
    return groups


def param_groups(model: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Every trainable parameter exactly once: one group with weight decay, one without.

    Frozen parameters (requires_grad False) are left out; shared ones appear once. For the keys of a group
    see `split_by_decay`.

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
    return split_by_decay("", trainable, undecayed(model), lr, weight_decay)
