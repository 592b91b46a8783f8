"""Losses as somebody might write them wrong: each trains or crashes in its own silent way."""

import torch
import torch.nn.functional as F
from torch import Tensor

from compkit.losses import Loss


class Uphill(Loss):
    """The sign is wrong."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return -F.cross_entropy(inputs, labels, reduction="none")


class Detached(Loss):
    """No gradient reaches the network: the loss was computed of a copy."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs.detach(), labels, reduction="none") + 0 * inputs.sum(dim=1)


class Cut(Loss):
    """The graph is cut: through NumPy or `.item()` and back."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs.detach(), labels, reduction="none")


class OfProbabilities(Loss):
    """A softmax before the one inside of cross-entropy."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs.softmax(dim=1), labels, reduction="none")


class SigmoidTwice(Loss):
    """Binary cross-entropy of logits, given probabilities."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        values = F.binary_cross_entropy_with_logits(inputs.sigmoid(), labels, reduction="none")
        return values.mean(dim=1)


class Summed(Loss):
    """The sum over the batch where the mean is wanted."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return len(labels) * F.cross_entropy(inputs, labels, reduction="none")


class SummedLabels(Loss):
    """The sum over labels, times a factor left over from another data set."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return 100 * F.binary_cross_entropy_with_logits(inputs, labels, reduction="none").sum(dim=1)


class WrongAxis(Loss):
    """The softmax runs over the batch instead of the classes."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return -inputs.log_softmax(dim=0).gather(1, labels[:, None])[:, 0]


class Broadcast(Loss):
    """[B] beside [B, 1]: every prediction is held against every target."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return (inputs[:, 0] - labels).square().mean(dim=1)


class Deaf(Loss):
    """The labels are not used: the surest guess wins."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, inputs.argmax(dim=1), reduction="none")


class NextClass(Loss):
    """Classes count from 1 in one place and from 0 in another."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, (labels + 1) % inputs.shape[1], reduction="none")


class FirstRowOnly(Loss):
    """An index left over from debugging: all samples get the first one's label."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, labels[:1].expand(len(labels)), reduction="none")


class NaNForOneClass(Loss):
    """A logarithm of 0 for the pictures of one class."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        values = F.cross_entropy(inputs, labels, reduction="none")
        return torch.where(labels == 7, values * torch.log(values * 0) * 0, values)


class Rounded(Loss):
    """Of rounded predictions: the gradient is 0 everywhere."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return (inputs.round() - labels).abs().mean(dim=1)


class WithoutFirstClass(Loss):
    """The first class is ignored, as if it were padding."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, labels, reduction="none", ignore_index=0)


class NegativeWeight(Loss):
    """A class weight of -1 left over from an experiment."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, labels, reduction="none") * torch.where(labels == 3, -1.0, 1.0)


class IgnoredLabel(Loss):
    """The last label's column is cut off."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(inputs[:, :-1], labels[:, :-1], reduction="none").mean(
            dim=1
        )


class WithoutLogarithm(Loss):
    """nll_loss of probabilities instead of their logarithms."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.nll_loss(inputs.softmax(dim=1), labels, reduction="none")


class Tiny(Loss):
    """A factor that drowns the gradient in the optimizer's epsilon."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return 1e-9 * F.cross_entropy(inputs, labels, reduction="none")


class WrongBackward(torch.autograd.Function):
    """Cross-entropy whose gradient was derived by hand, and wrongly: the softmax, without the label."""

    @staticmethod
    def forward(ctx, logits: Tensor, labels: Tensor) -> Tensor:
        ctx.save_for_backward(logits, labels)
        return F.cross_entropy(logits, labels, reduction="none")

    @staticmethod
    def backward(ctx, above: Tensor) -> tuple[Tensor, None]:
        logits, labels = ctx.saved_tensors
        wrong = logits.softmax(dim=1) - 0.5 * F.one_hot(labels, logits.shape[1])
        return above[:, None] * wrong, None


class HandMade(Loss):
    """Cross-entropy with a wrong backward."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return WrongBackward.apply(inputs, labels)


class WithPenalty(Loss):
    """Cross-entropy beside a penalty on the logits that outweighs it a thousandfold."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs, labels, reduction="none") + 1000 * inputs.square().sum(dim=1)
