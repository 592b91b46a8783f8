import math

import pytest
import torch
from torch import Tensor

from compkit.losses import Circle, circle_loss

LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 1, 3])


def batch() -> Tensor:
    return torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def by_loops(features: Tensor, labels: Tensor, margin: float, gamma: float) -> list[Tensor]:
    """Equation 6 pair by pair; the paces a are plain numbers, so that no gradient flows through them."""
    values = []
    for anchor in range(len(features)):
        sum_p = sum_n = torch.zeros((), dtype=torch.float64)
        for i in range(len(features)):
            if i == anchor:
                continue
            s = torch.dot(features[anchor], features[i]) / (features[anchor].norm() * features[i].norm())
            if labels[i] == labels[anchor]:
                sum_p = sum_p + torch.exp(-gamma * max(0.0, 1 + margin - s.item()) * (s - (1 - margin)))
            else:
                sum_n = sum_n + torch.exp(gamma * max(0.0, s.item() + margin) * (s - margin))
        values.append(torch.log(1 + sum_n * sum_p))  # an empty sum leaves ln 1
    return values


@pytest.mark.parametrize("margin, gamma", [(0.25, 1), (0.25, 32), (0.4, 8), (0.0, 64)])
def test_is_equation_6_with_its_gradient(margin: float, gamma: float) -> None:
    mine, reference = batch().requires_grad_(), batch().requires_grad_()
    value = circle_loss(mine, LABELS, margin, gamma)
    want = torch.stack(by_loops(reference, LABELS, margin, gamma))
    value.sum().backward()
    want.sum().backward()
    torch.testing.assert_close(value, want)
    torch.testing.assert_close(mine.grad, reference.grad)
    torch.testing.assert_close(Circle(margin, gamma).per_sample(batch(), LABELS), want)


def test_one_pair_of_each_kind_is_the_pairwise_form() -> None:
    """Equation 5 with one similarity each; written out for angles of 60 and 90 degrees."""
    features = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2], [0.0, 1.0]])
    exponent = 10 * ((0.0 + 0.2) * (0.0 - 0.2) - (1.2 - 0.5) * (0.5 - 0.8))
    value = circle_loss(features, torch.tensor([0, 0, 1]), margin=0.2, gamma=10)[0]
    assert value.item() == pytest.approx(math.log1p(math.exp(exponent)), rel=1e-5)


def test_length_of_features_does_not_matter() -> None:
    scale = torch.arange(1, 9, dtype=torch.float64)[:, None]
    torch.testing.assert_close(circle_loss(scale * batch(), LABELS), circle_loss(batch(), LABELS))


def test_perfect_features_cost_nearly_nothing() -> None:
    features = torch.eye(4)[torch.tensor([0, 0, 1, 1])]
    assert circle_loss(features, torch.tensor([0, 0, 1, 1])).max() < 1e-5


@pytest.mark.parametrize("gamma", [1e3, 1e6])
def test_finite_at_large_gamma(gamma: float) -> None:
    features = batch().float().requires_grad_()
    value = Circle(gamma=gamma).per_sample(features, LABELS)
    value.sum().backward()
    assert torch.isfinite(value).all() and torch.isfinite(features.grad).all()


@pytest.mark.parametrize("margin", [-0.1, 1, float("nan")])
def test_margin_out_of_range(margin: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.margin: got .*; expected a number >= 0 and < 1"):
        Circle(margin=margin)


@pytest.mark.parametrize("gamma", [0, -1, float("nan"), float("inf")])
def test_gamma_out_of_range(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.gamma: got .*; expected a number > 0"):
        Circle(gamma=gamma)
