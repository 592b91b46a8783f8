import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from compkit.optim import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    MultiStep,
    Plateau,
    Polynomial,
    Step,
    set_lr,
)

ALL_SCHEDULES = [
    Constant,
    Cosine,
    lambda **warmup: Step(step_epochs=3, gamma=0.5, **warmup),
    lambda **warmup: MultiStep(at_shares=[0.3, 0.8], factors=[0.1, 0.01], **warmup),
    lambda **warmup: Exponential(gamma=0.8, min_factor=0.3, **warmup),
    lambda **warmup: InverseTime(k=0.5, **warmup),
    lambda **warmup: Polynomial(power=0.9, **warmup),
    lambda **warmup: Plateau(patience=2, **warmup),
]


def torch_rates(make, epochs: int) -> list[float]:
    """The rate of every epoch as torch's scheduler has it, base rate 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    "schedule, reference",
    [
        (Cosine(min_factor=0.1), lambda opt: lr_scheduler.CosineAnnealingLR(opt, T_max=12, eta_min=0.1)),
        (Step(step_epochs=3, gamma=0.5), lambda opt: lr_scheduler.StepLR(opt, step_size=3, gamma=0.5)),
        (
            MultiStep(at_shares=[0.25, 0.75], factors=[0.2, 0.04]),
            lambda opt: lr_scheduler.MultiStepLR(opt, milestones=[3, 9], gamma=0.2),
        ),
        (Exponential(gamma=0.8), lambda opt: lr_scheduler.ExponentialLR(opt, gamma=0.8)),
        (Polynomial(power=1.5), lambda opt: lr_scheduler.PolynomialLR(opt, total_iters=12, power=1.5)),
        (InverseTime(k=0.3), lambda opt: lr_scheduler.LambdaLR(opt, lambda epoch: 1 / (1 + 0.3 * epoch))),
        (Constant(), lambda opt: lr_scheduler.ConstantLR(opt, factor=1.0)),
        (
            Constant(warmup_epochs=5, warmup_start_factor=0.2),
            lambda opt: lr_scheduler.LinearLR(opt, start_factor=0.2, total_iters=5),
        ),
        (
            Cosine(warmup_epochs=4, warmup_start_factor=0.25),
            lambda opt: lr_scheduler.SequentialLR(
                opt,
                [lr_scheduler.LinearLR(opt, 0.25, total_iters=4), lr_scheduler.CosineAnnealingLR(opt, 8)],
                milestones=[4],
            ),
        ),
    ],
)
def test_equals_torch(schedule, reference):
    got = [schedule.factor(epoch, 12) for epoch in range(12)]
    assert got == pytest.approx(torch_rates(reference, 12))


SCORES = [0.5, 0.6, 0.6, 0.6, 0.60005, 0.7, 0.7, 0.69, 0.65, 0.7, 0.7, 0.7, 0.8, 0.7, 0.7, 0.7, math.nan]


@pytest.mark.parametrize("greater_is_better", [True, False])
@pytest.mark.parametrize("patience", [0, 2])
def test_plateau_equals_torch(greater_is_better, patience):
    ours = Plateau(patience=patience, gamma=0.5, min_factor=0.1, threshold=1e-3)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="max" if greater_is_better else "min",
        factor=0.5,
        patience=patience,
        threshold=1e-3,
        threshold_mode="abs",
        min_lr=0.1,
    )
    for epoch, score in enumerate(SCORES):
        score = score if greater_is_better else -score
        ours.observe(score, greater_is_better)
        theirs.step(score)
        assert ours.factor(epoch, 100) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours.current < 1


def test_plateau_does_not_count_epochs_of_the_warm_up():
    plateau = Plateau(patience=0, warmup_epochs=3)
    for _ in range(3):
        plateau.observe(0.5, greater_is_better=True)
    assert plateau.factor(3, 10) == 1
    plateau.observe(0.5, greater_is_better=True)
    assert plateau.factor(4, 10) == pytest.approx(0.1)


def test_plateau_does_not_count_epochs_of_the_hold():
    plateau = Plateau(patience=0, warmup_epochs=1, hold_epochs=2)
    for _ in range(3):
        plateau.observe(0.5, greater_is_better=True)
    assert plateau.factor(3, 10) == 1
    plateau.observe(0.5, greater_is_better=True)
    assert plateau.factor(4, 10) == pytest.approx(0.1)


def test_plateau_continues_from_its_state():
    whole, first, second = (Plateau(patience=2) for _ in range(3))
    for score in SCORES:
        whole.observe(score, True)
    for score in SCORES[:9]:
        first.observe(score, True)
    second.load_state_dict(first.state_dict())
    for score in SCORES[9:]:
        second.observe(score, True)
    assert second.state_dict() == whole.state_dict()
    assert second.current < 1


@pytest.mark.parametrize("make", ALL_SCHEDULES)
def test_warm_up_is_a_line_and_the_rest_the_schedule_without_it(make):
    warm, cold = make(warmup_epochs=2.5, warmup_start_factor=0.1), make()
    assert warm.factor(0, 10) == pytest.approx(0.1)
    assert warm.factor(1.25, 10) == pytest.approx(0.55)
    for epoch in (2.5, 3, 7.3, 9.99):
        assert warm.factor(epoch, 10) == pytest.approx(cold.factor(epoch - 2.5, 7.5))


@pytest.mark.parametrize("make", ALL_SCHEDULES)
def test_factor_is_pure_and_never_rises_after_the_warm_up(make):
    schedule = make()
    epochs = [step / 7 for step in range(70)]
    forward = [schedule.factor(epoch, 10) for epoch in epochs]
    assert forward == [schedule.factor(epoch, 10) for epoch in reversed(epochs)][::-1]
    assert all(later <= earlier for earlier, later in pairwise(forward))
    assert forward[0] == 1


@pytest.mark.parametrize("make", [Constant, Cosine, lambda: Step(step_epochs=3)])
def test_schedules_of_progress_alone_have_no_state(make):
    schedule = make()
    schedule.observe(0.5, greater_is_better=True)
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})
    assert schedule.factor(0, 10) == 1


def test_drops_come_on_time_after_a_fractional_warm_up():
    schedule = Step(step_epochs=3, gamma=0.5, warmup_epochs=1.1)
    assert 4.1 - 1.1 < 3  # why it could come late
    assert schedule.factor(4.1, 10) == 0.5
    assert schedule.factor(4.0, 10) == 1
    schedule = MultiStep(at_shares=[0.3], factors=[0.5], warmup_epochs=1.1)
    assert (4.1 - 1.1) / (11.1 - 1.1) < 0.3  # likewise
    assert schedule.factor(4.1, 11.1) == 0.5


def test_listed_rates_come_in_their_order_for_any_length():
    """5e-4, 1e-4, 1e-5, 1e-6."""
    schedule = MultiStep(at_shares=[0.5, 0.75, 0.9], factors=[0.2, 0.02, 0.002])
    for epochs in (3, 10, 17):
        got = [5e-4 * schedule.factor(share * epochs, epochs) for share in (0.0, 0.49, 0.5, 0.75, 0.9, 1.0)]
        assert got == pytest.approx([5e-4, 5e-4, 1e-4, 1e-5, 1e-6, 1e-6])


@pytest.mark.parametrize("make", [Polynomial, Cosine])
def test_lowest_rate_is_that_of_the_end(make):
    assert make(min_factor=0.2).factor(10, 10) == pytest.approx(0.2)
    assert make(min_factor=0.2).factor(9.9, 10) > 0.2


@pytest.mark.parametrize("make", [lambda: InverseTime(k=2, min_factor=0.1), lambda: Exponential(0.5, 0.1)])
def test_lowest_rate_is_a_floor(make):
    assert make().factor(9, 10) == 0.1
    assert make().factor(1, 10) > 0.1


def test_set_lr_keeps_the_ratio_of_groups():
    rates = (1e-4, 1e-3)
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr, "base_lr": lr} for lr in rates]
    optimizer = torch.optim.SGD(groups)
    for factor in (0.5, 0.0, 0.25):
        set_lr(optimizer, factor)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.25e-4, 0.25e-3])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Constant(warmup_epochs=-1), "schedule.warmup_epochs: got -1"),
        (lambda: Constant(warmup_start_factor=2), "schedule.warmup_start_factor: got 2"),
        (lambda: Cosine(min_factor=-0.1), "schedule.min_factor: got -0.1"),
        (lambda: Step(step_epochs=0), "schedule.step_epochs: got 0"),
        (lambda: Step(step_epochs=3, gamma=1.5), "schedule.gamma: got 1.5"),
        (lambda: MultiStep([0.5], [0.1, 0.2]), r"schedule.factors: got \[0.1, 0.2\]"),
        (lambda: MultiStep([], []), r"schedule.factors: got \[\]"),
        (lambda: MultiStep([5], [0.1]), "schedule.at_shares: got 5"),
        (lambda: MultiStep([0.5, 0.5], [0.1, 0.2]), r"schedule.at_shares: got \[0.5, 0.5\]"),
        (lambda: MultiStep([0.5], [-0.1]), "schedule.factors: got -0.1"),
        (lambda: Exponential(gamma=0), "schedule.gamma: got 0"),
        (lambda: Exponential(min_factor=2), "schedule.min_factor: got 2"),
        (lambda: InverseTime(k=-1), "schedule.k: got -1"),
        (lambda: InverseTime(min_factor=-1), "schedule.min_factor: got -1"),
        (lambda: Polynomial(power=0), "schedule.power: got 0"),
        (lambda: Polynomial(min_factor=2), "schedule.min_factor: got 2"),
        (lambda: Plateau(patience=-1), "schedule.patience: got -1"),
        (lambda: Plateau(gamma=None), "schedule.gamma: got None"),
        (lambda: Plateau(threshold=math.inf), "schedule.threshold: got inf"),
        (lambda: Plateau(min_factor=2), "schedule.min_factor: got 2"),
        (lambda: Cosine(warmup_epochs=5).check(5), "schedule.warmup_epochs: got 5, but the run has only 5"),
        (lambda: Cosine(warmup_epochs=5).factor(0, 3), "only 3 epochs"),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_warm_up_that_ends_within_the_run_is_fine():
    Cosine(warmup_epochs=2).check(3)
