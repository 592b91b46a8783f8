"""Losses of columns that a network learns beside the target, and never predicts for anybody."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from compkit.losses.classification import cross_entropy
from compkit.losses.loss import Loss, shared
from compkit.losses.regression import mean_squared_error
from compkit.types import Outputs, Targets, Task

TARGET, AUXILIARY = "target", "auxiliary_"  # names of the main loss's term, and what the others begin with


class AuxiliaryTerm(NamedTuple):
    """One further column: what kind of label it holds and how much it counts."""

    task: Task
    weight: float


class WithAuxiliary(Loss):
    """A loss, and the losses of auxiliary columns beside it, each with its weight.

    Classes cost cross-entropy, numbers (given in units of their spread) the squared error. Rows
    whose label is missing (-1, or NaN) count in no mean.

    Args:
        main: the loss of the target.
        columns: name -> AuxiliaryTerm.

    >>> from compkit.losses import CrossEntropy
    >>> loss = WithAuxiliary(CrossEntropy(), {"genus": AuxiliaryTerm(Task.MULTICLASS, 0.5)})
    >>> outputs = Outputs(torch.zeros(1, 2), auxiliary={"genus": torch.zeros(1, 4)})
    >>> loss.terms(outputs, Targets(torch.tensor([0]), auxiliary={"genus": Targets(torch.tensor([3]))}))
    {'target': tensor(0.6931), 'auxiliary_genus': tensor(0.6931)}
    """

    def __init__(self, main: Loss, columns: Mapping[str, AuxiliaryTerm]) -> None:
        super().__init__(class_counts=main.class_counts)
        self.main = main
        self.columns = dict(columns)
        self.tasks, self.reads, self.takes_mixed = main.tasks, main.reads, main.takes_mixed
        self.per_batch = main.per_batch
        self.term_names = tuple(
            [*(named(name) for name in main.term_names), *(f"{AUXILIARY}{name}" for name in self.columns)]
        )

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        terms = {named(name): term for name, term in self.main.terms(outputs, targets).items()}
        if outputs.auxiliary is None:  # validation looks at the target alone
            return terms
        for name, column in self.columns.items():
            weights = self._weights(name, targets)
            values = self._values(name, outputs.auxiliary[name], targets)
            # a batch in which all labels are missing costs nothing
            terms[f"{AUXILIARY}{name}"] = column.weight * values.sum() / weights.sum().clamp(min=1e-12)
        return terms

    def term_weights(self, targets: Targets | Tensor) -> dict[str, Tensor]:
        weights = {named(name): weight for name, weight in self.main.term_weights(targets).items()}
        if isinstance(targets, Targets) and targets.auxiliary is not None:
            weights |= {f"{AUXILIARY}{name}": self._weights(name, targets) for name in self.columns}
        return weights

    def weights(self, targets: Targets | Tensor) -> Tensor:
        return self.main.weights(targets)

    def _weights(self, name: str, targets: Targets) -> Tensor:
        assert targets.auxiliary is not None
        parts = [shared(known(labels), share) for labels, share in targets.auxiliary[name].parts()]
        return torch.stack(parts).sum(dim=0)

    def _values(self, name: str, logits: Tensor, targets: Targets) -> Tensor:
        assert targets.auxiliary is not None
        parts = []
        for labels, share in targets.auxiliary[name].parts():
            is_known = known(labels)
            filled = torch.where(is_known.reshape(-1, *[1] * (labels.ndim - 1)) > 0, labels, 0)
            parts.append(shared(per_sample(self.columns[name].task, logits, filled) * is_known, share))
        return torch.stack(parts).sum(dim=0)

    def check_task(self, task: Task) -> None:
        self.main.check_task(task)

    def prepare(self, num_features: int) -> None:
        self.main.prepare(num_features)

    def make_optimizer(self) -> Optimizer | None:
        return self.main.make_optimizer()


def named(term: str) -> str:
    """The name of the main loss's term; "loss" is the sum of all."""
    return TARGET if term == "loss" else term


def known(labels: Tensor) -> Tensor:
    """1.0 where a row has a label, else 0.0, [B].

    >>> known(torch.tensor([2, -1])), known(torch.tensor([[0.5], [float("nan")]]))
    (tensor([1., 0.]), tensor([1., 0.]))
    """
    if labels.is_floating_point():
        return (~labels.isnan().any(dim=1)).float()
    return (labels >= 0).float()


def per_sample(task: Task, logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of classes, or the squared error of numbers, [B]."""
    losses: dict[Task, Callable[[Tensor, Tensor], Tensor]] = {
        Task.MULTICLASS: cross_entropy,
        Task.REGRESSION: mean_squared_error,
    }
    return losses[task](logits, labels)
