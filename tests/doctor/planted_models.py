"""Networks as somebody might write them wrong, each a Classifier with one mistake."""

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.models import AvgPool, Classifier, Head, LinearHead
from compkit.types import Outputs, Targets

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def with_logits(outputs: Tensor | Outputs, logits: Tensor) -> Tensor | Outputs:
    """The outputs with other logits."""
    return logits if isinstance(outputs, Tensor) else outputs._replace(logits=logits)


def logits_of(outputs: Tensor | Outputs) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs.logits


class Changed(Classifier):
    """A classifier whose logits go through `change`."""

    def change(self, logits: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | Outputs:
        outputs = super().forward(images, targets)
        return with_logits(outputs, self.change(logits_of(outputs)))


class Softmaxed(Changed):
    """Probabilities, where losses want logits."""

    def change(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)


class Sigmoided(Changed):
    """Probabilities of labels, where losses want logits."""

    def change(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class Bounded(Changed):
    """A sigmoid behind a regression whose targets go far beyond 1."""

    def change(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class Rectified(Changed):
    """A ReLU left behind the last layer."""

    def change(self, logits: Tensor) -> Tensor:
        return logits.relu()


class RowMixer(Changed):
    """Logits are normalised over the batch, in evaluation too."""

    def change(self, logits: Tensor) -> Tensor:
        return logits - logits.mean(dim=0)


class Reversed(Changed):
    """The rows come out in another order than they went in."""

    def change(self, logits: Tensor) -> Tensor:
        return logits.flip(0)


class Noisy(Changed):
    """Dropout in evaluation too: torch's function drops unless it is told not to."""

    def change(self, logits: Tensor) -> Tensor:
        return F.dropout(logits, 0.5)


class NaNForDarkRows(Classifier):
    """A root of something that may be negative: NaN for a few pictures."""

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | Outputs:
        outputs = super().forward(images, targets)
        brightness = images.mean(dim=(1, 2, 3))
        root = (brightness - brightness.min() - 1e-3).sqrt() * 0
        return with_logits(outputs, logits_of(outputs) + root[:, None])


class ConstantInput(Classifier):
    """Pictures are overwritten before they are looked at."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(torch.zeros_like(images))


class Blind(Classifier):
    """Features are multiplied away: the head's bias is all that is learnt."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images) * 0


class NoGradient(Classifier):
    """The backbone runs under no_grad."""

    def features(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return super().features(images)


class DetachedFeatures(Classifier):
    """The head learns of a copy of the features."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images).detach()


class FrozenStem(Classifier):
    """The first layer was frozen in the constructor."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        first = next(module for module in self.backbone.modules() if isinstance(module, nn.Conv2d))
        first.requires_grad_(False)


class FrozenBackbone(Classifier):
    """The backbone was frozen in the constructor, and its weights are random."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.backbone.requires_grad_(False)


class AlwaysEvaluating(Classifier):
    """`train()` was overridden, and does nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class EvaluatingInForward(Classifier):
    """`eval()` is called where the network runs."""

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | Outputs:
        self.eval()
        return super().forward(images, targets)


class AlwaysTraining(Classifier):
    """`eval()` does nothing: batch statistics decide in evaluation."""

    def train(self, mode: bool = True) -> Self:
        return super().train(True)


class BatchStatistics(Classifier):
    """Batch norms keep no running statistics."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for module in self.modules():
            if isinstance(module, BATCH_NORMS):
                module.track_running_stats = False
                module.running_mean = module.running_var = None


class StillStatistics(Classifier):
    """The momentum of all batch norms is 0: running statistics stay at their start."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for module in self.modules():
            if isinstance(module, BATCH_NORMS):
                module.momentum = 0.0


class RawPixels(Classifier):
    """Takes pixels from 0 to 255 as they are."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mean, self.std = (0.0,) * self.backbone.in_chans, (1 / 255,) * self.backbone.in_chans


class Dimmed(Classifier):
    """Pixels were divided by 255 once more: all pictures look black."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mean, self.std = (0.0,) * self.backbone.in_chans, (255.0,) * self.backbone.in_chans


class MirroredInTraining(Classifier):
    """Pictures stand on their head while the network learns, and upright when it is judged."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images.flip(2) if self.training else images)


class DyingUnits(Classifier):
    """A bias before each activation that no unit comes back from."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, module in self.backbone.named_modules():
            if isinstance(module, BATCH_NORMS) or name.endswith("fc1"):
                nn.init.constant_(module.bias, -30.0)


class Vanishing(Classifier):
    """Weights so small that the gradient is gone before it reaches the first layer."""

    def features(self, images: Tensor) -> Tensor:
        return torch.sigmoid(1e-12 * super().features(images))


class LoudHead(Classifier):
    """The head starts a thousand times too large."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        with torch.no_grad():
            self.head.linear.weight.mul_(1000)


class ConstantWeights(Classifier):
    """All weights of a layer start as one number, so that its units stay copies of each other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.constant_(module.weight, 0.01)


class HastyStatistics(Classifier):
    """The momentum of another framework: 0.99 is the share of the newest batch here."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for module in self.modules():
            if isinstance(module, BATCH_NORMS):
                module.momentum = 0.99


class UnusedLayer(Classifier):
    """A layer that was made and forgotten."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.attention = nn.Linear(self.num_features, self.num_features)


class MadeInForward(Classifier):
    """A layer made when it is first needed, after the optimizer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.late = None

    def features(self, images: Tensor) -> Tensor:
        features = super().features(images)
        if self.late is None:
            self.late = nn.Linear(features.shape[1], features.shape[1], device=features.device)
        return self.late(features)


class NewEachTime(Classifier):
    """A layer made anew in every forward pass: it never learns, and every answer is another."""

    def features(self, images: Tensor) -> Tensor:
        features = super().features(images)
        return nn.Linear(features.shape[1], features.shape[1], device=features.device)(features)


class ListedHead(Head):
    """Its layer lies in a list, which torch does not look into."""

    def __init__(self, in_features: int, num_outputs: int, bias: bool = True, class_counts: Any = None):
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.layers = [nn.Linear(in_features, num_outputs)]

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        return Outputs(self.layers[0](embeddings))


class OneClassHead(LinearHead):
    """All classes get the same number."""

    def forward(self, embeddings: Tensor, targets: Targets | None = None) -> Outputs:
        logits = super().forward(embeddings, targets).logits
        return Outputs(logits[:, :1].expand_as(logits))


class HalvedMean(torch.autograd.Function):
    """A mean whose gradient reaches only half of the places, and those with the wrong sign."""

    @staticmethod
    def forward(ctx, features: Tensor) -> Tensor:
        ctx.shape = features.shape
        return features.mean(dim=(2, 3))

    @staticmethod
    def backward(ctx, above: Tensor) -> Tensor:
        _, _, height, width = ctx.shape
        spread = above[:, :, None, None].expand(ctx.shape).clone() / (height * width)
        spread[:, : spread.shape[1] // 2] *= -1
        return spread


class WrongPool(AvgPool):
    """Mean pooling with a wrong backward."""

    def forward(self, features: Tensor) -> Tensor:
        return HalvedMean.apply(features)


class WrongWeightGradient(torch.autograd.Function):
    """A linear layer that passes the right gradient down, and gets its own weight's wrong."""

    @staticmethod
    def forward(ctx, features: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        return features @ weight.t()

    @staticmethod
    def backward(ctx, above: Tensor) -> tuple[Tensor, Tensor]:
        features, weight = ctx.saved_tensors
        return above @ weight, -(above.t() @ features)


class WrongLayer(Classifier):
    """One layer of many with a wrong gradient of its own weight."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mix = nn.Parameter(torch.eye(self.num_features))

    def features(self, images: Tensor) -> Tensor:
        return WrongWeightGradient.apply(super().features(images), self.mix)
