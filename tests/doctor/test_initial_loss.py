"""Losses and last layers whose first value is wrong are found by it; right ones have the value of guessing."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compkit import losses
from compkit.doctor.command import FINDING_NAMES
from compkit.doctor.first_loss.head import find_mouth
from compkit.doctor.first_loss.initial_loss import check_exact, check_mouth, initial_loss
from compkit.doctor.first_loss.properties import check_properties
from compkit.doctor.first_loss.terms import TermSize, check_terms
from compkit.doctor.first_loss.twice import are_log_probs, are_probs, stall
from compkit.doctor.first_loss.values import Sheet, best_guess
from compkit.engine import Console
from compkit.findings import Status
from compkit.losses import Loss
from compkit.models import Classifier
from compkit.run.trial import open_trial
from compkit.types import Outputs, Task

HERE = __name__
ONE = torch.tensor([0, 1, 2, 3, 0, 1, 0, 0, 2, 0])
SEVERAL = (torch.arange(40).reshape(10, 4) % 3 == 0).float()
NUMBERS = torch.linspace(10, 50, 10)[:, None] + torch.tensor([[0.0, 100.0, -3.0, 7.0]])
LABELS = {Task.MULTICLASS: ONE, Task.MULTILABEL: SEVERAL, Task.REGRESSION: NUMBERS}


def sheet(loss, task=Task.MULTICLASS):
    return Sheet(loss, LABELS[task], task, best_guess(LABELS[task], task, 4))


def own(per_sample):
    """A loss of somebody's own of a function of logits and labels."""
    return type("Own", (Loss,), {"per_sample": lambda self, inputs, labels: per_sample(inputs, labels)})()


def nll(inputs, labels):
    return F.nll_loss(inputs, labels, reduction="none")


def ce(inputs, labels):
    return F.cross_entropy(inputs, labels, reduction="none")


def bce(inputs, labels):
    return F.binary_cross_entropy_with_logits(inputs, labels, reduction="none")


MULTICLASS_FAULTS = {
    "wrong sign": (lambda x, y: -ce(x, y), "right answers cost no less"),
    "softmax twice": (lambda x, y: ce(x.softmax(dim=1), y), "is taken twice"),
    "log of logits": (lambda x, y: nll(x.log(), y), "nan"),
    "log of clamped logits": (lambda x, y: nll(x.clamp(min=1e-7).log(), y), "reads its input as probabilities"),
    "no log softmax": (nll, "reads its input as logarithms"),
    "softmax over the batch": (lambda x, y: nll(x.log_softmax(dim=0), y), "the other samples"),
    "sum over the batch": (lambda x, y: ce(x, y) * len(y), "the other samples"),
    "mean over the batch": (lambda x, y: ce(x, y).mean(), "returns the shape []"),
    "one value a class": (lambda x, y: -F.one_hot(y, 4) * x.log_softmax(dim=1), "returns the shape [10, 4]"),
    "next class": (lambda x, y: ce(x, (y + 1) % 4), "right answers cost no less"),
    "first label": (lambda x, y: ce(x, y[:1].expand(len(y))), "samples"),
    "shifted labels": (lambda x, y: ce(x, y.roll(1)), "samples"),
    "deaf": (lambda x, y: ce(x, x.argmax(dim=1)), "wrong answers cost less"),
    "penalty": (lambda x, y: ce(x, y) + 1000 * x.square().sum(dim=1), "right answers cost no less"),
    "nan for a class": (lambda x, y: ce(x, y) / (y != 3), "label 3"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MULTICLASS_FAULTS)
def test_wrong_losses_of_classes_fail(fault):
    per_sample, said = MULTICLASS_FAULTS[fault]
    [finding] = check_properties(sheet(own(per_sample)), says_probs=False, says_log_probs=False)
    assert finding.status == Status.FAIL and finding.check == "initial_loss.loss"
    assert said in finding.message and "Own" in finding.message and finding.remedy


@pytest.mark.parametrize(
    ("task", "per_sample", "said"),
    [
        (Task.MULTILABEL, lambda x, y: bce(x.sigmoid(), y).mean(dim=1), "sigmoid is taken twice"),
        (Task.MULTILABEL, lambda x, y: bce(x, 1 - y).mean(dim=1), "right answers cost no less"),
        (Task.REGRESSION, lambda x, y: (x - y[:, None]).square().mean(dim=(1, 2)), "the other samples"),
        (Task.REGRESSION, lambda x, y: -(x - y).abs().mean(dim=1), "right answers cost no less"),
        (Task.REGRESSION, lambda x, y: (x[:, :1] - y[:, 0]).square().mean(dim=1), "the other samples"),
    ],
)  # fmt: skip
def test_wrong_losses_of_labels_and_numbers_fail(task, per_sample, said):
    [finding] = check_properties(sheet(own(per_sample), task), False, False)
    assert finding.status == Status.FAIL and said in finding.message


class Summing(Loss):
    def terms(self, outputs: Outputs, targets) -> dict[str, Tensor]:
        return {"loss": ce(outputs.logits, targets.labels).sum()}


class Shuffling(Loss):
    def terms(self, outputs: Outputs, targets) -> dict[str, Tensor]:
        return {"loss": ce(outputs.logits, targets.labels.sort().values).mean()}


def test_losses_of_whole_batches_are_judged_too():
    [finding] = check_properties(sheet(Summing()), False, False)
    assert finding.status == Status.WARN and "twice as much" in finding.message
    [finding] = check_properties(sheet(Shuffling()), False, False)
    assert finding.status == Status.FAIL and "order" in finding.message


@pytest.mark.parametrize(
    ("task", "per_sample"),
    [
        (Task.MULTICLASS, lambda x, y: 1e-9 * ce(x, y)),
        (Task.MULTILABEL, lambda x, y: 1000 * bce(x, y).sum(dim=1)),
    ],
)
def test_scales_far_from_cross_entropy_warn(task, per_sample):
    [finding] = check_properties(sheet(own(per_sample), task), False, False)
    assert finding.status == Status.WARN and "times as much" in finding.message


def test_a_loss_of_probabilities_fits_a_network_that_says_them():
    probs, logs = own(lambda x, y: nll(x.clamp(min=1e-7).log(), y)), own(nll)
    assert check_properties(sheet(probs), says_probs=True, says_log_probs=False) == []
    assert check_properties(sheet(logs), says_probs=False, says_log_probs=True) == []


RIGHT = [
    *((Task.MULTICLASS, one) for one in (
        losses.CrossEntropy(), losses.CrossEntropy(smoothing=0.3), losses.FocalLoss(gamma=5), losses.Hinge(margin=3),
        losses.CrossEntropy(class_weight=[1, 9, 1, 0.1], class_counts=np.array([5, 2, 2, 1])), losses.Dice(),
        losses.SoftmaxFBeta(), losses.LovaszSoftmax(), losses.CrossEntropy(reduce=losses.TopK(fraction=0.3)),
        own(ce), own(lambda x, y: ce(x, y) * torch.tensor([1.0, 7, 1, 0.2])[y]), own(lambda x, y: ce(x / 3, y)),
        own(lambda x, y: F.cross_entropy(x, y, reduction="none", label_smoothing=0.4)),
        own(lambda x, y: bce(x, F.one_hot(y, 4).float()).mean(dim=1)), own(lambda x, y: F.multi_margin_loss(x, y, reduction="none")),
    )),
    *((Task.MULTILABEL, one) for one in (
        losses.BCE(), losses.BCE(smoothing=0.2), losses.BinaryFocalLoss(alpha=0.9), losses.SoftFBeta(), losses.BinaryDice(),
        losses.LovaszMultilabel(), own(lambda x, y: bce(x, y).sum(dim=1)),
    )),
    *((Task.REGRESSION, one) for one in (
        losses.MSE(), losses.MAE(), losses.Huber(delta=2), losses.MSE(column_weight=[1, 2, 3, 4]),
        own(lambda x, y: (x - y).abs().add(1).log().mean(dim=1)), own(lambda x, y: (x - y).cosh().clamp(max=1e6).mean(dim=1)),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("task", "loss"), RIGHT)
def test_right_losses_pass(task, loss):
    assert check_properties(sheet(loss, task), False, False) == []


@pytest.mark.parametrize(
    ("task", "loss", "node", "value"),
    [
        (Task.MULTICLASS, losses.CrossEntropy(), {}, 1.2206),  # of the shares 0.5, 0.2, 0.2, 0.1
        (Task.MULTICLASS, losses.FocalLoss(gamma=2), {"gamma": 2}, 0.75**2 * math.log(4)),
        (Task.MULTICLASS, losses.Hinge(margin=2), {"margin": 2}, 6.0),
        (Task.MULTILABEL, losses.BCE(smoothing=0.1), {"smoothing": 0.1}, None),
        (Task.MULTILABEL, losses.BinaryFocalLoss(gamma=1), {"gamma": 1}, math.log(2) / 2),
        (Task.REGRESSION, losses.MSE(), {}, float(np.linspace(10, 50, 10).var())),
        (Task.REGRESSION, losses.MAE(), {}, None),
    ],
)
def test_known_losses_have_their_values(task, loss, node, value):
    node = {"_target_": f"compkit.losses.{type(loss).__name__}"} | node
    counts = None if task == Task.REGRESSION else np.ones(4, np.int64)
    found, words = check_exact(node, sheet(loss, task), counts)
    assert found == [] and words
    if value is not None:
        assert f"{value:.4g}" in words
    whole = type(loss)
    loss.__class__ = type(
        "Half", (whole,), {"forward": lambda self, *given: 0.5 * whole.forward(self, *given)}
    )
    [finding, *_] = check_exact(node, sheet(loss, task), counts)[0]
    assert finding.status == Status.FAIL and finding.check == "initial_loss.exact"


def test_terms_of_a_sum_are_known_by_name():
    loss = losses.WeightedSum({"ce": losses.CrossEntropy, "hinge": losses.Hinge}, class_counts=np.ones(4))
    node = {"_target_": "compkit.losses.WeightedSum"} | {
        "terms": {
            "ce": {"_target_": "compkit.losses.CrossEntropy"},
            "hinge": {"_target_": "compkit.losses.Hinge"},
        }
    }
    found, words = check_exact(node, sheet(loss), np.ones(4, np.int64))
    assert found == [] and "1.221" in words and "equal logits: 3" in words


class Net(nn.Module):
    """A linear layer with something behind it."""

    def __init__(self, behind):
        super().__init__()
        self.first, self.last = nn.Linear(12, 4), nn.Linear(4, 4)
        self.behind = behind

    def forward(self, images, targets=None):
        return self.behind(self.last(self.first(images.flatten(1)).relu()))


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (lambda x: x.softmax(dim=1), "is taken twice"),
        (torch.relu, "all came out as 0"),
        (lambda x: x.clamp(-4, 4), "all came out as -4"),
        (torch.sigmoid, "is taken twice"),
        (torch.tanh, "given to the loss directly"),
    ],
)
def test_functions_behind_the_last_layer_are_found(behind, said):
    mouth = find_mouth(Net(behind), torch.randn(2, 3, 2, 2), 4)
    [finding] = check_mouth(sheet(losses.CrossEntropy()), mouth)
    assert (
        finding.status == Status.FAIL and finding.check == "initial_loss.output" and said in finding.message
    )


def test_sigmoid_behind_labels_is_named():
    mouth = find_mouth(Net(torch.sigmoid), torch.randn(2, 3, 2, 2), 4)
    [finding] = check_mouth(sheet(losses.BCE(), Task.MULTILABEL), mouth)
    assert "sigmoid is taken twice" in finding.message


@pytest.mark.parametrize(
    "behind", [lambda x: x, lambda x: x.log_softmax(dim=1), lambda x: 15 * (x / 15).tanh(), lambda x: x / 3]
)
def test_harmless_functions_behind_the_last_layer_pass(behind):
    mouth = find_mouth(Net(behind), torch.randn(2, 3, 2, 2), 4)
    assert check_mouth(sheet(losses.CrossEntropy()), mouth) == []


def test_the_mouth_is_the_last_layer_and_stays_as_it_was():
    net = Net(lambda x: x)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    mouth = find_mouth(net, torch.randn(2, 3, 2, 2), 4)
    assert mouth.layer is net.last and net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    without = nn.Sequential(nn.Flatten(), nn.Linear(12, 4, bias=False))
    assert find_mouth(without, torch.randn(2, 3, 2, 2), 4) is None


def test_stall_is_what_torch_says():
    right = F.one_hot(ONE, 4).float()
    assert stall(sheet(losses.CrossEntropy())) == pytest.approx(F.cross_entropy(right, ONE).item())
    twice = F.binary_cross_entropy_with_logits(SEVERAL, SEVERAL).item()
    assert stall(sheet(losses.BCE(), Task.MULTILABEL)) == pytest.approx(twice)


def test_probabilities_are_known_by_their_sums():
    logits = torch.randn(5, 4)
    assert are_probs(logits.softmax(dim=1), Task.MULTICLASS) and not are_probs(logits, Task.MULTICLASS)
    assert are_probs(logits.sigmoid(), Task.MULTILABEL) and not are_probs(logits.sigmoid(), Task.MULTICLASS)
    assert are_log_probs(logits.log_softmax(dim=1)) and not are_log_probs(logits)


def test_drowned_terms_are_told_with_their_keys():
    sizes = {"ce": TermSize(2.0, 1.0), "triplet": TermSize(0.01, 1e-3), "idle": TermSize(0.0, 0.0)}
    [finding] = check_terms(sizes)
    assert finding.status == Status.WARN and "triplet" in finding.message
    assert "raise loss.weights.triplet, or lower loss.weights.ce" in finding.remedy
    assert finding.value == pytest.approx(1000) and finding.evidence["gradient_norms"]["ce"] == 1.0
    [finding] = check_terms({"target": TermSize(1, 1), "auxiliary_genus": TermSize(1e3, 1e3)})
    assert finding.remedy == "Unless this is meant, lower auxiliary.genus.weight."
    assert check_terms(sizes | {"triplet": TermSize(0.01, 0.5)}) == []
    assert check_terms({"target": TermSize(2.0, 1.0), "consistency": TermSize(1e-6, 1e-6)}) == []


@pytest.fixture
def found(plan):
    """What the check says of a quick run."""

    def call(*overrides):
        with open_trial(plan(*overrides), Console(quiet=True)) as trial:
            before = torch.get_rng_state()
            result = initial_loss(trial)
            assert torch.equal(before, torch.get_rng_state())
        return result

    return call


@pytest.mark.parametrize(
    ("overrides", "skipped"),
    [
        (("trainer.precision=bf16",), 0),
        (("model/head=arcface", "mixing=mixup_cutmix"), 1),
        (("loss=bag_of_tricks", "model/neck=bnneck", "limit=100"), 0),
        (("competition=mosaic", "loss=bce_fbeta", "model.prior_bias=false"), 0),
        (("competition=tilt", "loss=huber", "optimizer=adamw"), 1),
        (("+auxiliary.again={column:label,task:multiclass,weight:0.3}",), 0),
    ],
)
def test_runs_pass(found, overrides, skipped):
    first, *others = found(*overrides)
    assert first.status == Status.PASS and first.check == "initial_loss"
    assert [one.status for one in others if one.status != Status.INFO] == [Status.SKIP] * skipped


def test_every_finding_can_be_skipped_by_its_name(found):
    overrides = (f"model._target_={HERE}.Loud", "competition=tilt")
    names = {one.check for one in found(*overrides)} | {
        one.check for one in found("loss=triplet", "sampler=pk")
    }
    assert "initial_loss.built" in names and names - {"initial_loss"} <= set(FINDING_NAMES)


def test_a_loss_of_features_alone_is_not_said_to_be_right(found):
    [only] = found("loss=triplet", "sampler=pk", "sampler.images_per_class=2")
    assert only.status == Status.SKIP and only.check == "initial_loss.loss"


class Loud(Classifier):
    """The head starts far too large."""

    factor = 1000.0

    def __init__(self, *given, **options) -> None:
        super().__init__(*given, **options)
        with torch.no_grad():
            self.head.linear.weight.mul_(self.factor)


class NotANumber(Loud):
    factor = float("nan")


class Slightly(Loud):
    factor = 8.0


class Wrong(Loss):
    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return ce(inputs.softmax(dim=1), labels)


@pytest.mark.parametrize(
    ("overrides", "check", "status"),
    [
        ((f"model._target_={HERE}.Loud",), "initial_loss.built", Status.WARN),
        ((f"model._target_={HERE}.Loud", "competition=tilt"), "initial_loss.built", Status.WARN),
        ((f"model._target_={HERE}.NotANumber",), "initial_loss.built", Status.FAIL),
        (("loss=custom", f"loss._target_={HERE}.Wrong"), "initial_loss.loss", Status.FAIL),
        (("+auxiliary.again={column:label,task:multiclass,weight:1000}",), "initial_loss.terms", Status.WARN),
    ],
)
def test_wrong_runs_are_found(found, overrides, check, status):
    assert (check, status) in [(one.check, one.status) for one in found(*overrides)]


def test_a_somewhat_high_start_is_told_and_no_more(found):
    told = [one for one in found(f"model._target_={HERE}.Slightly") if one.check == "initial_loss.built"]
    assert [one.status for one in told] in ([Status.INFO], [])
