"""The first predictions are the training rows' frequencies, and who does not start there is told."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from compkit.doctor.first_loss.prior_bias import even_and_prior, prior_bias
from compkit.engine import Console
from compkit.findings import Status
from compkit.models import Classifier, Head, LinearHead
from compkit.run.trial import open_trial
from compkit.types import Outputs, Task

HERE = __name__


@pytest.fixture
def rare(data_dir, tmp_path, plan):
    """Overrides for the digits with few rows of most classes."""
    plan()  # makes the competition
    folder = next(data_dir.glob("digits*"))
    table = pd.read_csv(folder / "train.csv", dtype=str)
    label = plan("competition=digits").config["competition"]["target_column"]
    first = table[label].iloc[0]
    kept = [*table.index[table[label] == first][:120], *table.index[table[label] != first][:15]]
    path = tmp_path / "rare.csv"
    table.loc[sorted(kept)].to_csv(path, index=False)
    return (f"competition.train_table={path}", "limit=null")


@pytest.fixture
def found(plan):
    """What the check says of a quick run: one finding."""

    def call(*overrides):
        with open_trial(plan(*overrides), Console(quiet=True)) as trial:
            before = torch.get_rng_state()
            [finding] = prior_bias(trial)
            assert torch.equal(before, torch.get_rng_state())
        return finding

    return call


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model/head=mlp",),
        ("model/head=multi_sample_dropout",),
        ("competition=mosaic",),
        ("competition=tilt",),
        ("model.prior_bias=false",),
    ],
)
def test_runs_pass(found, overrides):
    assert found(*overrides).status == Status.PASS


@pytest.mark.parametrize(
    "override", ["model/head=cosine", "model/neck=bnneck", f"model.head._target_={HERE}.Bare"]
)
def test_heads_without_a_bias_are_skipped(found, override):
    finding = found(override)
    assert finding.status == Status.SKIP and "bias" in finding.message


class Bare(Head):
    """A head without a bias."""

    def __init__(self, in_features: int, num_outputs: int, bias: bool = True, class_counts=None) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.linear = nn.Linear(in_features, num_outputs, bias=False)

    def forward(self, embeddings, targets=None) -> Outputs:
        return Outputs(self.linear(embeddings))


class UpsideDown(LinearHead):
    """Starts at the rarest class."""

    def start_at(self, logits) -> None:
        super().start_at(-torch.as_tensor(logits))


class NoStart(Bare):
    """A head that was never told of a start."""

    def __init__(self, in_features: int, num_outputs: int, bias: bool = True, class_counts=None) -> None:
        super().__init__(in_features, num_outputs, bias, class_counts)
        self.linear = nn.Linear(in_features, num_outputs)


class Shifted(Classifier):
    """A regression that starts elsewhere than at the mean."""

    def __init__(self, *given, **options) -> None:
        super().__init__(*given, **options)
        with torch.no_grad():
            self.head.linear.bias.add_(1)


class WithoutMean(Classifier):
    """A regression that ignores what it is offered."""

    def __init__(self, *given, target_mean=None, target_std=None, **options) -> None:
        super().__init__(*given, **options)


def test_a_head_that_starts_elsewhere_fails(found):
    finding = found("competition=mosaic", f"model.head._target_={HERE}.UpsideDown")
    assert (
        finding.status == Status.FAIL and "share" in finding.message and "prior_bias=false" in finding.remedy
    )
    assert found("competition=tilt", f"model._target_={HERE}.Shifted").status == Status.FAIL


def test_very_unequal_classes_are_told_with_the_key(found, rare):
    assert found(*rare).status == Status.PASS
    for override in ("model.prior_bias=false", f"model.head._target_={HERE}.NoStart"):
        told = found(*rare, override)
        assert told.status == Status.INFO and "model.prior_bias=true" in told.message


def test_a_regression_that_starts_at_zero_is_told(found):
    told = found("competition=tilt", f"model._target_={HERE}.WithoutMean")
    assert told.status == Status.INFO and "target_mean" in told.message


def test_entropies_are_those_of_a_guess():
    shares = np.array([0.5, 0.25, 0.25])
    assert even_and_prior(Task.MULTICLASS, shares) == pytest.approx((np.log(3), 1.5 * np.log(2)))
    assert even_and_prior(Task.MULTILABEL, np.array([0.5, 0.0])) == pytest.approx((np.log(2), np.log(2) / 2))
