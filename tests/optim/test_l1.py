import pytest
import torch
from torch import nn

from compkit.optim import LBFGS, SGD, Finetune, add_l1_gradient, param_groups


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)).double()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_equals_autograd_of_the_penalised_loss(weight_decay):
    images = torch.randn(4, 1, 4, 4, dtype=torch.float64)
    ours, theirs = net(), net()
    ours(images).square().sum().backward()
    add_l1_gradient(Finetune().groups(ours, 0.1, weight_decay), 0.03)
    penalty = theirs[0].weight.abs().sum() + theirs[3].weight.abs().sum()
    (theirs(images).square().sum() + 0.03 * penalty).backward()
    for got, want in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got.grad, want.grad)


def test_weights_without_gradient_and_sparse_ones_are_left_alone():
    model = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Embedding(3, 2, sparse=True)])
    model[1](torch.tensor([1])).sum().backward()
    before = model[1].weight.grad.to_dense().clone()
    add_l1_gradient(param_groups(model, 0.1, 0.0), 1.0)
    assert model[0].weight.grad is None
    assert torch.equal(model[1].weight.grad.to_dense(), before)


def test_zero_does_nothing_whatever_the_optimizer():
    add_l1_gradient(LBFGS(lr=1)(nn.Linear(2, 1)).param_groups, 0)


@pytest.mark.parametrize(
    "builder, l1, message",
    [(SGD(lr=0.1), -1, "trainer.l1: got -1"), (LBFGS(lr=1), 1e-4, "trainer.l1: got 0.0001, but.*lbfgs")],
)
def test_wrong_settings_name_their_key(builder, l1, message):
    with pytest.raises(ValueError, match=message):
        add_l1_gradient(builder(nn.Linear(2, 1)).param_groups, l1)
