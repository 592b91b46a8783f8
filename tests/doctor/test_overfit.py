"""Learning a few pictures by heart: healthy parts do, broken ones are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compkit.doctor.best_answers import BestAnswers, best_answers, share_right
from compkit.doctor.trainings.overfit import overfit
from compkit.doctor.trainings.overfit_attempt import Attempt, Goal, neighbours_right
from compkit.doctor.trainings.overfit_verdict import probability_floor, softmax_stall, verdict, wrong_loss
from compkit.doctor.trainings.short_training import Answer
from compkit.engine import Console
from compkit.findings import Status
from compkit.losses import Loss
from compkit.models import Classifier
from compkit.randomness import rng_state
from compkit.run.trial import open_trial
from compkit.types import Outputs, Task
from tests.losses.test_losses import ALL_LOSSES, C, indices, labels, numbers

TASKS = {indices: Task.MULTICLASS, labels: Task.MULTILABEL, numbers: Task.REGRESSION}
FAST = ("lr=2e-3",)


class Blind(Classifier):
    def forward(self, images, targets=None):
        return super().forward(torch.zeros_like(images), targets)


class Softmaxed(Classifier):
    def forward(self, images, targets=None):
        outputs = super().forward(images, targets)
        if targets is None:
            return outputs.softmax(dim=1)
        return outputs._replace(logits=outputs.logits.softmax(dim=1))


class OfProbabilities(Loss):
    def per_sample(self, inputs, labels):
        return F.cross_entropy(inputs.softmax(dim=1), labels, reduction="none")


class Uphill(Loss):
    def per_sample(self, inputs, labels):
        return F.cross_entropy(inputs, labels, reduction="none").clamp(max=20).neg()


class Deaf(Loss):
    def per_sample(self, inputs, labels):
        return -inputs.log_softmax(dim=1).max(dim=1).values


class NextClass(Loss):
    def per_sample(self, inputs, labels):
        return F.cross_entropy(inputs, (labels + 1) % inputs.shape[1], reduction="none")


class Broken(Loss):
    def per_sample(self, inputs, labels):
        return F.cross_entropy(inputs, labels, reduction="none") * float("nan")


def check(plan):
    with open_trial(plan, Console(quiet=True)) as trial:
        (finding,) = overfit(trial)
    return finding


def with_model(plan, kind):
    """The plan with another class of network, made with the same arguments."""
    return replace(plan, make_model=lambda **given: kind(**plan.make_model.keywords, **given))


@pytest.fixture
def quick(plan):
    return plan(*FAST)


def test_a_healthy_network_learns_by_heart_and_nothing_else_changes(quick):
    with open_trial(quick, Console(quiet=True)) as trial:
        before = rng_state()
        (finding,) = overfit(trial)
        after = rng_state()
    assert finding.status == Status.PASS and finding.check == "overfit"
    assert torch.equal(before["torch"], after["torch"]) and before["python"] == after["python"]
    pictures = finding.evidence["pictures"]
    assert len(pictures) == 8 and len({one["id"] for one in pictures}) == 8
    assert all(one["truth"] == one["prediction"] and one["right"] for one in pictures)
    assert np.mean([one["loss"] for one in pictures]) == pytest.approx(finding.value, rel=1e-4)
    assert not quick.folder.exists()


def test_regression_and_several_labels_are_learnt_too(plan):
    several = ("competition=mosaic", "image_size=32", "limit=100", "lr=4e-3")
    for overrides in (("competition=tilt", "lr=3e-3"), several):
        assert check(plan(*overrides)).status == Status.PASS


def test_a_network_that_sees_nothing_fails(quick, monkeypatch):
    monkeypatch.setattr("compkit.doctor.trainings.overfit_attempt.STEPS", 60)
    finding = check(with_model(quick, Blind))
    assert finding.status == Status.FAIL and "nothing was learnt" in finding.message
    assert len(set(one["prediction"] for one in finding.evidence["pictures"])) == 1


def test_a_softmax_in_the_network_is_named(quick, monkeypatch):
    monkeypatch.setattr("compkit.doctor.trainings.overfit_attempt.STEPS", 60)
    finding = check(with_model(quick, Softmaxed))
    assert finding.status == Status.FAIL and "probabilities" in finding.message
    assert finding.evidence["losses"][1][-1] == pytest.approx(softmax_stall(10), abs=0.5)


@pytest.mark.parametrize(
    "kind, words",
    [
        (OfProbabilities, "taken twice"),
        (Uphill, "telling pictures apart"),
        (Deaf, "telling pictures apart"),
        (NextClass, "answers are wrong"),
        (Broken, "nan"),
    ],
)
def test_a_wrong_loss_is_found_without_training(quick, kind, words):
    finding = check(replace(quick, make_loss=lambda class_counts: kind(class_counts=class_counts)))
    assert finding.status == Status.FAIL and words in finding.message and "loss._target_" in finding.remedy


def test_a_rate_that_moves_nothing_is_named(plan):
    finding = check(plan("lr=1e-8"))
    assert finding.status == Status.WARN and "Raise lr" in finding.remedy
    assert len(finding.evidence["losses"]) == 2


def test_pictures_that_are_all_alike_fail(quick):
    with open_trial(quick, Console(quiet=True)) as trial:
        table = trial.fold_data.table
        one = replace(table, files=np.repeat(table.files[:1], len(table), axis=0))
        trial.fold_data.loader._loader.dataset.table = one
        (finding,) = overfit(trial)
    assert finding.status == Status.FAIL and finding.value == 1 and "cannot be told apart" in finding.message


def test_one_label_alone_is_skipped(quick):
    with open_trial(quick, Console(quiet=True)) as trial:
        trial.data.table.labels[:] = 3
        (finding,) = overfit(trial)
    assert finding.status == Status.SKIP


@pytest.mark.parametrize("loss, of", [pair for pair in ALL_LOSSES if pair[1] in TASKS])
def test_no_loss_of_ours_is_called_wrong(loss, of):
    torch.manual_seed(0)
    rows = of(8)
    rows = rows.float() if rows.is_floating_point() else rows
    best = best_answers(loss, rows, TASKS[of], C)
    assert wrong_loss(best, rows, TASKS[of]) is None
    assert share_right(TASKS[of], best.logits, rows) > 0.99
    assert best.floor < best.guess


def test_limits_of_cross_entropy_are_those_of_theory():
    rows = torch.tensor([0, 0, 1, 2])
    best = best_answers(ALL_LOSSES[0][0], rows, Task.MULTICLASS, 3)
    assert best.floor == pytest.approx(0, abs=1e-3)
    assert best.guess == pytest.approx(1.5 * np.log(2), abs=1e-3)  # the entropy of 1/2, 1/4, 1/4
    twice = F.cross_entropy(F.one_hot(rows, 3).double(), rows).item()
    assert probability_floor(Task.MULTICLASS, rows, 3) == pytest.approx(twice, abs=1e-6)
    several = F.one_hot(rows, 3).double()
    twice = F.binary_cross_entropy_with_logits(several, several).item()
    assert probability_floor(Task.MULTILABEL, several, 3) == pytest.approx(twice, abs=1e-6)


def ended(losses, logits=None, right=0.5, **more):
    logits = torch.randn(4, 3) * 5 if logits is None else logits
    return Attempt(losses, right, Answer(losses[-1], Outputs(logits)), **more)


GOAL = Goal(Task.MULTICLASS, torch.tensor([0, 1, 2, 0]), BestAnswers(0.0, 1.04, torch.zeros(4, 3)))


@pytest.mark.parametrize(
    "attempts, status, words",
    [
        ([ended([1.1, 0.04], is_reached=True)], Status.PASS, "learnt by heart"),
        ([ended([1.1, 0.6]), ended([1.1, 0.04], is_reached=True)], Status.INFO, "takes longer"),
        ([ended([1.1, 9.0]), ended([1.1, 0.04], is_reached=True)], Status.WARN, "does not"),
        ([ended([1.1, float("nan")]), ended([1.1, 0.04], is_reached=True)], Status.WARN, "nan"),
        ([ended([float("nan")]), ended([float("nan")])], Status.FAIL, "untrained"),
        ([ended([1.1, 0.6]), ended([1.1, 0.5])], Status.WARN, "not learnt by heart"),
        ([ended([2.0, 1.04]), ended([2.0, 1.05])], Status.FAIL, "nothing was learnt"),
        ([ended([1.1, 0.6]), ended([1.1, 0.5], right=1.0)], Status.INFO, "all right"),
        ([ended([1.1, 0.6]), ended([1.1, 0.5], torch.rand(4, 3) - 0.5, right=1.0)], Status.WARN, "no logit"),
        ([ended([1.1, 1.09], is_out_of_time=True), ended([1.1, 1.08])], Status.INFO, "too slow"),
    ],
)
def test_how_attempts_are_judged(attempts, status, words):
    found, message, remedy = verdict(GOAL, attempts, 3, is_frozen=False)
    assert found == status and words in message
    assert bool(remedy) == (status in (Status.WARN, Status.FAIL))


def test_a_frozen_network_need_not_learn_by_heart():
    found, _, _ = verdict(GOAL, [ended([1.1, 0.6]), ended([1.1, 0.5])], 3, is_frozen=True)
    assert found == Status.INFO


def test_losses_of_features_are_judged_by_neighbours(plan):
    finding = check(plan("loss=triplet", *FAST))
    assert finding.status in (Status.PASS, Status.INFO)
    angles = torch.tensor([0.0, 0.1, 2.0, 2.1])
    features = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert neighbours_right(features, np.array([0, 0, 1, 1])) == 1
    assert neighbours_right(features, np.array([0, 1, 0, 1])) == 0


def test_frozen_backbones_and_cosine_heads_are_no_alarm(plan):
    for overrides in (("finetune=freeze", "finetune.freeze_stages=all"), ("model/head=adacos",)):
        assert check(plan(*overrides, *FAST)).status in (Status.PASS, Status.INFO)


def test_dropout_and_smoothing_are_off(plan):
    finding = check(plan("model/neck=dropout", "model.neck.p=0.9", "loss=label_smoothing", *FAST))
    assert finding.status == Status.PASS and finding.evidence["smallest_loss"] < 1e-3
