"""Parts of a user's own with nothing wrong about them."""

import itertools
from typing import Any

import albumentations as A
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from compkit.data import Sampler
from compkit.losses import Loss
from compkit.metrics import Metric
from compkit.models import AvgPool, Classifier, Head
from compkit.optim import OptimizerBuilder, Schedule
from compkit.types import Outputs, Targets, Task


class Poly(Loss):
    """Cross-entropy and a first-order term."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        share = inputs.softmax(dim=1).gather(1, labels[:, None])[:, 0]
        return F.cross_entropy(inputs, labels, reduction="none") + (1 - share)


class OneAgainstRest(Loss):
    """Binary cross-entropy of each class, summed."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        wanted = F.one_hot(labels, inputs.shape[1]).to(inputs.dtype)
        return F.binary_cross_entropy_with_logits(inputs, wanted, reduction="none").sum(dim=1)


class LogCosh(Loss):
    """A smooth absolute error."""

    tasks = (Task.REGRESSION,)

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        error = inputs - labels
        return (error + F.softplus(-2 * error) - np.log(2)).mean(dim=1)


class HandMadeEntropy(torch.autograd.Function):
    """Cross-entropy with a backward derived by hand."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        ctx.save_for_backward(logits, labels)
        return F.cross_entropy(logits, labels, reduction="none")

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor, None]:
        logits, labels = ctx.saved_tensors
        return above[:, None] * (logits.softmax(dim=1) - F.one_hot(labels, logits.shape[1])), None


class HandMade(Loss):
    """Cross-entropy with a right backward."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return HandMadeEntropy.apply(inputs, labels)


class PlainNet(nn.Module):
    """Three convolutions and a linear layer, knowing nothing of compkit's parts.

    Args:
        num_outputs: C.
        in_chans: channels of the pictures.
        norm: whether batch norms follow the convolutions.
        options: what else conf/model holds.
    """

    def __init__(self, num_outputs: int, in_chans: int, norm: bool = True, **options: Any) -> None:
        super().__init__()
        widths, layers = (in_chans, 16, 32, 64), []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=not norm)]
            layers += [nn.BatchNorm2d(after)] if norm else []
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.layers, self.last = nn.Sequential(*layers), nn.Linear(widths[-1], num_outputs)
        self.num_features = widths[-1]
        self.mean, self.std = (0.5,) * in_chans, (0.25,) * in_chans
        if not norm:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor:
        return self.last(self.layers(images).mean(dim=(2, 3)))


class GatedNet(Classifier):
    """Features are weighted by a gate of their own, which starts closed to all but a shortcut."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gate = nn.Linear(self.num_features, self.num_features)
        self.share = nn.Parameter(torch.zeros(1))

    def features(self, images: Tensor) -> Tensor:
        features = super().features(images)
        return features + self.share * torch.sigmoid(self.gate(features)) * features


class NormFirst(Classifier):
    """A batch norm before the first layer takes the place of a fixed scaling."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.first = nn.BatchNorm2d(self.backbone.in_chans, affine=False)

    def features(self, images: Tensor) -> Any:
        return super().features(self.first(images))


class Checkpointed(Classifier):
    """Trades time for memory in the old way, and draws its noise from NumPy."""

    def features(self, images: Tensor) -> Any:
        if self.training:
            images = images * float(np.random.uniform(0.9, 1.1))
        return checkpoint(super().features, images.requires_grad_(), use_reentrant=True)


class TwoLayerHead(Head):
    """A hidden layer with dropout in front of the classes."""

    def __init__(self, in_features: int, num_outputs: int, bias: bool = True, class_counts: Any = None):
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.layers = nn.Sequential(
            nn.Linear(in_features, in_features),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(in_features, num_outputs),
        )

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        return Outputs(self.layers(embeddings))


class SpreadMean(torch.autograd.Function):
    """A mean over places with its gradient written out."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.shape = features.shape
        return features.mean(dim=(2, 3))

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> Tensor:
        _, _, height, width = ctx.shape
        return above[:, :, None, None].expand(ctx.shape) / (height * width)


class HandMadePool(AvgPool):
    """Mean pooling with a right backward."""

    def forward(self, features: Tensor) -> Tensor:
        return SpreadMean.apply(features)


class SignedSteps(torch.optim.Optimizer):
    """Steps of one size against the sign of a running mean of the gradient."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                    mean.lerp_(parameter.grad, 0.1)
                    parameter.sub_(mean.sign(), alpha=group["lr"])


class Signed(OptimizerBuilder):
    """An optimizer of one's own."""

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return SignedSteps(groups, self.lr)


class InverseRoot(Schedule):
    """One over the root of the epochs that have passed."""

    def decay(self, epoch: float, epochs: float) -> float:
        return (1 + epoch) ** -0.5


class Halves(Sampler):
    """Another random half of the rows each epoch."""

    name = "halves"

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(labels))[: max(len(labels) // 2, 2)]


class ErrorRate(Metric):
    """Share of wrong answers."""

    name, greater_is_better, kind, tasks = "error_rate", False, "labels", (Task.MULTICLASS,)

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return float((values.argmax(axis=1) != targets).mean())


class Smoothed(A.ImageOnlyTransform):
    """A little noise on every picture."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        noise = self.random_generator.normal(0, 4, img.shape)
        return np.clip(img + noise, 0, 255).astype(img.dtype)
