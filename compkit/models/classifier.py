"""The whole network: images in, logits or embeddings out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.models.backbone import Backbone
from compkit.models.frozen import keep_frozen_norms_in_eval
from compkit.models.head import Head
from compkit.models.neck import Neck
from compkit.models.pooling import Pooling
from compkit.types import Outputs, Targets


class Classifier(nn.Module):
    """Backbone, pooling, neck and head in a row; for regression too.

    images -> backbone -> map -> pooling -> features -> neck -> embedding -> head -> logits

    Args:
        backbone: timm name of the network.
        pooling: makes a Pooling when called with in_features.
        neck: makes a Neck when called with in_features.
        head: makes a Head when called with in_features, num_outputs, bias and class_counts.
        num_outputs: number of classes, or of regression targets, >= 1.
        initialise: draws the weights of a module anew; of everything that was not pretrained.
        class_counts: training samples of each class, [C], for heads that look at them; None for regression.
        prior_bias: whether the head starts at `first_logits`.
        first_logits: log odds of the classes in training, [num_outputs]; None where there are none.
        target_mean, target_std: [num_outputs], for regression: outputs are target_mean + target_std *
            logits, so that training starts at the mean, in the unit of the targets. Saved with the weights.
        auxiliary: outputs of a linear head for each auxiliary column, by name.
        pretrained, weights: where the backbone's weights come from, see Backbone.
        backbone_options: what else Backbone takes: in_chans, image_size, drop_path_rate, …

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
        head: Callable[..., Head],
        num_outputs: int,
        initialise: Callable[[nn.Module], None] | None = None,
        class_counts: np.ndarray | None = None,
        prior_bias: bool = True,
        first_logits: Sequence[float] | None = None,
        target_mean: np.ndarray | Tensor | None = None,
        target_std: np.ndarray | Tensor | None = None,
        auxiliary: Mapping[str, int] | None = None,
        pretrained: bool = True,
        weights: str | Path | None = None,
        **backbone_options: Any,
    ) -> None:
        super().__init__()
        if num_outputs < 1:
            raise ValueError(
                f"num_outputs must be >= 1, got {num_outputs}: the competition has no classes. "
                "Look at competition.target_column and competition.classes."
            )
        self.backbone = Backbone(backbone, pretrained=pretrained, weights=weights, **backbone_options)
        self.pooling = pooling(in_features=self.backbone.channels)
        self.neck = neck(in_features=self.pooling.out_features)
        width = self.neck.out_features
        self.head = head(
            in_features=width, num_outputs=num_outputs, bias=self.neck.head_bias, class_counts=class_counts
        )
        # a bare name could be one that every ModuleDict has, such as `type` or `keys`
        heads = {f"of_{name}": nn.Linear(width, outputs) for name, outputs in (auxiliary or {}).items()}
        self.auxiliary = nn.ModuleDict(heads)
        if initialise is not None:
            # what is pretrained stays, whatever was asked for
            from_scratch = not pretrained and weights is None
            new = [self] if from_scratch else [self.pooling, self.neck, self.head, self.auxiliary]
            for part in new:
                initialise(part)
        if prior_bias and first_logits is not None:
            self.head.start_at(first_logits)
        for name, values in (("target_mean", target_mean), ("target_std", target_std)):
            buffer = None if values is None else torch.as_tensor(values, dtype=torch.float32).clone()
            assert buffer is None or buffer.shape == (num_outputs,), (name, buffer.shape, num_outputs)
            self.register_buffer(name, buffer)
        assert (target_mean is None) == (target_std is None), "target_mean and target_std go together"

        self.mean, self.std = self.backbone.mean, self.backbone.std
        self.interpolation = self.backbone.interpolation

    @property
    def num_features(self) -> int:
        """D, the length of `features`."""
        return self.pooling.out_features

    def features(self, images: Tensor) -> Tensor:
        """Pooled features before the neck, what metric losses compare, [B, D]."""
        return self.pooling(self.backbone(images))

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings behind the neck, what retrieval compares, [B, D]; of length 1 behind a BNNeck."""
        embeddings = self.neck(self.features(images))
        return F.normalize(embeddings.float(), dim=1) if self.neck.unit_length else embeddings

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | Outputs:
        """What the network says of images float [B, in_chans, H, W].

        Returns:
            logits [B, num_outputs], for regression in the targets' unit; with targets the `Outputs` that
            losses read.
        """
        features = self.features(images)
        embeddings = self.neck(features)
        outputs = self.head(embeddings, targets)
        logits = self._in_units(outputs.logits)
        if targets is None:
            return logits
        auxiliary = {name.removeprefix("of_"): head(embeddings) for name, head in self.auxiliary.items()}
        views = tuple(self._in_units(view) for view in outputs.views)
        return outputs._replace(logits=logits, features=features, views=views, auxiliary=auxiliary or None)

    def _in_units(self, logits: Tensor) -> Tensor:
        if self.target_mean is None or self.target_std is None:
            return logits
        return self.target_mean + self.target_std * logits.float()

    def train(self, mode: bool = True) -> Self:
        """As torch's own, but batch norm that was frozen keeps its statistics."""
        super().train(mode)
        keep_frozen_norms_in_eval(self)
        return self
