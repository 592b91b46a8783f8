import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from compkit.losses import Triplet, batch_hard_triplet
from compkit.losses.triplet import euclidean_distance, hardest_pairs

LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 1, 3])


def batch() -> Tensor:
    return torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def by_loops(features: Tensor, labels: Tensor, margin: float | None) -> list[float]:
    """Every triplet of the batch, the worst of each anchor: the largest gap is the hardest pair of each kind."""
    rows, classes = features.numpy(), labels.tolist()
    losses = []
    for a in range(len(rows)):
        gaps = [
            np.linalg.norm(rows[a] - rows[p]) - np.linalg.norm(rows[a] - rows[n])
            for p in range(len(rows))
            for n in range(len(rows))
            if p != a and classes[p] == classes[a] and classes[n] != classes[a]
        ]
        if not gaps:
            losses.append(0.0)
        elif margin is None:
            losses.append(math.log1p(math.exp(max(gaps))))
        else:
            losses.append(max(0.0, margin + max(gaps)))
    return losses


def dense(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The same with matrices, differentiable, from |a|^2 + |b|^2 - 2ab."""
    squares = features.square().sum(dim=1)
    distance = (squares[:, None] + squares[None] - 2 * features @ features.T + torch.eye(len(labels))).sqrt()
    same = labels[:, None] == labels[None]
    itself = torch.eye(len(labels), dtype=torch.bool)
    farthest = distance.masked_fill(~same | itself, -math.inf).amax(dim=1)
    nearest = distance.masked_fill(same, math.inf).amin(dim=1)
    values = (margin + farthest - nearest).clamp(min=0)
    return values[values.isfinite() & (same.sum(dim=1) > 1)].mean()


@pytest.mark.parametrize("margin", [0.0, 0.3, 2.0, None])
def test_is_the_worst_of_all_triplets(margin: float | None) -> None:
    want = torch.tensor(by_loops(batch(), LABELS, margin), dtype=torch.float64)
    torch.testing.assert_close(batch_hard_triplet(batch(), LABELS, margin), want)
    loss = Triplet(soft_margin=True) if margin is None else Triplet(margin)
    torch.testing.assert_close(loss.per_sample(batch(), LABELS), want)


def test_gradient_is_that_of_the_dense_form() -> None:
    mine, reference = batch().requires_grad_(), batch().requires_grad_()
    value = batch_hard_triplet(mine, LABELS, margin=1.0)[:7].mean()
    want = dense(reference, LABELS, margin=1.0)
    value.backward()
    want.backward()
    torch.testing.assert_close(value, want)
    torch.testing.assert_close(mine.grad, reference.grad)


@pytest.mark.parametrize("loss", [Triplet(margin=2), Triplet(soft_margin=True), Triplet(normalise=True)])
def test_gradient_is_that_of_the_value(loss: Triplet) -> None:
    features = batch().requires_grad_()
    assert torch.autograd.gradcheck(lambda features: loss.per_sample(features, LABELS), features)


def test_normalise_compares_directions() -> None:
    want = Triplet().per_sample(F.normalize(batch()), LABELS)
    torch.testing.assert_close(Triplet(normalise=True).per_sample(100 * batch(), LABELS), want)


def test_moving_all_features_changes_nothing_but_scaling_does() -> None:
    values = Triplet().per_sample(batch(), LABELS)
    torch.testing.assert_close(Triplet().per_sample(batch() + 7, LABELS), values)
    torch.testing.assert_close(Triplet(margin=0.6).per_sample(2 * batch(), LABELS), 2 * values)


def test_small_distances_between_long_features_are_seen() -> None:
    """In float32 |a|^2 + |b|^2 - 2ab would be off by about 64 here."""
    features = torch.tensor([[1e4, 0.0], [1e4, 1.0], [1e4, 3.0]])
    values = batch_hard_triplet(features, torch.tensor([0, 0, 1]), margin=4.0)
    torch.testing.assert_close(values, torch.tensor([2.0, 3.0, 0.0]))


def test_equal_features_cost_the_margin_and_have_no_gradient() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    value = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1])).mean()
    value.backward()
    assert value.item() == pytest.approx(0.3)
    assert (features.grad == 0).all()


def test_hardest_pairs_pass_no_gradient() -> None:
    features = batch().requires_grad_()
    farthest, nearest = hardest_pairs(features, LABELS)
    assert not farthest.requires_grad and not nearest.requires_grad
    assert (LABELS[farthest] == LABELS).all() and (LABELS[nearest] != LABELS).all()


def test_distance_is_numpys() -> None:
    first, second = batch(), batch().flip(0)
    want = np.linalg.norm(first.numpy() - second.numpy(), axis=1)
    np.testing.assert_allclose(euclidean_distance(first, second).numpy(), want)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf")])
def test_margin_out_of_range(margin: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.margin: got .*; expected a number >= 0"):
        Triplet(margin=margin)
