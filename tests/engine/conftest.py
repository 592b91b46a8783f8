"""A competition in memory and a network of a few weights."""

import numpy as np
import pytest
import torch
from torch import nn

from compkit.data import FixedScale, NoMixing, Preprocessing, Shuffle
from compkit.deadline import Deadline
from compkit.engine import Console, FoldData, Learner, Lessons, Ranks, TrainerSettings, fit
from compkit.losses import CrossEntropy
from compkit.metrics import Accuracy, LogLoss
from compkit.optim import Finetune, NoAveraging, Schedule
from compkit.types import Batch, Outputs, Table, Task

ROWS, CLASSES = 40, 3


class MemoryLoader:
    """Pictures in memory; raises when the `fail_at`-th micro-batch is asked for, as a kill would."""

    def __init__(self, images, targets, fail_at=None):
        self.images, self.targets, self.fail_at, self.loaded = images, targets, fail_at, 0

    def batches(self, draws):
        for draw in draws:
            self.loaded += draw.seed is not None
            if self.loaded == self.fail_at:
                raise KeyboardInterrupt
            rows = torch.from_numpy(draw.rows)
            yield Batch(self.images[rows], self.targets[rows], rows)


class Constant(Schedule):
    def decay(self, epoch, epochs):
        return 1.0


class TinyNet(nn.Sequential):
    """Takes targets in training, as every network of ours does; its features are those before the last layer."""

    def forward(self, images, targets=None):
        features = images
        for layer in self[:-1]:
            features = layer(features)
        logits = self[-1](features)
        return logits if targets is None else Outputs(logits, features)


def tiny_net(dropout=0.0, norm=True, dtype=torch.float32):
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4) if norm else nn.Identity(),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
    ]
    return TinyNet(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(4, CLASSES)).to(dtype)


@pytest.fixture
def run_fit(tmp_path):
    """Call `fit` on 40 random pictures of three classes: 30 to train on, 10 to validate."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (ROWS, 8, 8, 3), dtype=np.uint8))
    targets = rng.integers(0, CLASSES, ROWS)
    table = Table(np.array([f"id{row}" for row in range(ROWS)]), np.empty((ROWS, 1), dtype="S1"), targets)

    def call(
        name="fold_0",
        model=None,
        loss=None,
        optimizer=None,
        schedule=None,
        averaging=NoAveraging,
        epochs=2,
        batch_size=8,
        train_rows=30,
        valid_rows=10,
        fail_at=None,
        deadline=None,
        seed=0,
        ranks=None,
        sampler=None,
        mixing=None,
        scale=None,
        finetune=None,
        auxiliary=None,
        lessons=None,
        **settings,
    ):
        model = tiny_net() if model is None else model
        make = optimizer or (lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
        built = make(model)
        for group in built.param_groups:
            group.setdefault("base_lr", group["lr"])
        loss = loss or CrossEntropy()
        learner = Learner(
            model=model,
            loss=loss,
            optimizer=built,
            loss_optimizer=loss.make_optimizer(),
            schedule=schedule or Constant(),
            finetune=finetune or Finetune(),
            averaging=averaging(model),
            metrics={"accuracy": Accuracy(), "log_loss": LogLoss()},
            metric_name="log_loss",
        )
        data = FoldData(
            table,
            np.arange(train_rows),
            np.arange(30, 30 + valid_rows),
            MemoryLoader(images, torch.from_numpy(targets), fail_at),
            Preprocessing(8, 8, 3, False, None, (0.5,) * 3, (0.25,) * 3),
            batch_size,
            Task.MULTICLASS,
            sampler or Shuffle(),
            scale or FixedScale((8, 8)),
            mixing or NoMixing(),
            auxiliary or {},
            lessons=lessons or Lessons(),
        )
        call.data.append(data)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        progress = fit(
            folder,
            learner,
            data,
            TrainerSettings(**({"device": "cpu", "precision": "fp32"} | settings)),
            epochs,
            seed,
            ranks or Ranks(),
            Console(quiet=True),
            [],
            title="fold 0",
            metadata={"classes": ["a", "b", "c"]},
            deadline=deadline or Deadline(None),
        )
        return learner, progress, folder

    call.data = []
    return call
