"""A loss as a function of logits and labels, and the values that known losses must have."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compkit.diagnosis import Labels, labels_of, prior_loss
from compkit.diagnosis.loss_terms import has_prior
from compkit.losses import Loss, WeightedSum
from compkit.types import Outputs, Targets, Task

SURE = 20.0  # logit of a network that knows, for the right class; minus that for the others
LOWEST = -30.0  # logit of a class that never occurs
NUMBERS = 4_000_000  # rows times classes that are tried at most


class Sheet(NamedTuple):
    """Labels of some training rows, and a loss to hold answers to them against.

    Attributes:
        loss: of the run.
        labels: int64 [N] or float32 [N, C], on the loss's device.
        task: what they are.
        guess: the best answer of cross-entropy, or of the squared error, that looks at no picture, on all training
            rows, [C].
    """

    loss: Loss
    labels: Tensor
    task: Task
    guess: Tensor

    @property
    def classes(self) -> int:
        """C."""
        return len(self.guess)

    def value(self, logits: Tensor, labels: Tensor | None = None) -> float:
        """The loss of the labels alone, as validation computes it."""
        labels = self.labels if labels is None else labels
        self.loss.eval()
        with torch.no_grad():
            return float(self.loss(Outputs(logits.to(labels.device)), Targets(labels)))

    def same(self, logits: Tensor) -> Tensor:
        """One answer [C] to all rows, [N, C]."""
        return logits.float().expand(len(self.labels), self.classes).contiguous()

    def sure(self, scale: float = SURE) -> Tensor:
        """The right answer to each row, [N, C]: logits of scale and -scale, or the numbers themselves."""
        if self.task == Task.REGRESSION:
            return self.labels.float()
        return (2 * one_hot(self.labels, self.classes) - 1) * scale

    def mistaken(self, scale: float) -> Tensor:
        """A wrong answer to each row: the next class, every label turned round, the other side of the mean."""
        if self.task == Task.REGRESSION:
            return 2 * self.labels.mean(dim=0) - self.labels
        if self.task == Task.MULTILABEL:
            return -self.sure(scale)
        other = (self.labels + 1) % self.classes
        return (2 * one_hot(other, self.classes) - 1) * scale


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """float32 [N, C]; labels that are shares already stay."""
    return labels.float() if labels.is_floating_point() else F.one_hot(labels, classes).float()


def best_guess(labels: Tensor, task: Task, classes: int) -> Tensor:
    """Logits of the shares of the labels, or the mean of the numbers, [C].

    >>> best_guess(torch.tensor([0, 0, 1, 1]), Task.MULTICLASS, 2)
    tensor([-0.6931, -0.6931])
    """
    if task == Task.REGRESSION:
        return labels.mean(dim=0)
    if labels.is_floating_point():
        shares = labels.mean(dim=0)
    else:
        shares = torch.bincount(labels, minlength=classes) / len(labels)
    logits = shares.log() if task == Task.MULTICLASS else shares.logit()
    return logits.clamp(LOWEST, -LOWEST)


class Known(NamedTuple):
    """What a loss must be for an answer.

    Attributes:
        name: of the term; "" where the loss has no terms.
        loss: that says it.
        logits: one answer to all, [C].
        value: of the loss for it.
        words: what the answer is.
        floor: of the loss for answers that are right and sure; None for smoothed labels, which punish being sure.
    """

    name: str
    loss: Loss
    logits: np.ndarray
    value: float
    words: str
    floor: float | None


def known_values(
    node: Mapping[str, Any], loss: Loss, targets: np.ndarray, task: Task, counts: np.ndarray | None
) -> list[Known]:
    """What is known of a run's loss, or of the terms of a sum.

    Args:
        node: the loss's settings, as in config.yaml.
        loss: made of them, or a shell around what was.
        targets: labels of some rows, int64 [N] or float [N, C].
        task: what they are.
        counts: training rows of each class, by which classes may be weighted.
    """
    main: Any = getattr(loss, "main", None)
    if main is not None:
        return known_values(node, main, targets, task, counts)
    if isinstance(loss, WeightedSum):
        terms = node["terms"]
        return [
            one._replace(name=name)
            for name, member in loss.losses().items()
            for one in known_values(terms[name], member, targets, task, counts)
        ]
    classes = targets.shape[1] if targets.ndim > 1 else len(counts)  # type: ignore[arg-type]
    found = _at_prior(node, labels_of(task, targets, classes), counts) or _at_equal(node, classes)
    if found is None:
        return []
    logits, value, words = found
    return [Known("", loss, logits, value, words, None if node.get("smoothing") else 0.0)]


def _at_prior(
    node: Mapping[str, Any], labels: Labels, counts: np.ndarray | None
) -> tuple[np.ndarray, float, str] | None:
    """The best answer without weights, its value, and what it is."""
    is_weighted = any(node.get(key) is not None for key in ("class_weight", "pos_weight", "column_weight"))
    name = str(node["_target_"]).rpartition(".")[2]
    if not has_prior(node) or is_weighted or name == "Huber":
        return None
    value = prior_loss(node, labels, counts)
    assert value is not None, "training rows without labels"
    if labels.numbers is not None:
        of_columns = np.mean if name == "MSE" else np.median
        return np.asarray(of_columns(labels.numbers, axis=0)), value, "the same number for all"
    assert labels.shares is not None
    smoothing = float(node.get("smoothing") or 0.0)
    with np.errstate(divide="ignore"):
        if labels.task == Task.MULTICLASS:
            soft = (1 - smoothing) * labels.shares + smoothing / len(labels.shares)
            logits = np.log(soft)
        else:
            soft = (1 - smoothing) * labels.shares + smoothing / 2
            logits = np.log(soft) - np.log1p(-soft)
    return logits.clip(LOWEST, -LOWEST), value, "the shares of the classes"


def _at_equal(node: Mapping[str, Any], classes: int) -> tuple[np.ndarray, float, str] | None:
    """Value of equal logits, for losses whose value for the shares of the classes has no closed form."""
    target, gamma = str(node["_target_"]), float(node.get("gamma") or 0.0)
    if node.get("smoothing") or node.get("alpha") is not None or node.get("pos_weight") is not None:
        return None
    values = {
        "compkit.losses.CrossEntropy": math.log(classes),
        "compkit.losses.Hinge": float(node.get("margin") or 1.0) * (classes - 1),
        "compkit.losses.FocalLoss": (1 - 1 / classes) ** gamma * math.log(classes),
        "compkit.losses.BinaryFocalLoss": 0.5**gamma * math.log(2),
    }
    return (np.zeros(classes), values[target], "equal logits") if target in values else None
