"""Teachers in the loop: what they see, that they stay as they are, that a step stays the big batch's."""

import numpy as np
import pytest
import torch
from torch import nn

from compkit.data import Draw, Mixing, Preprocessing
from compkit.engine import Ranks, Stepper, TrainerSettings, network_input
from compkit.losses import CrossEntropy, WithTeacher
from compkit.semi import CachedLessons, Distillation, Teacher, TeacherLessons, column_order
from compkit.types import Moment, Outputs, Targets, Task

from ..engine.conftest import CLASSES, TinyNet, run_fit, tiny_net  # noqa: F401

OWN = Preprocessing(8, 8, 3, False, None, (0.5,) * 3, (0.25,) * 3)
MOMENT = Moment(0, 0.0, 4)


def teacher_of(seed, preprocessing=OWN, **changes):
    model = tiny_net(**changes)
    torch.manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return Teacher(model, preprocessing, torch.arange(CLASSES))


def taught_loss(alpha=0.5, **changes):
    return WithTeacher(CrossEntropy(class_weight=[1, 2, 5]), Task.MULTICLASS, 2.0, alpha, **changes)


def weights_of(learner):
    return torch.cat([parameter.detach().flatten() for parameter in learner.model.parameters()])


@pytest.fixture
def stepper(run_fit):  # noqa: F811
    """A stepper around a tiny net without batch norm, that teachers speak to; and its first micro-batch of 8."""

    def call(lessons, loss=None, mixing=None, accumulate=1):
        model = tiny_net(norm=False)
        learner, _, _ = run_fit(f"setup_{np.random.randint(1 << 30)}", model, loss or taught_loss(), epochs=1,
                                lessons=lessons, mixing=mixing)  # fmt: skip
        model.load_state_dict(tiny_net(norm=False).state_dict())
        learner.loss.train()
        settings = TrainerSettings(device="cpu", precision="fp32")
        made = Stepper(learner, run_fit.data[-1], settings, Ranks())
        draws = [Draw(np.arange(8 // accumulate) + 8 // accumulate * part, 3) for part in range(accumulate)]
        window, _ = next(lessons.windows(made, [draws], lambda: MOMENT))
        return made, window

    return call


def gradients(stepper, window):
    stepper.gradient(window)
    return [parameter.grad.clone() for parameter in stepper.learner.model.parameters()]


def test_an_accumulated_step_is_the_big_batch_s(stepper):
    lessons = TeacherLessons([teacher_of(1), teacher_of(2)])
    whole, parts = (gradients(*stepper(lessons, accumulate=accumulate)) for accumulate in (1, 2))
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mixing", [None, Mixing(mixup_alpha=1.0, cutmix_alpha=1.0)])
def test_cutting_micro_batches_leaves_the_gradient(stepper, mixing):
    made, window = stepper(TeacherLessons([teacher_of(1), teacher_of(2)]), mixing=mixing)
    whole = gradients(made, window)
    made.parts = 3
    for one, other in zip(whole, gradients(made, window), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


def test_teachers_see_the_mixed_picture_of_the_student(stepper):
    teacher = teacher_of(1)
    made, (micro,) = stepper(TeacherLessons([teacher]), mixing=Mixing(mixup_alpha=1.0, cutmix_alpha=1.0))
    seen = network_input(micro.images, OWN, made.settings, micro.mix)
    taught = made.data.lessons.targets(made, micro).taught
    torch.testing.assert_close(taught.logits[0], teacher.model(seen))
    assert micro.targets.share is not None and not torch.allclose(
        taught.logits[0], teacher.model(network_input(micro.images, OWN, made.settings))
    )


def test_its_own_weights_as_the_only_teacher_leave_nothing_to_learn(stepper):
    own = Teacher(tiny_net(norm=False), OWN, torch.arange(CLASSES))
    assert (
        max(one.abs().max() for one in gradients(*stepper(TeacherLessons([own]), taught_loss(alpha=1.0))))
        < 1e-6
    )


def test_alpha_0_is_plain_training_to_the_bit(run_fit):  # noqa: F811
    plain, _, _ = run_fit("plain", tiny_net(dropout=0.3), CrossEntropy(class_weight=[1, 2, 5]))
    lessons = TeacherLessons([teacher_of(1, dropout=0.5)])
    taught, run, _ = run_fit("taught", tiny_net(dropout=0.3), taught_loss(alpha=0.0), lessons=lessons)
    assert torch.equal(weights_of(plain), weights_of(taught))
    assert (
        run.history[0]["train_distillation"] == 0
        and run.history[0]["train_loss"] == run.history[0]["train_target"]
    )


def test_teachers_stay_as_they_are(run_fit):  # noqa: F811
    teacher = teacher_of(1, dropout=0.5)
    before = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    learner, _, _ = run_fit(loss=taught_loss(), lessons=TeacherLessons([teacher]))
    assert not teacher.model.training and not any(one.requires_grad for one in teacher.model.parameters())
    assert all(torch.equal(before[name], value) for name, value in teacher.model.state_dict().items())
    assert not torch.equal(weights_of(learner), weights_of(run_fit("plain")[0]))


@pytest.mark.parametrize("kind", ["features", "cache", "mixing"])
def test_resumes_to_the_same_bits(run_fit, kind):  # noqa: F811
    def train(name, **changes):
        torch.manual_seed(1)
        loss = taught_loss(feature_weight=0.5 * (kind == "features"), feature_sizes=(4,))
        loss.prepare(4)
        lessons = TeacherLessons([teacher_of(1)], with_features=kind == "features")
        if kind == "cache":
            lessons = CachedLessons(torch.randn(2, 40, CLASSES, generator=torch.Generator().manual_seed(5)))
        mixing = Mixing(mixup_alpha=0.4) if kind == "mixing" else None
        return run_fit(name, tiny_net(dropout=0.2), loss, lessons=lessons, mixing=mixing, epochs=3, batch_size=4,
                       accumulate=2, checkpoint_every_steps=1, **changes)  # fmt: skip

    learner, run, _ = train("straight")
    with pytest.raises(KeyboardInterrupt):
        train("killed", fail_at=14)
    again, run_again, _ = train("killed")
    assert torch.equal(weights_of(again), weights_of(learner))
    assert [row["train_distillation"] for row in run.history] == [
        row["train_distillation"] for row in run_again.history
    ]
    for one, other in zip(learner.loss.parameters(), again.loss.parameters(), strict=True):
        assert torch.equal(one, other)


class Recorder(TinyNet):
    """Keeps the last images it was asked about."""

    def forward(self, images, targets=None):
        self.seen = images
        logits = images.mean(dim=(2, 3))
        return logits if targets is None else Outputs(logits, logits)


def test_a_teacher_gets_pictures_at_its_own_size_and_scaling(stepper):
    other = Preprocessing(20, 12, 3, False, None, (0.1, 0.2, 0.3), (0.5, 1.0, 2.0))
    teacher = Teacher(Recorder(nn.Identity()), other, torch.tensor([2, 0, 1]))
    made, (micro,) = stepper(TeacherLessons([teacher]))
    micro = micro._replace(images=torch.full_like(micro.images, 51))  # 0.2 of 255
    taught = made.data.lessons.targets(made, micro).taught
    assert teacher.model.seen.shape == (8, 3, 20, 12)
    want = (0.2 - torch.tensor([0.1, 0.2, 0.3])) / torch.tensor([0.5, 1.0, 2.0])
    torch.testing.assert_close(
        teacher.model.seen, want[:, None, None].expand(8, 3, 20, 12), atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(taught.logits[0, 0], want[[2, 0, 1]], atol=1e-6, rtol=1e-5)


def test_shrinking_averages_rather_than_skips(stepper):
    small = Preprocessing(4, 4, 3, False, None, (0.5,) * 3, (0.25,) * 3)
    teacher = Teacher(Recorder(nn.Identity()), small, torch.arange(3))
    images = torch.zeros(1, 3, 16, 16)
    images[..., ::2] = 1.0  # stripes of one pixel, grey from afar
    torch.testing.assert_close(teacher.resize(images), torch.full((1, 3, 4, 4), 0.5), atol=0.05, rtol=0)
    assert teacher.resize(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)


def test_features_are_shown_when_wanted(stepper):
    teacher = teacher_of(1)
    made, (micro,) = stepper(TeacherLessons([teacher]))
    taught = TeacherLessons([teacher], with_features=True).targets(made, micro).taught
    seen = network_input(micro.images, OWN, made.settings)
    torch.testing.assert_close(
        taught.features[0], teacher.model(seen, Targets(micro.targets.labels)).features
    )
    torch.testing.assert_close(taught.logits[0], teacher.model(seen))


def test_classes_are_mapped_by_name():
    assert column_order(("a", "b", "c"), ("c", "a", "b")).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"teachers": []}, r"semi\.teachers=\[\].*at least one"),
        ({"temperature": 0}, r"semi\.temperature"),
        ({"alpha": 1.5}, r"semi\.alpha"),
        ({"feature_weight": -1}, r"semi\.feature_weight"),
        ({"feature_lr": 0}, r"semi\.feature_lr"),
        ({"feature_weight": 1, "cache": True}, r"semi\.cache=true.*semi\.feature_weight=1"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Distillation(**({"teachers": ["a"]} | arguments))


def test_one_teacher_needs_no_list():
    assert Distillation("outputs/a", temperature=4).teachers == ["outputs/a"]
