"""What is done to every picture before the network sees it, in training as in the last submission."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from compkit.data.decode import decode_image


@dataclass(frozen=True)
class Preprocessing:
    """From files to a normalised tensor: one object, saved with the weights and used again by every command.

    Attributes:
        height, width: size in pixels every image is resized to.
        channels: channels of the image, RGB order when 3.
        deep: float32 in [0, 1] instead of uint8, for 16-bit and floating-point files.
        max_value: divisor that maps floating-point pixels to [0, 1]; None when they are already.
        mean, std: per channel, of pixels in [0, 1].
    """

    height: int
    width: int
    channels: int
    deep: bool
    max_value: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(
                f"image_size={self.height}x{self.width}: expected sides of at least 1 pixel. "
                "Set image_size=224, or image_size=[height,width]."
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(
                f"mean {self.mean} and std {self.std} need one value for each of the "
                f"{self.channels} channels. Set model.in_chans to competition.channels."
            )

    def load(self, files: tuple[str, ...]) -> np.ndarray:
        """Decode and resize: uint8 or float32 [height, width, channels]."""
        return self.resize(decode_image(files, self.channels, self.deep, self.max_value))

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Resize [H, W, C]; area averaging when shrinking (bilinear would alias), bilinear otherwise."""
        if image.shape[:2] == (self.height, self.width):
            return image
        shrinks = image.shape[0] >= self.height and image.shape[1] >= self.width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(image, (self.width, self.height), interpolation=method)
        return resized.reshape(self.height, self.width, self.channels)

    def normalise(self, images: Tensor) -> Tensor:
        """(pixel - mean) / std on the batch's device.

        images uint8 or float32 in [0, 1], [B, H, W, C] -> float32 [B, C, H, W], channels last in memory.

        >>> box = Preprocessing(1, 1, 1, False, None, (0.5,), (0.5,))
        >>> box.normalise(torch.tensor([[[[255]]], [[[0]]]], dtype=torch.uint8)).flatten().round()
        tensor([ 1., -1.])
        """
        full = 255.0 if images.dtype == torch.uint8 else 1.0
        mean = torch.tensor(self.mean, device=images.device)
        std = torch.tensor(self.std, device=images.device)
        # one multiply-add over rows of channels is 4 x faster than permute, subtract, divide
        return torch.addcmul(-mean / std, images.to(torch.float32), 1 / (full * std)).permute(0, 3, 1, 2)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored in the weights' metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`, also after a round trip through JSON."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})
