"""What all schedules share: warm-up, hold, momentum, points to draw."""

import pytest
import torch
from torch import nn

from compkit.optim import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    Constant,
    Cosine,
    RMSprop,
    TimmOptimizer,
    schedule_points,
    set_momentum,
)


def test_hold_keeps_the_base_rate_between_warm_up_and_schedule():
    schedule, plain = Cosine(warmup_epochs=1, hold_epochs=2.5), Cosine()
    assert [schedule.factor(epoch, 10) for epoch in (1, 2, 3.4, 3.5)] == [1, 1, 1, 1]
    for epoch in (3.5, 5, 9.9, 10):
        assert schedule.factor(epoch, 10) == pytest.approx(plain.factor(epoch - 3.5, 6.5))


def test_momentum_grows_along_a_line_and_then_stays():
    schedule = Constant(momentum_start=0.5, momentum_end=0.99, momentum_epochs=4)
    got = [schedule.momentum(epoch, 10) for epoch in (0, 1, 2, 4, 9)]
    assert got == pytest.approx([0.5, 0.6225, 0.745, 0.99, 0.99])
    assert Constant().momentum(3, 10) is None


def test_momentum_reaches_sgd_as_torch_has_it():
    """v = m_t v + g with a momentum that changes, by hand in float64."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    want, velocity = 1.0, 0.0
    for step, momentum in enumerate([0.5, 0.7, 0.9]):
        set_momentum(optimizer, momentum)
        weight.grad = torch.full_like(weight, step + 1.0)
        optimizer.step()
        velocity = momentum * velocity + step + 1.0
        want -= 0.1 * velocity
    assert weight.item() == pytest.approx(want)


@pytest.mark.parametrize(
    "builder",
    [
        SGD(lr=0.1, momentum=0.9),
        Adam(lr=0.1),
        RMSprop(lr=0.1, momentum=0.9),
        TimmOptimizer("muon", lr=0.1),
        TimmOptimizer("adan", lr=0.1),
        TimmOptimizer("lookahead_adam", lr=0.1),
    ],
)
def test_momentum_is_set_in_every_group(builder):
    model = nn.Linear(8, 8)
    optimizer = builder(model)
    set_momentum(optimizer, 0.6)
    for group in optimizer.param_groups:
        assert (group["momentum"] if "momentum" in group else group["betas"][0]) == 0.6
    model(torch.randn(4, 8)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("builder", [SGD(lr=0.1), Adagrad(lr=0.1), LBFGS(lr=1), RMSprop(lr=0.1)])
def test_optimizers_without_momentum_are_refused(builder):
    with pytest.raises(ValueError, match=r"the optimizer \w+ has none.*schedule.momentum_start=null"):
        set_momentum(builder(nn.Linear(2, 2)), 0.9)


def test_points_are_those_of_every_step():
    points = schedule_points(Cosine(momentum_start=0.5, momentum_end=0.9), epochs=3, steps_per_epoch=4)
    assert [epoch for epoch, _, _ in points] == [step / 4 for step in range(12)]
    assert points[6][1:] == pytest.approx((0.5, 0.7))
    assert schedule_points(Constant(), 1, 2) == [(0.0, 1.0, None), (0.5, 1.0, None)]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Constant(hold_epochs=-1), "schedule.hold_epochs: got -1"),
        (lambda: Constant(momentum_start=0), "schedule.momentum_start: got 0"),
        (lambda: Constant(momentum_end=1), "schedule.momentum_end: got 1"),
        (lambda: Constant(momentum_epochs=0), "schedule.momentum_epochs: got 0"),
        (
            lambda: Constant(momentum_epochs=5).check(4),
            "schedule.momentum_epochs: got 5, but the run has only 4",
        ),
        (
            lambda: Cosine(warmup_epochs=1, hold_epochs=2).check(3),
            r"schedule.warmup_epochs \+ schedule.hold_epochs: got 1 \+ 2, but the run has only 3",
        ),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()
