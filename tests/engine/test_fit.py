"""The loop: exact accumulation, bit-equal resumption, best epochs, refusals."""

import functools
import math
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from compkit.data import training_windows
from compkit.deadline import Deadline, OutOfTime
from compkit.engine import Ranks, read_metadata
from compkit.engine.fit import _resume
from compkit.losses import CrossEntropy
from compkit.optim import EMA, Cosine, Plateau
from compkit.probes import NoProbes

from .conftest import tiny_net


class DoubleNet(nn.Module):
    """Norm-free and in float64, so that a sum of micro-batches can be compared to the last digit."""

    def __init__(self):
        super().__init__()
        self.net = tiny_net(norm=False, dtype=torch.float64)

    def forward(self, images, targets=None):
        return self.net(images.double(), targets)


class Poisoned(CrossEntropy):
    def per_sample(self, logits, targets):
        return super().per_sample(logits, targets) * math.nan


def weights_of(learner):
    return torch.cat([parameter.detach().flatten() for parameter in learner.model.parameters()])


@pytest.mark.parametrize("class_weight", [None, [1.0, 5.0, 0.2]])
@pytest.mark.parametrize("train_rows", [24, 30, 29])
def test_accumulated_window_is_the_big_batch(run_fit, class_weight, train_rows):
    """Also for a partial last window (30 = 24 + 6) and unequal micro-batches (29 = 24 + 3 + 2)."""
    sgd = functools.partial(torch.optim.SGD, lr=0.1)

    def train(name, **changes):
        loss = CrossEntropy(class_weight=class_weight, smoothing=0.1)
        optimizer = lambda model: sgd(model.parameters())  # noqa: E731
        return run_fit(name, DoubleNet(), loss, optimizer, epochs=3, train_rows=train_rows, **changes)[0]

    start = torch.cat([parameter.detach().flatten() for parameter in DoubleNet().parameters()])
    big, small = (
        weights_of(train(str(size), batch_size=size, accumulate=24 // size)) - start for size in (24, 4)
    )
    assert big.abs().max() > 1e-3
    assert ((small - big).norm() / big.norm()).item() < 1e-6


def test_one_step_is_the_gradient_by_hand(run_fit):
    model, loss = DoubleNet(), CrossEntropy(class_weight=[1.0, 5.0, 0.2])
    learner, _, _ = run_fit(
        "a",
        DoubleNet(),
        loss,
        lambda m: torch.optim.SGD(m.parameters(), lr=1.0),
        epochs=1,
        batch_size=7,
        accumulate=5,
        train_rows=30,
    )
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))[:30]
    targets = torch.from_numpy(rng.integers(0, 3, 40))[:30]
    logits = model((images.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.25)
    nn.functional.cross_entropy(logits, targets, torch.tensor([1.0, 5.0, 0.2]).double()).backward()
    for before, after in zip(model.parameters(), learner.model.parameters(), strict=True):
        torch.testing.assert_close(before - after, before.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("fail_at", [2, 5, 9, 11, 12])
@pytest.mark.parametrize("every", [None, 1, 2])
def test_interrupted_run_ends_in_the_same_bits(run_fit, fail_at, every):
    def setup(name, **changes):
        ema = functools.partial(EMA, decay=0.9)
        plateau = Plateau(patience=0, warmup_epochs=1)
        return run_fit(name, tiny_net(dropout=0.5), None, None, plateau, ema, epochs=3, batch_size=4, accumulate=2,
                       checkpoint_every_steps=every, **changes)  # fmt: skip

    torch.manual_seed(7)
    whole, progress, folder = setup("whole")
    torch.manual_seed(7)
    with pytest.raises(KeyboardInterrupt):
        setup("torn", fail_at=fail_at)
    torch.manual_seed(7)  # a fold starts from its seed; what comes later is in the checkpoint
    again, resumed, torn = setup("torn")

    for one, other in ((whole.model, again.model), (whole.averaging.model, again.averaging.model)):
        for (name, want), got in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.equal(want, got), name
    for file in ("best", "ema", "last"):
        want, got = (load_file(path / f"{file}.safetensors") for path in (folder, torn))
        assert all(torch.equal(want[name], got[name]) for name in want)
    timing = {"seconds", "images_per_second"}
    assert [{k: v for k, v in row.items() if k not in timing} for row in progress.history] == [
        {k: v for k, v in row.items() if k not in timing} for row in resumed.history
    ]
    assert pd.read_csv(torn / "history.csv")["epoch"].tolist() == [1, 2, 3]


class Stopwatch(Deadline):
    """Over after so many looks at it."""

    is_set = True

    def __init__(self, looks):
        self.looks = looks

    @property
    def has_passed(self):
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("looks", [0, 1, 2, 3, 4])
def test_out_of_time_is_saved_to_the_last_step(run_fit, monkeypatch, looks):
    """Steps 2 and 4 of each epoch's five are looked at, and its end: everything goes on from there, bit by bit."""
    monkeypatch.setattr(sys.modules["compkit.engine.fit"], "LOOKS", 2)

    def setup(name, deadline=None):
        torch.manual_seed(7)
        ema = functools.partial(EMA, decay=0.9)
        return run_fit(name, tiny_net(dropout=0.5), averaging=ema, batch_size=6, deadline=deadline)

    whole, progress, _ = setup("whole")
    with pytest.raises(OutOfTime, match="fold 0 in epoch 1 of 2" if looks < 2 else "fold 0 (after|in) epoch"):
        setup("stopped", Stopwatch(looks))
    again, resumed, _ = setup("stopped")
    for one, other in ((whole.model, again.model), (whole.averaging.model, again.averaging.model)):
        want, got = one.state_dict(), other.state_dict()
        assert all(torch.equal(want[name], got[name]) for name in want)
    assert [row["train_loss"] for row in progress.history] == [row["train_loss"] for row in resumed.history]


def test_more_epochs_continue_a_finished_run(run_fit):
    _, first, _ = run_fit("a", epochs=2)
    _, more, folder = run_fit("a", epochs=4)
    assert more.history[:2] == first.history
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1, 2, 3, 4]


def test_best_weights_are_those_of_the_best_epoch(run_fit):
    _, run, folder = run_fit(epochs=6, optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1.0))
    losses = [row["val_log_loss"] for row in run.history]
    assert run.best["best"]["epoch"] == int(np.argmin(losses)) + 1
    assert read_metadata(folder / "best.safetensors") == {
        "classes": ["a", "b", "c"],
        "epoch": int(np.argmin(losses)) + 1,
    }
    assert read_metadata(folder / "last.safetensors")["epoch"] == 6


def test_validation_is_on_the_whole_set(run_fit):
    """val_loss is the mean over rows, which a mean over batches of 7 and 3 would miss."""
    _, seven, _ = run_fit(
        "a",
        epochs=1,
        batch_size=7,
        train_rows=28,
        optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.0),
    )
    _, ten, _ = run_fit(
        "b",
        epochs=1,
        batch_size=10,
        train_rows=28,
        optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.0),
    )
    assert math.isclose(seven.history[0]["val_loss"], seven.history[0]["val_log_loss"], rel_tol=1e-5)
    assert seven.history[0].keys() == ten.history[0].keys()


def test_early_stopping(run_fit):
    frozen = lambda model: torch.optim.SGD(model.parameters(), lr=0.0)  # noqa: E731
    _, run, _ = run_fit(model=tiny_net(norm=False), epochs=50, optimizer=frozen, early_stopping_epochs=3)
    assert run.epoch == 4


def test_not_finite_loss_stops_and_keeps_the_last_good_state(run_fit):
    _, _, folder = run_fit("a", epochs=1)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".csv"}
    explode = lambda model: torch.optim.SGD(model.parameters(), lr=1e38)  # noqa: E731
    with pytest.raises(ValueError, match="not finite"):
        run_fit("b", epochs=3, optimizer=explode, model=tiny_net(norm=False))
    with pytest.raises(ValueError, match="not finite"):
        run_fit("a", epochs=3, loss=Poisoned())
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".csv"} == before


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_learns_the_same_within_its_digits(run_fit, precision):
    _, exact, _ = run_fit("a", epochs=3)
    _, low, _ = run_fit("b", epochs=3, precision=precision)
    assert low.history[-1]["train_loss"] == pytest.approx(exact.history[-1]["train_loss"], rel=0.03)


def test_skipped_fp16_step_moves_neither_schedule_nor_average(run_fit):
    class Overflow(nn.Module):
        """The first step's gradient overflows fp16's scale of 65536; later ones do not."""

        def __init__(self):
            super().__init__()
            self.net, self.calls = tiny_net(norm=False), 0

        def forward(self, images, targets=None):
            logits = self.net(images)
            if self.training:
                self.calls += 1
                if self.calls == 1:
                    logits.register_hook(lambda gradient: gradient * 1e38)
            return logits

    learner, run, _ = run_fit(
        model=Overflow(), epochs=1, precision="fp16", averaging=functools.partial(EMA, decay=0.5)
    )
    steps = len(training_windows(np.arange(30), 8, 1, 1, 0, 0))
    assert run.step == steps - 1
    assert learner.averaging.updates == steps - 1


def test_clipping(run_fit):
    def step_length(**settings):
        model = tiny_net(norm=False)
        start = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        learner, _, _ = run_fit(str(settings), model, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=1.0),
                                epochs=1, batch_size=30, **settings)  # fmt: skip
        return weights_of(learner) - start

    assert step_length(clip_at=0.01).norm().item() == pytest.approx(0.01, rel=1e-4)
    assert step_length(clip_at=0.01, clip_p=math.inf).abs().max().item() == pytest.approx(0.01, rel=1e-4)
    assert step_length(clip="value", clip_at=0.01).abs().max().item() == pytest.approx(0.01, rel=1e-4)
    torch.testing.assert_close(step_length(), step_length(clip_at=1e6))


def test_schedule_is_a_factor_of_each_groups_own_rate(run_fit):
    def two_rates(model):
        layers = list(model.children())
        groups = [
            {"params": layers[0].parameters(), "lr": 0.1},
            {"params": layers[-1].parameters(), "lr": 0.01},
        ]
        return torch.optim.SGD(groups)

    learner, run, _ = run_fit(epochs=4, optimizer=two_rates, schedule=Cosine())
    first, second = (group["lr"] for group in learner.optimizer.param_groups)
    steps = run.step / run.epoch
    assert first == pytest.approx(0.1 * (1 + math.cos(math.pi * (run.step - 1) / steps / 4)) / 2)
    assert first / second == pytest.approx(10)


def test_too_few_rows_for_a_step(run_fit):
    with pytest.raises(ValueError, match="too few for a step"):
        run_fit(train_rows=1)


def test_checkpoint_of_another_number_of_ranks_is_refused(run_fit):
    learner, _, folder = run_fit(epochs=1)
    stepper = SimpleNamespace(learner=learner, ranks=Ranks(rank=0, world=2))
    with pytest.raises(ValueError, match=r"is of 1 rank.*nproc-per-node 1"):
        _resume(folder, stepper, NoProbes(), 1)
