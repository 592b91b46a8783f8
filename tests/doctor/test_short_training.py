"""Short trainings: what is switched off, which pictures are taken, and that answers are the network's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compkit.doctor.trainings.short_training import (
    beginner,
    kinds_of,
    learn,
    load,
    quick_beginner,
    row_losses,
    silence,
    simplified,
    small_size,
    spread_rows,
    undisturbed,
)
from compkit.engine import Console, network_input
from compkit.losses import CrossEntropy
from compkit.models import Classifier
from compkit.run.trial import open_trial


@pytest.fixture
def trial(plan):
    with open_trial(
        plan("model/neck=dropout", "loss=label_smoothing", "optimizer=adamw"), Console(quiet=True)
    ) as one:
        yield one


def test_everything_that_hinders_is_off(trial):
    stepper = beginner(simplified(trial))
    assert stepper.learner.model.neck.drop.p == 0 and stepper.learner.loss.smoothing == 0
    assert {group["weight_decay"] for group in stepper.learner.optimizer.param_groups} == {0.0}
    quick = quick_beginner(trial, 1e-3)
    assert {group["base_lr"] for group in quick.learner.optimizer.param_groups} == {1e-3}
    untouched = trial.stepper()
    assert untouched.learner.model.neck.drop.p > 0 and untouched.learner.loss.smoothing > 0


def test_other_seeds_are_other_networks(trial):
    first, again, other = (
        next(beginner(simplified(trial, seed=seed)).learner.model.parameters()) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_answer_is_the_networks_before_the_step(trial):
    stepper, reference = beginner(simplified(trial)), beginner(simplified(trial))
    micro = load(trial, trial.fold_data.train_rows[:6], None)
    answer = learn(stepper, micro)
    images = network_input(micro.images, trial.fold_data.preprocessing, trial.plan.trainer)
    with torch.no_grad():
        logits = reference.learner.model(images)
    torch.testing.assert_close(answer.outputs.logits, logits, atol=1e-4, rtol=1e-4)
    assert answer.loss == pytest.approx(F.cross_entropy(logits, micro.targets.labels).item(), rel=1e-3)
    assert learn(stepper, micro).loss < answer.loss


def test_pictures_are_as_in_evaluation(plan):
    augmented = plan("augment=heavy", "~augment.flip", "mixing=mixup")
    with open_trial(augmented, Console(quiet=True)) as one:
        rows = one.fold_data.train_rows[:3]
        micro = load(one, rows, None)
        plain = [one.fold_data.loader._loader.dataset.sample(int(row)).image for row in rows]
    assert np.array_equal(micro.images.numpy(), np.stack(plain)) and micro.mix is None


def test_small_pictures_only_where_the_network_takes_them(plan):
    class OneSize(Classifier):
        def forward(self, images, targets=None):
            assert images.shape[2:] == (128, 192), "made for one size"
            return super().forward(images, targets)

    large, small = plan("image_size=[128,192]"), plan("image_size=64")
    strict = replace(large, make_model=lambda **given: OneSize(**large.make_model.keywords, **given))
    for one, size in ((large, (64, 96)), (small, None), (strict, None)):
        with open_trial(one, Console(quiet=True)) as trial:
            assert small_size(trial) == size


def test_rows_spread_over_the_kinds_of_labels():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (500, 3)).astype(np.float32)
    chosen = spread_rows(labels, 8, rng)
    assert len(np.unique(labels[chosen], axis=0)) == 8 and len(set(chosen)) == 8
    assert len(spread_rows(np.array([1, 1]), 8, rng)) == 2
    assert kinds_of(np.array([5, 2, 5])).tolist() == [1, 0, 1]


def test_every_kind_of_dropout_is_silenced():
    class DropPath(nn.Module):
        drop_prob = 0.3

    attention, path, plain = nn.MultiheadAttention(4, 2, dropout=0.5), DropPath(), nn.Dropout2d(0.5)
    silence(nn.ModuleList([attention, path, plain]))
    assert attention.dropout == path.drop_prob == plain.p == 0


def test_losses_of_rows_are_those_of_the_batch():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    want = F.cross_entropy(logits, labels, reduction="none")
    np.testing.assert_allclose(row_losses(CrossEntropy(), logits, labels), want, rtol=1e-6)


def test_generators_are_put_back():
    before = torch.get_rng_state()
    with undisturbed():
        torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())
