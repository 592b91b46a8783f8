"""Any timm network as a map of features, with the scaling its weights expect."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import to_2tuple
from torch import Tensor, nn

from compkit.models.ibn import make_ibn, resnet_stages
from compkit.models.weights import hub_weights, load_weights, pretrained_config


class Backbone(nn.Module):
    """A timm network without its classifier and pooling, float [B, in_chans, H, W] -> [B, C, h, w].

    Vision transformers give their patch tokens as [B, C, N, 1], without class and register tokens, or the
    class token alone as [B, C, 1, 1]. The few networks that cannot do without their own pooling (coat,
    crossvit, distilled deit, …) give [B, C, 1, 1] too.

    Weights come from `weights` when given, else from the hub when `pretrained`, else they are random.

    Args:
        name: timm name, with or without a tag that says which weights (`resnet18.a1_in1k`).
        in_chans: channels of the images, >= 1.
        image_size: side in pixels, or (height, width).
        pretrained: whether to start from the hub's weights.
        weights: file to start from instead, without any network.
        drop_path_rate: share of the residual branches skipped in training, in [0, 1); None is the
            network's own.
        ibn: `a` or `b` makes a ResNet instance-normalise a part of its early features, see `make_ibn`.
        last_stride: 1 makes the map of a ResNet twice as high and wide, by the last stage's first block.
        dynamic_size: whether a network made for one size, such as a vision transformer, takes others too;
            its position embeddings are then resampled in every forward pass.
        tokens: what a vision transformer returns: `patch` or `class` tokens.

    Attributes:
        channels: C.
        mean, std: scaling of pixels in 0..1 the weights were trained with, one number a channel.
        interpolation: the resizing they were trained with (`bicubic`, `bilinear`, …).

    Raises:
        FileNotFoundError: `weights` does not exist.
        ValueError: the name, the size, the rate, the variant or the weights do not fit; see the message.

    Source of last_stride: Luo et al. 2019, arXiv:1903.07071, section 3.4.

    >>> backbone = Backbone("test_resnet", image_size=64)
    >>> backbone(torch.zeros(1, 3, 64, 64)).shape, backbone.channels
    (torch.Size([1, 96, 2, 2]), 96)
    """

    def __init__(
        self,
        name: str,
        in_chans: int = 3,
        image_size: int | Sequence[int] = 224,
        pretrained: bool = False,
        weights: str | Path | None = None,
        drop_path_rate: float | None = None,
        ibn: str | None = None,
        last_stride: int | None = None,
        dynamic_size: bool = False,
        tokens: str = "patch",
    ) -> None:
        super().__init__()
        check_name(name)
        if in_chans < 1:
            raise ValueError(f"in_chans must be >= 1, got {in_chans}. Set competition.channels.")
        if tokens not in ("patch", "class"):
            raise ValueError(f"model.tokens={tokens}: expected patch or class. Set model.tokens=patch.")
        self.name, self.tokens = name, tokens
        size = height_width(image_size)
        self.model = _create(name, in_chans, size, drop_path_rate, dynamic_size)
        if ibn is not None:
            make_ibn(self.model, name, ibn)
        if last_stride is not None:
            set_last_stride(self.model, name, last_stride)
        if weights is not None:
            load_weights(self.model, name, Path(weights), in_chans, exact=True, ibn=ibn)
        elif pretrained:
            # timm's own file for this name may hold auxiliary heads that timm itself leaves out
            load_weights(self.model, name, hub_weights(name), in_chans, exact=False, ibn=ibn)
        _remove_pooling(self.model)

        config = pretrained_config(name)
        self.in_chans = in_chans
        self.mean = _per_channel(config.mean, in_chans)
        self.std = _per_channel(config.std, in_chans)
        self.interpolation = config.interpolation
        self.channels = self.map_shape(size)[0]
        if dynamic_size:
            self._check_dynamic(size)

    def map_shape(self, image_size: int | Sequence[int]) -> tuple[int, ...]:
        """(C, h, w) of images of this size, from one forward pass in evaluation mode.

        Raises:
            ValueError: the network does not take images of this size, or returns no map or class token.
        """
        size, was_training = height_width(image_size), self.training
        images = torch.zeros(1, self.in_chans, *size, device=next(self.parameters()).device)
        self.eval()
        try:
            with torch.no_grad():
                features = self.model(images)
        except (AssertionError, IndexError, RuntimeError, ValueError) as error:
            raise _wrong_size(self.name, size, error) from error
        finally:
            self.train(was_training)
        if not isinstance(features, Tensor):
            raise ValueError(
                f"model.backbone={self.name} returns a {type(features).__name__}, where one map of features is "
                "expected. Set model.backbone to another network."
            )
        if self.tokens == "class" and (features.ndim != 3 or getattr(self.model, "cls_token", None) is None):
            raise ValueError(
                f"model.tokens=class: model.backbone={self.name} gives no class token. Set model.tokens=patch."
            )
        return tuple(self._as_map(features).shape[1:])

    def _check_dynamic(self, size: tuple[int, int]) -> None:
        """Refuse a network that takes the size it was made for, but not a larger one."""
        patch = to_2tuple(getattr(getattr(self.model, "patch_embed", None), "patch_size", 32))
        # by some patches that are 32 pixels together, what windows and stages are usually multiples of
        larger = [side + step * max(1, 32 // step) for side, step in zip(size, patch, strict=True)]
        try:
            self.map_shape(larger)
        except ValueError as error:
            raise ValueError(
                f"model.dynamic_size=true: model.backbone={self.name}, made for {size[0]} x {size[1]} pixels, does "
                f"not take {larger[0]} x {larger[1]} ({error.__cause__}). Show it one size "
                "(model.dynamic_size=false, scale=fixed, inference=plain), or set model.backbone to a network that "
                "takes several: ViT, DeiT, EVA, Swin or a convolutional one."
            ) from error

    def forward(self, images: Tensor) -> Tensor:
        return self._as_map(self.model(images))

    def _as_map(self, features: Tensor) -> Tensor:
        """What timm's network returned, as [B, C, h, w]."""
        if features.ndim == 2:
            return features[:, :, None, None]
        if features.ndim == 3 and self.tokens == "class":
            return features[:, 0, :, None, None]
        if features.ndim == 3:
            tokens = features[:, getattr(self.model, "num_prefix_tokens", 0) :]
            return tokens.transpose(1, 2).unsqueeze(3)
        if getattr(self.model, "output_fmt", "NCHW") == "NHWC":
            return features.permute(0, 3, 1, 2)
        return features


def check_name(name: str) -> None:
    """Raise a ValueError with similar names unless timm knows this one.

    >>> check_name("resnet81")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: model.backbone=resnet81: timm has no network of that name. Close ones: ...
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.5)
        raise ValueError(
            f"model.backbone={name}: timm has no network of that name. "
            f"Close ones: {', '.join(close) or 'none'}. All are listed by timm.list_models()."
        )
    tags = [known.partition(".")[2] for known in timm.models.get_arch_pretrained_cfgs(architecture)]
    if tag and tag not in tags:
        raise ValueError(
            f"model.backbone={name}: timm has no weights {tag!r} for {architecture}; it has {tags}. "
            f"Leave the tag out for the first, e.g. model.backbone={architecture}."
        )


def height_width(image_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) in pixels of a size given as one side or as two.

    >>> height_width(224), height_width([64, 96])
    ((224, 224), (64, 96))
    """
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ValueError(
            f"image_size must be a side in pixels >= 1, or [height, width], got {image_size}. "
            "Set image_size, e.g. image_size=224."
        )
    return sides[0], sides[1]


def set_last_stride(model: Any, name: str, last_stride: int) -> None:
    """Take the last downsampling out of a timm ResNet, in place; it has no weights.

    Args:
        model: what timm made of `name`.
        name: timm name of the network.
        last_stride: 1.

    Raises:
        ValueError: another stride; another network.
    """
    if last_stride != 1:
        raise ValueError(
            f"model.last_stride={last_stride}: expected 1, or null for the network's own stride."
        )
    block: Any = resnet_stages(model, name, "last_stride=1")["layer4"][0]
    # the stride sits in the first 3x3 convolution, or in a blur behind it
    for conv in (block.conv1, block.conv2):
        conv.stride = (1, 1)
    block.aa = nn.Identity()
    for position, layer in enumerate(block.downsample):
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        elif isinstance(layer, nn.AvgPool2d):  # of the ResNet-D kind, in front of the convolution
            block.downsample[position] = nn.Identity()
    block.stride = 1
    model.feature_info[-1]["reduction"] //= 2


def _create(
    name: str, in_chans: int, size: tuple[int, int], drop_path_rate: float | None, dynamic_size: bool
) -> nn.Module:
    if drop_path_rate is not None and not 0 <= drop_path_rate < 1:
        raise ValueError(
            f"drop_path_rate must be in [0, 1), got {drop_path_rate}. "
            "Set model.drop_path_rate, e.g. model.drop_path_rate=0.1."
        )
    # networks with position embeddings or windows are built for one size, the others take any
    is_fixed = pretrained_config(name).fixed_input_size
    arguments: dict[str, Any] = {
        "num_classes": 0,
        "in_chans": in_chans,
        "img_size": size if is_fixed else None,
        "drop_path_rate": drop_path_rate,
        "dynamic_img_size": True if dynamic_size and is_fixed else None,  # timm leaves out what is None
    }
    try:
        try:
            return timm.create_model(name, **arguments)
        except TypeError as error:
            if "dynamic_img_size" not in str(error):
                raise
            # some take any size without being told; _check_dynamic finds out
            return timm.create_model(name, **arguments | {"dynamic_img_size": None})
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise ValueError(
            f"model.backbone={name} has no stochastic depth, but drop_path_rate is {drop_path_rate}. "
            "Set model.drop_path_rate=null."
        ) from error
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _wrong_size(name, size, error) from error


def _remove_pooling(model: Any) -> None:
    try:
        model.reset_classifier(0, "")
    except AssertionError:  # timm's way to say that this network has to pool by itself
        return


def _wrong_size(name: str, size: tuple[int, ...], error: Exception) -> ValueError:
    side = pretrained_config(name).input_size[1]
    return ValueError(
        f"model.backbone={name} does not take images of {size[0]} x {size[1]} pixels ({error}). "
        f"Set image_size, e.g. image_size={side}, the size it was made for."
    )


def _per_channel(values: Sequence[float], in_chans: int) -> tuple[float, ...]:
    """One value a channel, as timm adapts a first convolution: the mean for 1 channel, else repeated."""
    if in_chans == 1:
        return (sum(values) / len(values),)
    return tuple(values[channel % len(values)] for channel in range(in_chans))
