"""Necks: what they compute, what they train, what they tell the head."""

import pytest
import torch
from torch.nn import functional as F

from compkit.models import BNNeck, DropoutNeck, EmbeddingNeck, NoNeck


def features() -> torch.Tensor:
    return torch.randn(16, 6, generator=torch.Generator().manual_seed(0)) * 4 + 2


def test_no_neck_changes_nothing() -> None:
    neck = NoNeck(6)
    assert torch.equal(neck(features()), features())
    assert neck.head_bias and not neck.unit_length


def test_bnneck_is_batch_normalisation_without_shift() -> None:
    neck = BNNeck(6)
    want = (features() - features().mean(0)) / (features().var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(neck(features()), want)
    assert not neck.head_bias and neck.unit_length


def test_bnneck_trains_the_scale_and_not_the_shift() -> None:
    neck = BNNeck(6)
    assert [name for name, p in neck.named_parameters() if p.requires_grad] == ["norm.weight"]
    assert torch.equal(neck.norm.weight, torch.ones(6))
    optimizer = torch.optim.SGD(neck.parameters(), lr=0.1)
    neck(features()).square().mul(torch.arange(6)).sum().backward()
    optimizer.step()
    assert torch.equal(neck.norm.bias, torch.zeros(6))
    assert (neck.norm.weight[1:] != 1).all()


def test_embedding_projects_and_normalises() -> None:
    neck = EmbeddingNeck(6, dim=3)
    assert neck.project.bias is None and neck.out_features == 3
    want = F.batch_norm(features() @ neck.project.weight.T, None, None, training=True)
    torch.testing.assert_close(neck(features()), want)


def test_embedding_without_normalisation_is_linear() -> None:
    neck = EmbeddingNeck(6, dim=3, batch_norm=False)
    torch.testing.assert_close(neck(features()), F.linear(features(), neck.project.weight, neck.project.bias))


def test_dropout_acts_in_training_only() -> None:
    neck = DropoutNeck(6, p=0.5)
    torch.manual_seed(0)
    dropped = neck(features())
    assert torch.equal(dropped[dropped != 0], 2 * features()[dropped != 0])
    assert 0.2 < (dropped == 0).float().mean() < 0.8
    assert torch.equal(neck.eval()(features()), features())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.neck\.dim"):
        EmbeddingNeck(6, dim=0)
    with pytest.raises(ValueError, match=r"model\.neck\.p"):
        DropoutNeck(6, p=1.0)
