"""Right gradients pass, whatever kinks they have; a wrong backward is found wherever it sits."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit import losses
from compkit.doctor.gradients import weights as gradient_check_weights
from compkit.doctor.gradients.decay import check_regulariser, decay_grows, decay_is_gradient, pull
from compkit.doctor.gradients.gradients import gradients
from compkit.doctor.gradients.loss import check_loss
from compkit.doctor.gradients.modes import Smooth, in_64_bit
from compkit.doctor.gradients.network import SteadyNetwork, make_steady, to_64_bit
from compkit.doctor.gradients.sample import pick_rows
from compkit.doctor.gradients.slopes import compare, compare_together, gradients_of, slope_along
from compkit.doctor.gradients.weights import check_network
from compkit.engine import Console
from compkit.findings import Status
from compkit.losses import CrossEntropy, Loss
from compkit.models import Classifier, Pooling
from compkit.optim import SGD, Adam, AdamW, OptimizerBuilder, TimmOptimizer
from compkit.run.trial import open_trial
from compkit.types import Outputs, Targets, Task, Taught

HERE = __name__


def of_function(forward, backward):
    """A layer, float [...] -> [...], of a forward and a backward written by hand."""

    class Hand(torch.autograd.Function):
        @staticmethod
        def forward(ctx, inputs):
            ctx.save_for_backward(inputs)
            return forward(inputs)

        @staticmethod
        def backward(ctx, above):
            return backward(ctx.saved_tensors[0], above)

    class Layer(nn.Module):
        def forward(self, inputs):
            return Hand.apply(inputs)

    return Layer


WrongSquare = of_function(torch.square, lambda x, above: above * x)
RightSquare = of_function(torch.square, lambda x, above: 2 * above * x)
PassingReLU = of_function(torch.relu, lambda x, above: above)
ForgottenMean = of_function(
    lambda x: x.mean(dim=(2, 3), keepdim=True), lambda x, above: above.expand_as(x).clone()
)


class WrongScale(nn.Module):
    """Channels times a weight, whose own gradient is 5 % too large; the layers before it get the right one."""

    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)

    def forward(self, inputs):
        weight = self.inner.weight.flatten()[:, None, None]
        return inputs * (1.05 * weight - 0.05 * weight.detach())


class NoGrad(nn.Module):
    def forward(self, inputs):
        with torch.no_grad():
            return inputs * 2


class Counting(nn.Module):
    """Says something else each time."""

    count = 0

    def forward(self, inputs):
        self.count += 1
        return inputs + self.count


class Float32Island(nn.Module):
    def forward(self, inputs):
        return (inputs.float() * 1.5).to(torch.float32)


class Net(nn.Module):
    """Convolutions with a layer put between two of them."""

    def __init__(self, *between, last=None, norm=nn.BatchNorm2d, act=nn.ReLU):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm(6), act(), nn.MaxPool2d(2))
        self.between = nn.Sequential(*between)
        self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), act(), nn.Dropout(0.5), nn.Conv2d(6, 8, 3))
        self.pool = last or nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 4)

    def forward(self, images, targets=None):
        return self.head(self.pool(self.body(self.between(self.stem(images)))).flatten(1))


def checked(model, loss=None):
    """What the check says of a network on three pictures of 12 px."""
    torch.manual_seed(0)
    with in_64_bit():
        model = model.double()
        make_steady(model)
        network = SteadyNetwork(model, torch.randn(3, 3, 12, 12), Targets(torch.tensor([0, 0, 1])))
        return check_network(loss or CrossEntropy(), network)


def group_norm(channels):
    return nn.GroupNorm(2, channels)


@pytest.mark.parametrize(
    "net",
    [
        lambda: Net(),
        lambda: Net(act=nn.GELU, norm=group_norm),
        lambda: Net(act=nn.LeakyReLU),
        lambda: Net(act=nn.Hardswish, norm=nn.InstanceNorm2d),
        lambda: Net(RightSquare()),
        lambda: Net(Float32Island()),
        lambda: Net(last=nn.AdaptiveMaxPool2d(1)),
        lambda: Net(nn.Conv2d(6, 6, 1), nn.ReLU6(), nn.Conv2d(6, 6, 1), nn.Sigmoid()),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_right_networks_pass(net, seed):
    torch.manual_seed(seed)
    assert checked(net()) == []


@pytest.mark.parametrize(
    ("net", "wrong", "right"),
    [
        (lambda: Net(WrongSquare()), "stem.1.bias", "body.0.weight"),
        (lambda: Net(PassingReLU(), act=nn.Tanh), "stem.1.bias", "body.0.weight"),
        (lambda: Net(WrongScale(6)), "between.0.inner.weight", "body.0.weight"),
        (lambda: Net(last=ForgottenMean()), "body.3.bias", "head.weight"),
        (lambda: Net(NoGrad()), "stem.1.bias", "body.0.weight"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_backward_is_found_and_placed(net, wrong, right, seed):
    torch.manual_seed(seed)
    [finding] = checked(net())
    assert finding.status == Status.FAIL and finding.check == "gradients.network"
    assert wrong in finding.message and f"right again from {right}" in finding.message
    assert "doctor.skip=[gradients]" in finding.remedy


def test_one_wrong_tensor_among_many_is_found():
    blocks = [nn.Sequential(nn.Conv2d(6, 6, 1), nn.Tanh()) for _ in range(30)]
    net = Net(*blocks)
    layer = net.between[17][0]  # its class is torch's, so no name gives it away
    layer.forward = lambda inputs: F.conv2d(inputs, layer.weight * 2 - layer.weight.detach(), layer.bias)
    [finding] = checked(net)
    assert finding.status == Status.FAIL and "between.17.0.weight" in finding.message


def test_what_cannot_be_measured_is_skipped(monkeypatch):
    [finding] = checked(Net(Counting()))
    assert finding.status == Status.SKIP and "each time" in finding.message
    monkeypatch.setattr(gradient_check_weights, "PATIENCE", 0.0)
    [finding] = checked(Net())
    assert finding.status == Status.SKIP and "too long" in finding.message


def every_loss():
    """The losses of compkit with the targets that they take, [6, 4] logits."""
    one, several = torch.tensor([0, 0, 1, 2, 3, 1]), (torch.arange(24).reshape(6, 4) % 3 == 0).double()
    numbers = torch.linspace(-2, 3, 24).reshape(6, 4).double()
    counts = np.array([3, 2, 2, 1])
    targets = {Task.MULTICLASS: one, Task.MULTILABEL: several, Task.REGRESSION: numbers}
    plain = [
        *(losses.CrossEntropy(), losses.CrossEntropy(smoothing=0.1, class_weight="inverse_frequency", class_counts=counts)),
        *(losses.CrossEntropy(reduce=losses.TopK(fraction=0.5)), losses.FocalLoss(), losses.Hinge(), losses.Dice()),
        *(losses.SoftmaxFBeta(), losses.LovaszSoftmax(), losses.Triplet(), losses.Triplet(soft_margin=True)),
        *(losses.Center(class_counts=counts), losses.BCE(), losses.BinaryFocalLoss(alpha=0.25), losses.SoftFBeta()),
        *(losses.BinaryDice(), losses.LovaszMultilabel(), losses.MSE(), losses.MAE(), losses.Huber()),
        losses.WeightedSum({"ce": losses.CrossEntropy, "center": losses.Center}, {"center": 0.1}, class_counts=counts),
        losses.WeightedSum({"ce": losses.CrossEntropy, "circle": losses.Circle}, class_counts=counts),
        losses.WithAuxiliary(losses.CrossEntropy(), {"genus": losses.AuxiliaryTerm(Task.MULTICLASS, 0.5)}),
        losses.WithTeacher(losses.CrossEntropy(), Task.MULTICLASS),
        losses.WithConsistency(losses.CrossEntropy(), Task.MULTICLASS, weight=1.0, ramp_up=0.0),
    ]  # fmt: skip
    return [pytest.param(loss, targets[loss.tasks[0]], id=type(loss).__name__) for loss in plain]


class Says(nn.Module):
    """Returns the same outputs whatever it sees."""

    def __init__(self, classes):
        super().__init__()
        draw = torch.Generator().manual_seed(1)
        self.logits = nn.Parameter(torch.randn(6, classes, generator=draw).double())
        self.features = nn.Parameter(torch.randn(6, 5, generator=draw).double())

    def forward(self, images, targets=None):
        return Outputs(self.logits, features=self.features, auxiliary={"genus": self.logits * 2})


def loss_checked(loss, labels):
    with in_64_bit():
        taught = Taught(torch.zeros(1, 6, 4))
        targets = Targets(
            labels, auxiliary={"genus": Targets(torch.tensor([0, 1, 2, 3, 0, 1]))}, taught=taught
        )
        loss.prepare(5)
        network = SteadyNetwork(Says(4), torch.zeros(6, 3, 2, 2), to_64_bit(targets))
        return check_loss(loss.double(), network)


@pytest.mark.parametrize(("loss", "labels"), every_loss())
def test_gradients_of_our_losses_pass(loss, labels):
    assert loss_checked(loss, labels) == []


def test_a_loss_that_stops_its_gradient_on_purpose_is_skipped():
    [finding] = loss_checked(losses.Circle(), torch.tensor([0, 0, 1, 2, 3, 1]))
    assert finding.status == Status.SKIP and "on purpose" in finding.message


class HalfTheLabel(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        ctx.save_for_backward(logits, labels)
        return F.cross_entropy(logits, labels, reduction="none")

    @staticmethod
    def backward(ctx, above):
        logits, labels = ctx.saved_tensors
        return above[:, None] * (logits.softmax(dim=1) - 0.5 * F.one_hot(labels, logits.shape[1])), None


class WrongLoss(Loss):
    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return HalfTheLabel.apply(inputs, labels)


class NearlyRight(Loss):
    """Half a thousandth of the gradient is lost."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        inputs = 0.9995 * inputs + 0.0005 * inputs.detach()
        return F.cross_entropy(inputs, labels, reduction="none")


class CutLoss(Loss):
    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(inputs.detach(), labels, reduction="none")


@pytest.mark.parametrize(
    ("loss", "status", "said"),
    [
        (WrongLoss(), Status.FAIL, "not the slope"),
        (NearlyRight(), Status.WARN, "not the slope"),
        (CutLoss(), Status.FAIL, "no gradient at all"),
    ],
)
def test_wrong_gradients_of_losses_are_found(loss, status, said):
    [finding] = loss_checked(loss, torch.tensor([0, 0, 1, 2, 3, 1]))
    assert finding.status == status and finding.check == "gradients.loss"
    assert said in finding.message and type(loss).__name__ in finding.message


def test_slopes_are_those_of_calculus():
    tensors = {"a": torch.tensor([0.5, -2.0]).double(), "b": torch.tensor([[1.5]]).double()}
    for tensor in tensors.values():
        tensor.requires_grad_()

    def value():
        return tensors["a"].sin().sum() * tensors["b"].square().sum()

    found = gradients_of(value(), tensors)
    torch.testing.assert_close(found["a"], 1.5**2 * tensors["a"].detach().cos())
    assert compare(value, tensors, found).all.max() < 1e-7
    assert compare_together(value, tensors, found, times=3).max() < 1e-7
    wrong = found | {"b": found["b"] * 1.5}
    assert compare(value, tensors, wrong).wrong() == ["b"]
    assert compare_together(value, tensors, wrong, times=3).max() > 0.05
    before = tensors["a"].detach().clone()
    slope = slope_along(value, [tensors["a"]], [torch.tensor([1.0, 0.0]).double()], 1e-5)
    assert slope == pytest.approx(float(found["a"][0]), rel=1e-6)
    assert torch.equal(before, tensors["a"])


def test_smooth_functions_keep_shapes_and_are_close():
    images = torch.randn(2, 3, 9, 9)
    for layer in (nn.ReLU(), nn.LeakyReLU(0.2), nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6()):
        with Smooth():
            near = layer(images)
        assert near.shape == images.shape and float((near - layer(images)).abs().max()) < 0.6
    with Smooth():
        assert nn.MaxPool2d(3, 2, 1)(images).shape == (2, 3, 5, 5)


def test_rows_of_several_classes_come_in_pairs():
    labels = np.array([3, 3, 3, 1, 2, 2, 1])
    assert labels[pick_rows(labels, 6)].tolist() == [3, 3, 1, 1, 2, 2]
    assert sorted(pick_rows(labels, 7)) == list(range(7))
    assert pick_rows(np.zeros((2, 3), np.float32), 5).tolist() == [0, 1, 0, 1, 0]


class Growing(OptimizerBuilder):
    """Decay with the wrong sign."""

    def from_groups(self, groups):
        return torch.optim.SGD(
            [group | {"weight_decay": -group["weight_decay"]} for group in groups], lr=self.lr
        )


@pytest.mark.parametrize(
    ("builder", "coupled"),
    [
        (SGD(lr=0.1, momentum=0.9), True),
        (Adam(lr=0.1), True),
        (AdamW(lr=0.1), False),
        (TimmOptimizer("lion", lr=0.1), False),
    ],
)
def test_where_decay_acts_is_found_by_a_step(builder, coupled):
    assert decay_is_gradient(builder) == coupled and not decay_grows(builder)


def test_pull_is_the_norm_of_what_decay_and_l1_add():
    weight = torch.tensor([[3.0, -4.0]])
    group = {"params": [weight], "weight_decay": 0.1, "decayed": True}
    assert pull([group], 0.0, True) == pytest.approx(0.5)
    assert pull([group], 0.2, False) == pytest.approx(0.2 * 2**0.5)
    assert pull([group], 0.2, True) == pytest.approx((0.5**2 + 0.6**2) ** 0.5)


@pytest.fixture
def trial(plan):
    """Open a trial of a quick run."""
    opened = []

    def call(*overrides):
        opened.append(open_trial(plan(*overrides), Console(quiet=True)))
        return opened[-1].__enter__()

    yield call
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("overrides", "status", "said"),
    [
        (("optimizer=sgd", "optimizer.weight_decay=0.1"), Status.WARN, "optimizer.weight_decay is"),
        (("optimizer=adamw", "optimizer.weight_decay=0.1", "trainer.l1=0.01"), Status.WARN, "of trainer.l1 is"),
        (("optimizer=adamw", "optimizer.weight_decay=0.1"), Status.SKIP, "beside the gradient"),
        (("optimizer=adamw", f"optimizer._target_={HERE}.Growing", "~optimizer.betas", "~optimizer.eps"), Status.FAIL, "away from"),
    ],
)  # fmt: skip
def test_regulariser_beside_the_data(trial, overrides, status, said):
    opened = trial(*overrides)
    groups = opened.stepper().learner.optimizer.param_groups
    groups = [group | {"weight_decay": abs(group["weight_decay"])} for group in groups]
    [finding] = check_regulariser(opened, groups, data_norm=0.5)
    assert finding.status == status and said in finding.message


def test_regulariser_that_is_small_or_absent_says_nothing(trial):
    assert check_regulariser(trial("optimizer=sgd", "optimizer.weight_decay=0"), [], data_norm=0.5) == []
    opened = trial("optimizer=sgd", "optimizer.weight_decay=1e-4")
    groups = opened.stepper().learner.optimizer.param_groups
    assert check_regulariser(opened, groups, data_norm=0.5) == []


class WrongPool(Pooling):
    """The mean over positions, whose backward forgets to divide."""

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)
        self.mean = ForgottenMean()

    def forward(self, features: Tensor) -> Tensor:
        return self.mean(features).flatten(1)


class Only32Bit(Classifier):
    def features(self, images: Tensor) -> Tensor:
        if images.dtype != torch.float32:
            raise TypeError("32 bit only")
        return super().features(images)


@pytest.mark.parametrize(
    "overrides",
    [
        ("image_size=128", "model/pooling=gem", "model/head=sub_center_arcface", "mixing=mixup_cutmix"),
        ("competition=mosaic", "trainer.precision=bf16", "finetune=freeze"),
        ("competition=tilt", "trainer.channels_last=true", "model/head=multi_sample_dropout"),
        ("loss=bag_of_tricks", "model/neck=bnneck", "model.backbone=test_convnext", "image_size=64"),
    ],
)
def test_runs_pass_and_leave_the_generators(trial, overrides):
    opened = trial(*overrides)
    before = torch.get_rng_state()
    found = gradients(opened)
    assert [one.status for one in found if one.status not in (Status.PASS, Status.SKIP)] == []
    assert found[0].status == Status.PASS
    assert torch.equal(before, torch.get_rng_state()) and torch.get_default_dtype() == torch.float32


def test_a_wrong_part_of_a_run_is_found(trial):
    found = gradients(trial("image_size=64", f"model.pooling._target_={HERE}.WrongPool"))
    assert [one.status for one in found] == [Status.FAIL]
    assert "WrongPool" in found[0].message and "right again from head.linear.weight" in found[0].message


def test_a_network_that_refuses_64_bit_is_skipped(trial):
    [finding] = gradients(trial(f"model._target_={HERE}.Only32Bit"))
    assert finding.status == Status.SKIP and "32 bit only" in finding.message
