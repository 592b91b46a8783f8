import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from compkit.optim import Constant, CosineCycles, OneCycle

from .test_schedules import torch_rates


@pytest.mark.parametrize(
    "schedule, epochs, first, mult",
    [
        (CosineCycles(cycles=3, min_factor=0.1), 12, 4, 1),
        (CosineCycles(cycles=3, cycle_mult=2), 14, 2, 2),
        (CosineCycles(cycles=1), 5, 5, 1),
    ],
)
def test_cycles_equal_torch(schedule, epochs, first, mult):
    got = [schedule.factor(epoch, epochs) for epoch in range(epochs)]
    want = torch_rates(
        lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(
            opt, T_0=first, T_mult=mult, eta_min=schedule.min_factor
        ),
        epochs,
    )
    assert got == pytest.approx(want)


@pytest.mark.parametrize(
    "epochs, cycles, warm",
    [(10, 3, {}), (7, 7, {}), (2, 2, {"warmup_epochs": 0.5}), (20, 6, {"warmup_epochs": 1.1})],
)
def test_cycles_of_any_length_start_at_the_top_and_end_at_the_bottom(epochs, cycles, warm):
    schedule = CosineCycles(cycles=cycles, min_factor=0.01, **warm)
    ended = [schedule.cycle_ended(epoch, epochs) for epoch in range(1, epochs + 1)]
    assert [number for number in ended if number] == list(range(1, cycles + 1))
    assert ended[-1] == cycles
    for epoch, number in enumerate(ended, start=1):
        if number:
            assert schedule.factor(epoch - 1e-6, epochs) == pytest.approx(0.01, abs=1e-6)
        if number and epoch < epochs:
            assert schedule.factor(epoch, epochs) == 1
    assert schedule.factor(epochs, epochs) == pytest.approx(0.01)


def test_later_cycles_start_lower():
    schedule = CosineCycles(cycles=3, cycle_decay=0.5)
    assert [schedule.factor(epoch, 9) for epoch in (0, 3, 6)] == [1, 0.5, 0.25]


def test_more_cycles_than_epochs_are_refused():
    CosineCycles(cycles=5).check(5)
    CosineCycles(cycles=2, warmup_epochs=0.5).check(2)
    CosineCycles(cycles=3, cycle_mult=2).check(4)
    for schedule, epochs in [
        (CosineCycles(cycles=5), 4),
        (CosineCycles(cycles=5, warmup_epochs=1), 5),
        (CosineCycles(cycles=3, cycle_mult=2), 3),
    ]:
        with pytest.raises(ValueError, match=r"schedule\.cycles: got"):
            schedule.check(epochs)


def test_other_schedules_have_no_cycles():
    assert [Constant().cycle_ended(epoch, 5) for epoch in range(1, 6)] == [None] * 5


@pytest.mark.parametrize("shape, torch_shape", [("cosine", "cos"), ("linear", "linear")])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_one_cycle_equals_torch(shape, torch_shape, kind):
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], momentum=0.9) if kind == "sgd" else torch.optim.Adam([weight])
    theirs = lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=40, pct_start=0.25, anneal_strategy=torch_shape
    )
    # torch's last step is number 39, its peak number 9
    ours = OneCycle(rise_share=9 / 39, start_factor=1 / 25, end_factor=1 / 25 / 1e4, shape=shape)
    group = optimizer.param_groups[0]
    for step in range(40):
        assert ours.factor(step, 39) == pytest.approx(group["lr"])
        momentum = group["momentum"] if kind == "sgd" else group["betas"][0]
        assert ours.momentum(step, 39) == pytest.approx(momentum)
        optimizer.step()
        if step < 39:
            theirs.step()


def test_one_cycle_leaves_the_momentum_alone_if_told_to_and_starts_after_the_lead():
    assert OneCycle(momentum_start=None).momentum(3, 10) is None
    late, plain = OneCycle(warmup_epochs=1, hold_epochs=2), OneCycle()
    assert late.momentum(2, 10) == 0.95
    for epoch in (3, 5, 9.5):
        assert late.momentum(epoch, 10) == pytest.approx(plain.momentum(epoch - 3, 7))
        assert late.factor(epoch, 10) == pytest.approx(plain.factor(epoch - 3, 7))


def test_a_warm_up_leads_to_where_one_cycle_begins():
    schedule = OneCycle(warmup_epochs=1, hold_epochs=1, start_factor=0.04)
    factors = [schedule.factor(epoch, 12) for epoch in (0, 0.5, 1, 2, 2.1)]
    assert factors == pytest.approx([0.01, 0.025, 0.04, 0.04, factors[-1]])
    assert 0.04 < factors[-1] < 0.06


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CosineCycles(cycles=0), "schedule.cycles: got 0"),
        (lambda: CosineCycles(cycles=2.5), "schedule.cycles: got 2.5"),
        (lambda: CosineCycles(cycles=math.inf), "schedule.cycles: got inf"),
        (lambda: CosineCycles(min_factor=2), "schedule.min_factor: got 2"),
        (lambda: CosineCycles(cycle_decay=0), "schedule.cycle_decay: got 0"),
        (lambda: CosineCycles(cycle_mult=0.5), "schedule.cycle_mult: got 0.5"),
        (lambda: OneCycle(rise_share=1), "schedule.rise_share: got 1"),
        (lambda: OneCycle(start_factor=2), "schedule.start_factor: got 2"),
        (lambda: OneCycle(end_factor=-1), "schedule.end_factor: got -1"),
        (lambda: OneCycle(shape="square"), "schedule.shape: got 'square'"),
        (lambda: OneCycle(momentum_peak=1), "schedule.momentum_peak: got 1"),
        (lambda: OneCycle(momentum_start=0), "schedule.momentum_start: got 0"),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()
