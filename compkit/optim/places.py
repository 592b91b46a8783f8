"""Where in a network each of its parameters sits, and which of them are trained at all."""

from typing import Any, NamedTuple

from timm.models._manipulate import group_with_matcher
from torch import nn

FROZEN = "frozen_by_finetune"  # attribute of a model: names of the parameters frozen for now
ABOVE = "the_head_on_top"  # a parameter's name that no network has: timm's matchers put it on top


class Place(NamedTuple):
    """Where in the backbone a parameter sits, counted from the images."""

    stage: int | None  # 0 is stem or embedding; None is above the last stage, or not known
    layers_above: int  # finer steps up to the head, for layer-wise rates


def designed(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by name that are trained at some time, also those frozen for now; shared ones once.

    What was frozen before, as a BNNeck's shift, is none of them.

    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.bias.requires_grad_(False)
    >>> list(designed(layer))
    ['weight']
    """
    frozen: frozenset[str] = getattr(model, FROZEN, frozenset())
    return {name: param for name, param in model.named_parameters() if param.requires_grad or name in frozen}


def numbers(network: Any, coarse: bool) -> tuple[dict[str, int], int]:
    """timm's number of the stage (coarse) or layer of each parameter by name, and the number above all.

    >>> import timm
    >>> of, above = numbers(timm.create_model("test_resnet", num_classes=0), coarse=True)
    >>> of["conv1.0.weight"], of["layer4.0.conv1.weight"], above
    (0, 4, 5)
    """
    named = [(name, param) for name, param in network.named_parameters()]
    matched = group_with_matcher(
        iter([*named, (ABOVE, None)]), network.group_matcher(coarse=coarse), reverse=True
    )
    of = {name: int(number) for name, number in matched.items()}
    return of, of.pop(ABOVE)


def backbone_places(model: nn.Module, needed: bool) -> tuple[dict[str, Place], int]:
    """The place of each parameter of `model.backbone`, by its name in the model, and the number of stages.

    Args:
        model: with timm's network as `backbone.model`; what else the backbone has sits above its stages.
        needed: whether a network without known stages is refused rather than taken as one.

    Raises:
        ValueError: there is no backbone, or its stages are needed and not known.
    """
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise ValueError(
            f"finetune: {type(model).__name__} has no backbone that could be treated apart; expected all "
            "of it to be trained at one rate. Set finetune=full."
        )
    names = [f"backbone.{name}" for name, _ in backbone.named_parameters()]
    network = getattr(backbone, "model", None)
    if not hasattr(network, "group_matcher"):
        if needed:
            raise ValueError(
                f"finetune: the stages of a {type(network).__name__} are not known; expected a network of "
                "timm with group_matcher(). Set finetune.freeze_stages=0 and finetune.layer_decay=1."
            )
        return dict.fromkeys(names, Place(None, 0)), 0
    stages, count = numbers(network, coarse=True)
    layers, top = numbers(network, coarse=False)
    places = {}
    for name in names:
        inside = name.removeprefix("backbone.model.")
        stage, layer = stages.get(inside, count), layers.get(inside, top)
        places[name] = Place(stage if stage < count else None, top - layer)
    return places, count
