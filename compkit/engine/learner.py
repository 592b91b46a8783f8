"""What a fold learns with, and from."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import FixedScale, Loader, Mixing, NoMixing, Preprocessing, Sampler
from compkit.engine.lessons import Lessons
from compkit.losses import Loss
from compkit.metrics import Metric
from compkit.optim import Averaging, Finetune, Schedule
from compkit.types import Batch, Moment, Table, Targets, Task


@dataclass(frozen=True)
class FoldData:
    """What a fold learns from and is judged by.

    Attributes:
        auxiliary: labels of further columns for every row of the table, int64 [N] or float32 [N, C].
        pseudo_rows: how many of `train_rows`, the last ones, models have labelled.
        soft: what to learn instead of the table's classes, probabilities of each row, float32 [N, C].
        lessons: how its pictures become steps; others than the plain ones let teachers speak.
    """

    table: Table
    train_rows: np.ndarray  # int64 positions in the table
    valid_rows: np.ndarray
    loader: Loader
    preprocessing: Preprocessing
    batch_size: int
    task: Task
    sampler: Sampler
    scale: FixedScale
    mixing: Mixing | NoMixing
    auxiliary: dict[str, np.ndarray] = field(default_factory=dict)
    soft: np.ndarray | None = None
    lessons: Lessons = field(default_factory=Lessons)
    pseudo_rows: int = 0

    def targets(self, batch: Batch, device: torch.device) -> Targets:
        """The batch's labels, those of the auxiliary columns among them, on the device."""
        labels = batch.targets if self.soft is None else torch.from_numpy(self.soft[batch.rows.numpy()])
        labels = labels.to(device, non_blocking=True)
        if not self.auxiliary:
            return Targets(labels)
        rows = batch.rows.cpu().numpy()
        further = {name: torch.from_numpy(values[rows]) for name, values in self.auxiliary.items()}
        return Targets(labels, auxiliary={name: Targets(one.to(device)) for name, one in further.items()})


@dataclass(frozen=True)
class Learner:
    """What learns: built for one fold, changed by `fit`."""

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    loss_optimizer: torch.optim.Optimizer | None  # of the loss's own parameters
    schedule: Schedule
    finetune: Finetune
    averaging: Averaging
    metrics: dict[str, Metric]
    metric_name: str  # the metric that chooses the best epoch and drives plateau

    @property
    def greater_is_better(self) -> bool:
        return self.metrics[self.metric_name].greater_is_better

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The model's, and the loss's where it has parameters of its own."""
        return [self.optimizer] + ([] if self.loss_optimizer is None else [self.loss_optimizer])

    def candidates(self) -> dict[str, nn.Module]:
        """The weights that are evaluated and saved apart: name of the file -> module."""
        averaged = self.averaging.model
        return {"best": self.model} | ({} if averaged is None else {self.averaging.name: averaged})

    def set_moment(self, moment: Moment) -> None:
        """Tell every module that warms something up or anneals it how far training has come."""
        for module in (*self.model.modules(), *self.loss.modules()):
            set_moment: Any = getattr(module, "set_moment", None)
            if set_moment is not None:
                set_moment(moment)

    def state_dict(self) -> dict[str, Any]:
        """Everything that training has changed."""
        return {
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedule": self.schedule.state_dict(),
            "averaging": self.averaging.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.schedule.load_state_dict(state["schedule"])
        self.averaging.load_state_dict(state["averaging"])


def term_sums(weights: dict[str, Tensor]) -> Tensor:
    """The sum of each term's sample weights, float32 [T], in the order of the terms."""
    return torch.stack([weight.sum() for weight in weights.values()])
