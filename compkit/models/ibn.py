"""Instance normalisation inside timm's ResNets (IBN-Net), and the weights of such networks.

Instance normalisation takes each image's own colour cast and contrast out of the features, which helps with
pictures from other cameras and places. Done in the early stages and to a part only, it leaves what tells the
classes apart.

Source: Pan et al. 2018, arXiv:1807.09441, figure 3 and section 3.
"""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

STAGES = {"a": ("layer1", "layer2", "layer3"), "b": ("layer1", "layer2")}
AFFINE = ("weight", "bias")


class HalfInstanceNorm(nn.Module):
    """Instance-normalises the first half of the channels and batch-normalises the others, [B, C, H, W].

    Its layers have the names that they have in public checkpoints.

    Args:
        norm: the batch normalisation of C channels whose place it takes; its weights are taken over.

    >>> [name for name, _ in HalfInstanceNorm(nn.BatchNorm2d(64)).named_children()]
    ['IN', 'BN']
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        half = norm.num_features // 2
        self.IN = nn.InstanceNorm2d(half, norm.eps, affine=True)
        self.BN = nn.BatchNorm2d(norm.num_features - half, norm.eps, norm.momentum)
        self.load_state_dict(split_norm(norm.state_dict(), half))

    def forward(self, features: Tensor) -> Tensor:
        half = self.IN.num_features
        return torch.cat([self.IN(features[:, :half]), self.BN(features[:, half:])], dim=1)


def split_norm(norm: dict[str, Tensor], half: int) -> dict[str, Tensor]:
    """The weights of a batch normalisation as those of a HalfInstanceNorm.

    The instance-normalised channels keep scale and shift; their running statistics have no place there.
    """
    split = {f"IN.{name}": value[:half] for name, value in norm.items() if name in AFFINE}
    return split | {f"BN.{name}": value[half:] if value.ndim else value for name, value in norm.items()}


def resnet_stages(model: Any, name: str, override: str) -> dict[str, Any]:
    """`layer1` to `layer4` of a timm ResNet, ResNeXt or SE-ResNet.

    Args:
        model: what timm made of `name`.
        name: timm name of the network.
        override: what needs this structure, such as `ibn=a`, for the message.

    Raises:
        ValueError: another network.
    """
    stages = {f"layer{number}": getattr(model, f"layer{number}", ()) for number in (1, 2, 3, 4)}
    blocks = [block for stage in stages.values() for block in stage]
    # exact types: the blocks of Res2Net, ResNeSt and SKNet derive from these and look different inside
    if not isinstance(model, ResNet) or not all(type(block) in (BasicBlock, Bottleneck) for block in blocks):
        raise ValueError(
            f"model.{override} is defined for ResNet, ResNeXt and SE-ResNet, got model.backbone={name}. "
            f"Set model.{override.partition('=')[0]}=null, or model.backbone=resnet50, for example."
        )
    return stages


def make_ibn(model: Any, name: str, ibn: str) -> None:
    """Turn a timm ResNet into IBN-a or IBN-b, in place.

    a: half of the channels instance-normalised by the first norm of each block of stages 1 to 3.
    b: instance normalisation after the residual addition at the end of stages 1 and 2, and in the stem
    instead of batch normalisation.

    Args:
        model: what timm made of `name`.
        name: timm name of the network.
        ibn: `a` or `b`.

    Raises:
        ValueError: another variant; a network without that structure.
    """
    if ibn not in STAGES:
        raise ValueError(f"model.ibn={ibn}: expected a, b or null. Set model.ibn=a, for example.")
    stages = resnet_stages(model, name, f"ibn={ibn}")
    if not isinstance(model.bn1, nn.BatchNorm2d):
        raise ValueError(
            f"model.ibn={ibn} takes the place of batch normalisation, but model.backbone={name} has "
            f"{type(model.bn1).__name__}. Set model.ibn=null, or model.backbone=resnet50, for example."
        )
    for stage in STAGES[ibn]:
        if ibn == "a":
            for block in stages[stage]:
                block.bn1 = HalfInstanceNorm(block.bn1)
        else:
            _norm_after_addition(stages[stage][-1])
    if ibn == "b":
        stem = model.bn1
        model.bn1 = nn.InstanceNorm2d(stem.num_features, stem.eps, affine=True)


def _norm_after_addition(block: Any) -> None:
    """Normalise what a residual block hands to its last activation, which follows the addition."""
    number = 3 if isinstance(block, Bottleneck) else 2  # of its last convolution, norm and activation
    norm = nn.InstanceNorm2d(getattr(block, f"bn{number}").num_features, affine=True)
    ending = OrderedDict(IN=norm, act=getattr(block, f"act{number}"))
    setattr(block, f"act{number}", nn.Sequential(ending))


def variant_of(state: dict[str, Tensor]) -> str | None:
    """Which IBN network a state dict belongs to: `a`, `b`, or None for a plain one.

    >>> variant_of({"layer1.0.bn1.IN.weight": torch.ones(32)})
    'a'
    """
    if any(re.match(r"layer\d\.\d+\.bn1\.IN\.", key) for key in state):
        return "a"
    return "b" if any(re.match(r"layer\d\.\d+\.(act\d\.)?IN\.", key) for key in state) else None


def fit_state(state: dict[str, Tensor], model: nn.Module, ibn: str | None, file: Path) -> dict[str, Tensor]:
    """A state dict with the names that `model` has after `make_ibn`.

    Public IBN weights and our own are taken as they are. Plain ResNet weights are taken too: where a
    batch normalisation became instance normalisation, scale and shift stay and the running statistics go; the
    normalisations that IBN-b adds keep scale 1 and shift 0.

    Args:
        state: of the file, without prefixes.
        model: what timm made, after `make_ibn` unless ibn is None.
        ibn: `a`, `b` or None.
        file: where the weights come from, for the message.

    Raises:
        ValueError: the weights are of another variant.
    """
    variant = variant_of(state)
    if variant not in (None, ibn):
        raise ValueError(
            f"{file}: these are weights of an IBN-{variant} network, but model.ibn is {ibn or 'null'}. "
            f"Set model.ibn={variant}, or model.weights to another file."
        )
    if ibn is None:
        return state
    if variant is None:
        return _from_plain(state, model)
    # public IBN-b weights have the added norm beside the block's layers, ours is in front of the activation
    ends = {key.replace(".act2.", ".").replace(".act3.", "."): key for key in _added(model)}
    return {ends.get(key, key): value for key, value in state.items()}


def _from_plain(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    fitted = dict(state)
    for name, norm in model.named_modules():
        if not isinstance(norm, HalfInstanceNorm | nn.InstanceNorm2d):
            continue
        plain = {key.rpartition(".")[2]: fitted.pop(key) for key in state if key.rpartition(".")[0] == name}
        if isinstance(norm, HalfInstanceNorm):
            own = split_norm(plain, norm.IN.num_features)
        else:
            own = {key: value for key, value in plain.items() if key in AFFINE}
        fitted |= {f"{name}.{key}": value for key, value in own.items()}
    return fitted | _added(model)


def _added(model: nn.Module) -> dict[str, Tensor]:
    """The weights of the normalisations that IBN-b puts in front of activations, by their names in `model`."""
    return {key: value for key, value in model.state_dict().items() if re.search(r"\.act\d\.IN\.", key)}
