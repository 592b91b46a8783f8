"""Lovász losses: the Jaccard index made continuous, so that gradients can raise it."""

import torch
from torch import Tensor

from compkit.losses.label_sets import LabelSetLoss
from compkit.losses.loss import SetLoss
from compkit.losses.reduce import at_least_float32
from compkit.types import Task


def lovasz_extension(errors: Tensor, positive: Tensor) -> Tensor:
    """The Jaccard loss of each set, between the errors of 0 and 1 for which alone it is defined.

    Errors are taken from the largest down, each times what its member adds to the Jaccard loss (1 - intersection
    over union) of the members so far, as if those and no others were wrong. A set without positives costs its
    largest error.

    Args:
        errors: how wrong each member is, [S, N], a set a row; 0 and 1 give the Jaccard loss itself.
        positive: which members are truly in the set, bool [S, N].

    Returns:
        Loss of each set, [S].

    Source: Berman et al. 2018, arXiv:1705.08790, eq. 8 and 9, algorithm 1.

    >>> lovasz_extension(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[True, False, True]]))
    tensor([0.6667])
    """
    errors, order = errors.sort(dim=1, descending=True)
    positive = positive.gather(1, order)
    total = positive.sum(dim=1, keepdim=True)
    # the true members not yet wrong; counted in whole numbers, as float32 stops counting at 16.7 million
    left = (total - positive.cumsum(dim=1, dtype=torch.int32)).to(errors.dtype)
    union = left + torch.arange(1, errors.shape[1] + 1, device=errors.device)
    # what each adds, in closed form, as subtracting neighbours would lose their digits: a true member takes 1
    # from the intersection, a false one adds 1 to the union
    steps = torch.where(positive, 1, left / (union - 1).clamp_min(1)) / union
    steps[:, :1] = torch.where(total > 0, steps[:, :1], 1)  # without positives any error is the whole loss
    return (errors * steps).sum(dim=1)


def lovasz_softmax(probs: Tensor, labels: Tensor) -> Tensor:
    """The Jaccard loss of probabilities, the mean over the classes that are present; all members are one set.

    Args:
        probs: softmax probabilities, [P, C], or [B, C, H, W].
        labels: classes, int64 [P], or [B, H, W].

    Returns:
        A scalar in [0, 1], []; float32 at least.

    Source: Berman et al. 2018, arXiv:1705.08790, eq. 11 and 12.

    >>> lovasz_softmax(torch.tensor([[0.75, 0.25], [0.5, 0.5]]), torch.tensor([0, 0]))
    tensor(0.3750)
    """
    assert not labels.is_floating_point(), "soft labels are not defined for Lovász losses"
    probs = at_least_float32(probs).movedim(1, 0).flatten(1)
    positive = labels.flatten() == torch.arange(len(probs), device=labels.device)[:, None]
    values = lovasz_extension((positive.to(probs.dtype) - probs).abs(), positive)
    present = positive.any(dim=1)
    return (values * present).sum() / present.sum().clamp_min(1)


def lovasz_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """The Jaccard loss of yes-or-no scores, for each set by itself; a member right by more than 1 has no error.

    Args:
        logits: unnormalised scores, [S, ...]: masks [B, H, W], or labels [B, C].
        labels: 0 or 1, of the same shape.

    Returns:
        Loss of each set, [S], float32 at least; without positives it is the worst error.

    Source: Berman et al. 2018, arXiv:1705.08790, section 3.1.

    >>> lovasz_hinge(torch.tensor([[2.0, -0.5]]), torch.tensor([[1, 0]]))
    tensor([0.2500])
    """
    logits, positive = at_least_float32(logits).flatten(1), labels.flatten(1) > 0.5
    errors = 1 - torch.where(positive, logits, -logits)
    return lovasz_extension(errors.relu(), positive)


class LovaszSoftmax(SetLoss):
    """Lovász-softmax loss of a batch, for exactly one class an image or pixel; see lovasz_softmax.

    >>> LovaszSoftmax()(torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor(0.5000)
    """

    tasks = (Task.MULTICLASS,)
    takes_mixed = False

    def of_batch(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return lovasz_softmax(at_least_float32(inputs).softmax(dim=1), labels)


class LovaszMultilabel(LabelSetLoss):
    """Lovász hinge loss of sets of labels; see LabelSetLoss for `axis`, and lovasz_hinge.

    >>> LovaszMultilabel(axis="sample")(torch.tensor([[2.0, -0.5]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.2500)
    """

    takes_mixed = False

    def of_sets(self, logits: Tensor, labels: Tensor) -> Tensor:
        return lovasz_hinge(logits, labels)
