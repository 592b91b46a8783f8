"""The whole network against its last layer."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from compkit.doctor.best_answers import BestAnswers
from compkit.doctor.trainings.capacity import capacity, judge, last_layer
from compkit.engine import Console
from compkit.findings import Status
from compkit.models import Classifier
from compkit.run.trial import open_trial

BEST = BestAnswers(floor=0.0, guess=2.0, logits=torch.zeros(1, 2))


class Detached(Classifier):
    def features(self, images):
        return super().features(images).detach()


def check(plan):
    with open_trial(plan, Console(quiet=True)) as trial:
        (finding,) = capacity(trial)
    return finding


def test_a_healthy_network_passes(plan):
    finding = check(plan())
    assert finding.status == Status.PASS and finding.value > 0
    assert all(
        whole < last
        for whole, last in zip(finding.evidence["whole"], finding.evidence["last_layer"], strict=True)
    )


def test_a_detached_backbone_is_named(plan):
    quick = plan()
    detached = replace(quick, make_model=lambda **given: Detached(**quick.make_model.keywords, **given))
    finding = check(detached)
    assert finding.status == Status.WARN and "the same" in finding.message
    assert finding.evidence["whole"] == pytest.approx(finding.evidence["last_layer"], rel=1e-4)


@pytest.mark.parametrize("overrides", [("finetune=freeze", "finetune.freeze_stages=all"), ("loss=triplet",)])
def test_what_has_no_two_sizes_is_skipped(plan, overrides):
    assert check(plan(*overrides)).status == Status.SKIP


@pytest.mark.parametrize(
    "last, whole, status",
    [
        ([1.5, 1.6, 1.4], [0.2, 0.3, 0.1], Status.PASS),
        ([0.01, 0.01, 0.01], [0.01, 0.01, 0.01], Status.PASS),  # nothing is left to learn
        ([1.5, 1.6, 1.4], [2.2, 2.3, 2.2], Status.WARN),
        ([1.5, 1.6, 1.4], [1.52, 1.61, 1.44], Status.PASS),  # a hair worse
        ([1.5, 1.6, 1.4], [9.0, 0.1, 0.1], Status.PASS),  # one seed alone went astray
        ([1.5, 1.6, 1.4], [1.5, 1.6, 1.4], Status.WARN),
    ],
)
def test_how_losses_are_judged(last, whole, status):
    assert judge(BEST, last, whole).status == status


def test_without_a_head_the_last_module_counts():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    assert [one is other for one, other in zip(last_layer(net), net[2].parameters(), strict=True)] == [
        True,
        True,
    ]
