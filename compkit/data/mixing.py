"""Pictures of a batch mixed with one another: mixup and cutmix."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compkit.ranges import not_negative, whole, zero_to_one
from compkit.types import Moment


class Mix(NamedTuple):
    """How one batch is mixed; `order` and `share` go into its `Targets` too.

    >>> half = Mix(torch.tensor([1, 0]), torch.tensor([0.5, 1.0]), None)
    >>> half.images(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)).flatten()
    tensor([2., 3.])
    """

    order: Tensor  # int64 [B], a permutation: what is mixed into each image
    share: Tensor  # float32 [B] in [0, 1], what is left of each image itself
    boxes: Tensor | None  # int64 [B, 4], top, left, bottom, right of what cutmix pastes; empty with mixup

    def images(self, images: Tensor) -> Tensor:
        """The mixed images, [B, C, H, W], in the memory layout they came in."""
        weight = (1 - self.share)[:, None]
        if self.boxes is None:
            return _lerp(images, self.order, weight, torch.ones_like(weight))
        top, left, bottom, right = self.boxes[:, :, None].unbind(dim=1)
        rows = torch.arange(images.shape[2], device=images.device)
        columns = torch.arange(images.shape[3], device=images.device)
        in_rows, in_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
        # an empty box leaves the whole picture, whose share of the other one is then 0, or mixup's
        is_cut = (bottom > top) & (right > left)
        return _lerp(
            images,
            self.order,
            torch.where(is_cut, in_rows.float(), weight),
            torch.where(is_cut, in_columns.float(), 1.0),
        )


def _lerp(images: Tensor, order: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Each image moved towards another one, a pixel by the product of its row's and its column's weight.

    With weights of 0 and 1 either picture comes out to the bit. All is done in the order of memory, and in few
    buffers: across it, gathering and blending take several times as long, and new memory costs more than both.

    Args:
        images: [B, C, H, W], any memory layout.
        order: of the other images, int64 [B].
        rows, columns: weights in [0, 1], [B, H] and [B, W], or [B, 1] where all are the same.
    """
    rows, columns = rows.to(images.dtype), columns.to(images.dtype)
    if images.stride(1) != 1:
        other = images.index_select(0, order)
        return torch.lerp(images, other, rows[:, None, :, None] * columns[:, None, None, :], out=other)
    lines = images.permute(0, 2, 3, 1).flatten(2)  # [B, H, W * C]
    if columns.shape[1] > 1:
        columns = columns.repeat_interleave(images.shape[1], dim=1)
    other = lines.index_select(0, order)
    torch.lerp(lines, other, rows[:, :, None] * columns[:, None, :], out=other)
    return other.unflatten(2, (images.shape[3], images.shape[1])).permute(0, 3, 1, 2)


class NoMixing:
    """Every picture enters the network as it is."""

    def draw(
        self, batch_size: int, seed: int, moment: Moment, height: int, width: int, device: torch.device
    ) -> Mix | None:
        """None: nothing is mixed."""
        return None


class Mixing:
    """Blends each image with another of its batch (mixup), or pastes a box of the other into it (cutmix).

    mixup: x = s x_i + (1 - s) x_j. cutmix: the box has about 1 - s of the area. s ~ Beta(alpha, alpha); the losses
    of both labels are weighted in the same shares.

    Args:
        mixup_alpha: of mixup's share; 0 is cutmix only.
        cutmix_alpha: of cutmix's share; 0 is mixup only.
        probability: share of the batches that are mixed.
        cutmix_probability: share of the mixed images that get cutmix where both alphas are above 0.
        off_epochs: last epochs without mixing, which fit the weights to whole pictures again.
        per_sample: a share, a kind and a box of its own for each image rather than one for the batch.

    Raises:
        ValueError: a value outside its range, or both alphas 0; when drawing, off_epochs not below epochs.

    Source: Zhang et al. 2018, arXiv:1710.09412, eq. 1; Yun et al. 2019, arXiv:1905.04899, eqs. 1-2.
    """

    def __init__(
        self,
        mixup_alpha: float = 0.2,
        cutmix_alpha: float = 1.0,
        probability: float = 1.0,
        cutmix_probability: float = 0.5,
        off_epochs: int = 0,
        per_sample: bool = True,
    ):
        self.mixup_alpha, self.cutmix_alpha = (
            not_negative(f"mixing.{key}", value, "1.0")
            for key, value in (("mixup_alpha", mixup_alpha), ("cutmix_alpha", cutmix_alpha))
        )
        if self.mixup_alpha == self.cutmix_alpha == 0:
            raise ValueError(
                "mixing.mixup_alpha and mixing.cutmix_alpha are both 0: nothing is left to mix. Set mixing=none."
            )
        self.probability = zero_to_one("mixing.probability", probability, "0.5")
        chosen = zero_to_one("mixing.cutmix_probability", cutmix_probability, "0.5")
        self.cutmix_probability = 0.0 if self.cutmix_alpha == 0 else 1.0 if self.mixup_alpha == 0 else chosen
        self.off_epochs = whole("mixing.off_epochs", off_epochs, 0, "5")
        self.per_sample = bool(per_sample)

    def draw(
        self, batch_size: int, seed: int, moment: Moment, height: int, width: int, device: torch.device
    ) -> Mix | None:
        """How to mix a batch, the same for any device and whatever was drawn before; None: not at all.

        Args:
            batch_size: B.
            seed: of this batch; that of its augmentation will do.
            moment: how far training has come, for off_epochs.
            height, width: of the images in pixels.
            device: where the images are.
        """
        if self.off_epochs >= moment.epochs:
            raise ValueError(
                f"mixing.off_epochs={self.off_epochs} of epochs={moment.epochs} leaves no epoch to mix in. "
                "Set mixing.off_epochs=0, more epochs, or mixing=none."
            )
        # a stream of its own: the same seed also starts the generators of the batch's augmentation
        rng = np.random.default_rng([seed, 1])
        if moment.epoch >= moment.epochs - self.off_epochs or rng.random() >= self.probability:
            return None
        order = rng.permutation(batch_size)
        shares, boxes = self._shares(rng, batch_size if self.per_sample else 1, height, width)
        shares = np.broadcast_to(shares, (batch_size,)).astype(np.float32)
        boxes = np.broadcast_to(boxes, (batch_size, 4)).copy()
        return Mix(
            torch.from_numpy(order).to(device),
            torch.from_numpy(shares).to(device),
            torch.from_numpy(boxes).to(device) if self.cutmix_probability else None,
        )

    def _shares(
        self, rng: np.random.Generator, count: int, height: int, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shares [count], those of cutmix as the clipped box leaves them, and boxes [count, 4]."""
        cut = rng.random(count) < self.cutmix_probability
        blended = rng.beta(self.mixup_alpha, self.mixup_alpha, count) if self.mixup_alpha else np.ones(count)
        if not self.cutmix_probability:
            return blended, np.zeros((count, 4), np.int64)
        boxes = draw_boxes(rng, rng.beta(self.cutmix_alpha, self.cutmix_alpha, count), height, width)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        boxes[~cut] = 0
        return np.where(cut, 1 - area / (height * width), blended), boxes


def draw_boxes(rng: np.random.Generator, shares: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes of the picture's own proportions with a share 1 - s of its area, clipped at its border.

    Args:
        rng: draws the centres, uniform over the picture.
        shares: s, what is to be left of each picture, [N].
        height, width: of the pictures in pixels.

    Returns:
        top, left, bottom, right in pixels, int64 [N, 4]; bottom and right are the first not inside.

    >>> draw_boxes(np.random.default_rng(0), np.array([0.75]), height=8, width=16)
    array([[ 4,  6,  8, 14]])
    """
    side = np.sqrt(1 - shares)
    sides = np.rint(np.stack([side * height, side * width], axis=1)).astype(np.int64)
    centres = rng.integers(0, [height, width], size=(len(shares), 2))
    starts = centres - sides // 2
    limits = np.array([height, width])
    return np.concatenate([starts.clip(0, limits), (starts + sides).clip(0, limits)], axis=1)
