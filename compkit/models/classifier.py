"""The whole network: images in, logits or embeddings out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.models.backbone import Backbone
from compkit.models.neck import Neck
from compkit.models.pooling import Pooling


class Classifier(nn.Module):
    """Backbone, pooling, neck and head in a row; for regression too.

    images -> backbone -> map -> pooling -> features -> neck -> embedding -> head -> logits

    Args:
        backbone: timm name of the network.
        pooling: makes a Pooling when called with in_features.
        neck: makes a Neck when called with in_features.
        head: makes a head when called with in_features, num_outputs and bias.
        num_outputs: number of classes, or of regression targets, >= 1.
        in_chans, image_size, pretrained, weights, drop_path_rate: of the backbone, see there.
        target_mean, target_std: [num_outputs], for regression: outputs are target_mean + target_std *
            logits, so that training starts at the mean, in the unit of the targets. Saved with the weights.

    Attributes:
        mean, std: scaling of pixels in 0..1 the weights were trained with, one number a channel.
        interpolation: the resizing they were trained with.

    Raises:
        ValueError: num_outputs < 1; what the backbone, pooling, neck and head refuse.
        FileNotFoundError: `weights` does not exist.

    >>> from compkit.models import AvgPool, LinearHead, NoNeck
    >>> model = Classifier("test_resnet", AvgPool, NoNeck, LinearHead, num_outputs=5, pretrained=False)
    >>> model(torch.zeros(2, 3, 64, 64)).shape, model.embed(torch.zeros(2, 3, 64, 64)).shape
    (torch.Size([2, 5]), torch.Size([2, 96]))
    """

    target_mean: Tensor | None
    target_std: Tensor | None

    def __init__(
        self,
        backbone: str,
        pooling: Callable[..., Pooling],
        neck: Callable[..., Neck],
        head: Callable[..., nn.Module],
        num_outputs: int,
        in_chans: int = 3,
        image_size: int | Sequence[int] = 224,
        pretrained: bool = True,
        weights: str | Path | None = None,
        drop_path_rate: float | None = None,
        target_mean: np.ndarray | Tensor | None = None,
        target_std: np.ndarray | Tensor | None = None,
    ) -> None:
        super().__init__()
        if num_outputs < 1:
            raise ValueError(
                f"num_outputs must be >= 1, got {num_outputs}: the competition has no classes. "
                "Look at competition.target_column and competition.classes."
            )
        self.backbone = Backbone(backbone, in_chans, image_size, pretrained, weights, drop_path_rate)
        self.pooling = pooling(in_features=self.backbone.channels)
        self.neck = neck(in_features=self.pooling.out_features)
        self.head = head(
            in_features=self.neck.out_features, num_outputs=num_outputs, bias=self.neck.head_bias
        )
        for name, values in (("target_mean", target_mean), ("target_std", target_std)):
            buffer = None if values is None else torch.as_tensor(values, dtype=torch.float32).clone()
            assert buffer is None or buffer.shape == (num_outputs,), (name, buffer.shape, num_outputs)
            self.register_buffer(name, buffer)
        assert (target_mean is None) == (target_std is None), "target_mean and target_std go together"

        self.mean, self.std = self.backbone.mean, self.backbone.std
        self.interpolation = self.backbone.interpolation

    def features(self, images: Tensor) -> Tensor:
        """Pooled features before the neck, what metric losses compare, [B, D]."""
        return self.pooling(self.backbone(images))

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings behind the neck, what retrieval compares, [B, D]; of length 1 behind a BNNeck."""
        embeddings = self.neck(self.features(images))
        return F.normalize(embeddings.float(), dim=1) if self.neck.unit_length else embeddings

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_outputs] of images float [B, in_chans, H, W]; regression: in the targets' unit."""
        logits = self.head(self.neck(self.features(images)))
        if self.target_mean is None or self.target_std is None:
            return logits
        return self.target_mean + self.target_std * logits.float()
