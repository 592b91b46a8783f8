"""The mean teacher in the loop: what it and the student see, and that a step stays the big batch's."""

import numpy as np
import pytest
import torch

from compkit.data import Draw
from compkit.engine import Ranks, Stepper, TrainerSettings, network_input
from compkit.losses import CrossEntropy, WithConsistency
from compkit.optim import EMA
from compkit.semi import MeanTeacher, MeanTeacherLessons
from compkit.types import Moment, Task

from ..engine.conftest import run_fit, tiny_net  # noqa: F401

MOMENT = Moment(0, 0.0, 4)
UNLABELLED = np.arange(30, 40)


def lessons_of(rows=UNLABELLED, batch_size=6):
    return MeanTeacherLessons(rows, batch_size)


def consistent_loss(weight=5.0):
    return WithConsistency(CrossEntropy(class_weight=[1, 2, 5]), Task.MULTICLASS, weight, ramp_up=0.5)


def average(model):
    return EMA(model, decay=0.9)


def weights_of(learner):
    return torch.cat([parameter.detach().flatten() for parameter in learner.model.parameters()])


@pytest.fixture
def stepper(run_fit):  # noqa: F811
    """A stepper around a net without batch norm and an average that differs from it; and a window of one."""

    def call(rows=UNLABELLED, batch_size=6):
        lessons = lessons_of(rows, batch_size)
        learner, _, _ = run_fit(f"setup_{np.random.randint(1 << 30)}", tiny_net(norm=False), consistent_loss(),
                                averaging=average, lessons=lessons, epochs=1)  # fmt: skip
        made = Stepper(learner, run_fit.data[-1], TrainerSettings(device="cpu", precision="fp32"), Ranks())
        window, _ = next(lessons.windows(made, [[Draw(np.arange(8), 3)]], lambda: MOMENT))
        learner.set_moment(Moment(9, 4.0, 4))
        learner.loss.train()
        return made, window

    return call


def gradients(stepper, window):
    stepper.gradient(window)
    return [parameter.grad.clone() for parameter in stepper.learner.model.parameters()]


def test_unlabelled_pictures_follow_the_labelled_ones(stepper):
    _, (micro,) = stepper()
    assert micro.rows[:8].tolist() == list(range(8))
    added = micro.rows[8:].tolist()
    assert len(set(added)) == 6 and set(added) <= set(UNLABELLED.tolist())
    assert micro.targets.unlabelled == 6 and torch.equal(
        micro.views, micro.images
    )  # the loader augments nothing
    assert len(stepper(batch_size=99)[1][0].rows) == 8 + len(UNLABELLED)


def test_different_seeds_add_different_pictures_and_each_is_drawn():
    drawn = [lessons_of().draws(Draw(np.arange(2), seed))[0].rows[2:].tolist() for seed in range(40)]
    assert len({tuple(rows) for rows in drawn}) > 30
    counts = np.bincount(np.concatenate(drawn), minlength=40)[30:]
    assert counts.min() > 10


def test_the_teacher_is_the_average_in_evaluation_mode(stepper):
    made, (micro,) = stepper()
    teacher = made.learner.averaging.model
    taught = made.data.lessons.targets(made, micro).taught
    with torch.no_grad():
        want = teacher(network_input(micro.views, made.data.preprocessing, made.settings))
    torch.testing.assert_close(taught.logits[0], want)
    assert not teacher.training and not taught.logits.requires_grad
    before = [value.clone() for value in teacher.state_dict().values()]
    gradients(made, [micro])
    assert all(torch.equal(*pair) for pair in zip(before, teacher.state_dict().values(), strict=True))


def test_an_accumulated_step_is_the_big_batch_s(stepper):
    made, (micro,) = stepper()
    whole = gradients(made, [micro])
    parts = []
    for rows, unlabelled in (
        (torch.tensor([0, 1, 2, 8]), 1),
        (torch.tensor([3, 4, 5, 6, 7, 9, 10, 11, 12, 13]), 5),
    ):
        targets = micro.targets.take(rows)
        assert targets.unlabelled == unlabelled
        parts.append(
            micro._replace(
                images=micro.images[rows], views=micro.views[rows], rows=micro.rows[rows], targets=targets
            )
        )
    for one, other in zip(whole, gradients(made, parts), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("parts", [2, 7])
def test_cutting_micro_batches_leaves_the_gradient(stepper, parts):
    made, window = stepper()
    whole = gradients(made, window)
    made.parts = parts  # of 8 + 6 rows: the last pieces have no label at all
    for one, other in zip(whole, gradients(made, window), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


def test_weight_0_without_unlabelled_pictures_is_plain_training_to_the_bit(run_fit):  # noqa: F811
    plain, _, _ = run_fit(
        "plain", tiny_net(dropout=0.3), CrossEntropy(class_weight=[1, 2, 5]), averaging=average
    )
    lessons = lessons_of(np.empty(0, np.int64))
    taught, run, _ = run_fit(
        "taught", tiny_net(dropout=0.3), consistent_loss(0.0), averaging=average, lessons=lessons
    )
    assert torch.equal(weights_of(plain), weights_of(taught))
    assert run.history[0]["train_consistency"] == 0


def test_resumes_to_the_same_bits(run_fit):  # noqa: F811
    def train(name, **changes):
        return run_fit(name, tiny_net(dropout=0.2), consistent_loss(), averaging=average, lessons=lessons_of(),
                       epochs=3, batch_size=4, accumulate=2, checkpoint_every_steps=1, **changes)  # fmt: skip

    learner, run, _ = train("straight")
    with pytest.raises(KeyboardInterrupt):
        train("killed", fail_at=30)  # of 2 x 8 micro-batches an epoch
    again, run_again, _ = train("killed")
    assert torch.equal(weights_of(again), weights_of(learner))
    assert torch.equal(again.averaging.model[0].weight, learner.averaging.model[0].weight)
    assert [row["train_consistency"] for row in run.history] == [
        row["train_consistency"] for row in run_again.history
    ]
    assert run.history[-1]["train_consistency"] > 0


def test_the_average_moves_after_each_step(run_fit):  # noqa: F811
    learner, run, _ = run_fit(
        loss=consistent_loss(), averaging=average, lessons=lessons_of(), batch_size=4, accumulate=2
    )
    assert learner.averaging.updates == run.step == 8  # two epochs of 30 rows, 8 a step


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"weight": -1}, r"semi\.weight"),
        ({"ramp_up": 2}, r"semi\.ramp_up"),
        ({"unlabelled_batch_size": 0}, r"semi\.unlabelled_batch_size"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        MeanTeacher(**arguments)
