"""What is done to every picture before the network sees it, in training as in the last submission."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from compkit.data.decode import decode_image


def resized(image: np.ndarray, height: int, width: int, interpolation: int) -> np.ndarray:
    """cv2.resize of [H, W, C], which drops the axis of one channel and averages areas of four at most.

    >>> resized(np.zeros((200, 200, 6), np.uint8), 96, 96, cv2.INTER_AREA).shape
    (96, 96, 6)
    """
    if image.shape[2] <= 4:
        return cv2.resize(image, (width, height), interpolation=interpolation).reshape(height, width, -1)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    return np.stack([cv2.resize(one, (width, height), interpolation=interpolation) for one in planes], axis=2)


@dataclass(frozen=True)
class Preprocessing:
    """From files to a normalised tensor: one object, saved with the weights and used again by every command.

    Attributes:
        height, width: size in pixels every image is resized to.
        channels: channels of the image, RGB order when 3.
        deep: float32 in [0, 1] instead of uint8, for 16-bit and floating-point files.
        max_value: divisor that maps floating-point pixels to [0, 1]; None when they are already.
        mean, std: per channel, of pixels in [0, 1] as `squeeze` leaves them.
        tanh_scale: pixels become tanh(pixel / tanh_scale); None leaves them.
        low, high: per channel, pixels of [0, 1] that become 0 and 1, what lies outside being cut; None leaves them.
    """

    height: int
    width: int
    channels: int
    deep: bool
    max_value: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tanh_scale: float | None = None
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

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

    def load(self, files: tuple[str, ...], size: tuple[int, int] | None = None) -> np.ndarray:
        """Decode and resize: uint8 or float32 [height, width, channels]; see `resize` for `size`."""
        return self.resize(decode_image(files, self.channels, self.deep, self.max_value), size)

    def resize(self, image: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """Resize [H, W, C]; area averaging when shrinking (bilinear would alias), bilinear otherwise.

        `size` is another height and width than image_size: that of a training step at another scale.
        """
        height, width = size or (self.height, self.width)
        if image.shape[:2] == (height, width):
            return image
        shrinks = image.shape[0] >= height and image.shape[1] >= width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return resized(image, height, width, method)

    def normalise(self, images: Tensor) -> Tensor:
        """(squeezed pixel - mean) / std on the batch's device.

        images uint8 or float32 in [0, 1], [B, H, W, C] -> float32 [B, C, H, W], channels last in memory.

        >>> box = Preprocessing(1, 1, 1, False, None, (0.5,), (0.5,))
        >>> box.normalise(torch.tensor([[[[255]]], [[[0]]]], dtype=torch.uint8)).flatten().round()
        tensor([ 1., -1.])
        """
        if self.squeezes:
            images = self.squeeze(images)
        full = 255.0 if images.dtype == torch.uint8 else 1.0
        mean = torch.tensor(self.mean, device=images.device)
        std = torch.tensor(self.std, device=images.device)
        # one multiply-add over rows of channels is 4 x faster than permute, subtract, divide
        return torch.addcmul(-mean / std, images.to(torch.float32), 1 / (full * std)).permute(0, 3, 1, 2)

    @property
    def squeezes(self) -> bool:
        """Whether pixels are changed before mean and std."""
        return self.tanh_scale is not None or self.low is not None

    def squeeze(self, images: Tensor) -> Tensor:
        """Pixels in [0, 1], through tanh or between the percentiles where those are set.

        images uint8 or float32 in [0, 1], [..., C] -> float32 [..., C].

        >>> box = Preprocessing(1, 1, 1, True, None, (0.5,), (0.5,), low=(0.1,), high=(0.3,))
        >>> box.squeeze(torch.tensor([[0.0], [0.2], [0.9]])).flatten()
        tensor([0.0000, 0.5000, 1.0000])
        """
        pixels = images / 255.0 if images.dtype == torch.uint8 else images
        if self.tanh_scale is not None:
            pixels = torch.tanh(pixels / self.tanh_scale)
        if self.low is not None and self.high is not None:
            low = torch.tensor(self.low, device=images.device)
            high = torch.tensor(self.high, device=images.device)
            pixels = ((pixels - low) / (high - low)).clamp(0, 1)
        return pixels

    def denormalise(self, images: Tensor) -> np.ndarray:
        """What enters the network, made visible again: the inverse of mean and std.

        A squeeze (tanh, percentiles) is not undone: it is what the network sees. Values beyond black and white are cut.

        images normalised, float [B, C, H, W] on any device -> uint8 [B, H, W, C].

        >>> box = Preprocessing(1, 1, 1, False, None, (0.5,), (0.5,))
        >>> box.denormalise(torch.tensor([[[[0.2]]]]))
        array([[[[153]]]], dtype=uint8)
        """
        pixels = images.detach().float().cpu().permute(0, 2, 3, 1).numpy()
        pixels = pixels * np.asarray(self.std, np.float32) + np.asarray(self.mean, np.float32)
        return (pixels * 255).round().clip(0, 255).astype(np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored in the weights' metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`, also after a round trip through JSON."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)
