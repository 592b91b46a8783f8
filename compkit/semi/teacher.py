"""A trained network that teaches another one."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit.data import Preprocessing
from compkit.types import Outputs, Targets


@dataclass(frozen=True)
class Teacher:
    """A network that only answers: in evaluation mode, without gradients, never changed.

    Attributes:
        model: its weights are those of one fold.
        preprocessing: what it was trained with; it sees pictures of this size and scaling.
        order: the teacher's output for each of the student's, int64 [C].
    """

    model: nn.Module
    preprocessing: Preprocessing
    order: Tensor

    def __post_init__(self) -> None:
        self.model.eval().requires_grad_(False)

    def resize(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] at the teacher's own size, on their device; averaged when shrinking."""
        size = (self.preprocessing.height, self.preprocessing.width)
        if images.shape[-2:] == size:
            return images
        return F.interpolate(images, size, mode="bilinear", antialias=True)

    @torch.no_grad()
    def answer(self, images: Tensor, targets: Targets, with_features: bool) -> tuple[Tensor, Tensor | None]:
        """Logits float32 [B, C] in the student's order, and if wanted the pooled features [B, D].

        Args:
            images: normalised for the teacher, [B, C, H, W]; any size.
            targets: of these images. They only make a network show its features: in evaluation mode none reads them.
            with_features: whether features are wanted.
        """
        model = self.model.to(images.device)  # no copy where it is there already
        said = model(self.resize(images), targets) if with_features else model(self.resize(images))
        outputs = said if isinstance(said, Outputs) else Outputs(said)
        return outputs.logits.float()[:, self.order.to(images.device)], outputs.features


def column_order(classes: tuple[str, ...], teacher_classes: tuple[str, ...]) -> Tensor:
    """Where the teacher has each of the student's classes, int64 [C]; both have the same ones.

    >>> column_order(("cat", "dog"), ("dog", "cat"))
    tensor([1, 0])
    """
    return torch.tensor([teacher_classes.index(name) for name in classes])
