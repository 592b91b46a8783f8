"""Views of one picture: mirrored, turned, cropped or at another size, each predicted apart."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from compkit.data import Size
from compkit.data.scale import auto_multiple, scaled_size
from compkit.ranges import above_zero_to_one, one_of, positive, whole

CROPS = ("center", "top_left", "top_right", "bottom_left", "bottom_right")


@dataclass(frozen=True)
class View:
    """One way to look at a picture; without arguments the picture as it is.

    The picture is loaded at the view's size, then cropped, mirrored and turned, in this order.

    Attributes:
        hflip: mirror left and right.
        vflip: mirror top and bottom.
        quarter_turns: turns by 90 degrees counter-clockwise, after mirroring.
        scale: factor of image_size, > 0; other sizes than image_size are rounded to a multiple of 32 pixels (less
            for images under 128 px), as scale=multi rounds them in training.
        crop: the corner, or `center`, that is cut out; None takes all of the picture.
        crop_fraction: sides of the crop as a share of the picture, in (0, 1]; the picture is loaded so much larger
            that the crop has the size of the view.
        weight: of this view in the mean, > 0.

    Raises:
        ValueError: a value outside its range.
    """

    hflip: bool = False
    vflip: bool = False
    quarter_turns: int = 0
    scale: float = 1.0
    crop: str | None = None
    crop_fraction: float = 0.875
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.crop is not None:
            one_of("crop", self.crop, CROPS)
        values = {
            "quarter_turns": whole("quarter_turns", self.quarter_turns, 0, "1"),
            "scale": positive("scale", self.scale, "0.75"),
            "crop_fraction": above_zero_to_one("crop_fraction", self.crop_fraction, "0.875"),
            "weight": positive("weight", self.weight, "0.5"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the command line gives 1 where 1.0 is meant

    @property
    def swaps_sides(self) -> bool:
        """Whether height becomes width."""
        return self.quarter_turns % 2 == 1

    def size(self, image_size: Size) -> Size:
        """What the network sees, before a turn.

        >>> View(scale=0.75).size((224, 320)), View().size((30, 30))
        ((160, 256), (30, 30))
        """
        if self.scale == 1:
            return image_size
        return scaled_size(image_size, self.scale, auto_multiple(image_size))

    def load_size(self, image_size: Size) -> Size:
        """What the picture is loaded at: larger than `size` by as much as a crop cuts away.

        >>> View(crop="center").load_size((224, 224))
        (256, 256)
        """
        height, width = self.size(image_size)
        if self.crop is None:
            return height, width
        return round(height / self.crop_fraction), round(width / self.crop_fraction)

    def apply(self, images: Tensor, image_size: Size) -> Tensor:
        """The view of images [B, C, H, W] that were loaded at `load_size`.

        >>> import torch
        >>> View(quarter_turns=1).apply(torch.tensor([[[[1, 2], [3, 4]]]]), (2, 2)).tolist()
        [[[[2, 4], [1, 3]]]]
        """
        if self.crop is not None:
            images = cut(images, self.size(image_size), self.crop)
        sides = [side for side, mirrored in ((2, self.vflip), (3, self.hflip)) if mirrored]
        images = images.flip(sides) if sides else images
        return images.rot90(self.quarter_turns, (2, 3)) if self.quarter_turns % 4 else images

    @classmethod
    def of(cls, name: str, values: "View | Mapping[str, Any]") -> "View":
        """A view from its keys in the config.

        Raises:
            ValueError: a key that views do not have, or a value outside its range, with the view's name.
        """
        if isinstance(values, View):
            return values
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"inference.views.{name}: no key {unknown[0]!r}; expected some of {known}.")
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"inference.views.{name}.{error}") from None


def cut(images: Tensor, size: Size, place: str) -> Tensor:
    """A corner, or the centre, of images [B, C, H, W], of the given height and width.

    >>> import torch
    >>> cut(torch.arange(9).reshape(1, 1, 3, 3), (2, 2), "bottom_right").tolist()
    [[[[4, 5], [7, 8]]]]
    """
    height, width = size
    free = images.shape[2] - height, images.shape[3] - width
    if place == "center":
        top, left = free[0] // 2, free[1] // 2
    else:
        top = free[0] if place.startswith("bottom") else 0
        left = free[1] if place.endswith("right") else 0
    return images[:, :, top : top + height, left : left + width]
