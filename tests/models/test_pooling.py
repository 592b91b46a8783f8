"""Poolings against their formulas in float64, at their limits, and in half precision."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compkit.models import AvgPool, DualPool, GeM, MaxPool, generalized_mean

ALL_POOLINGS = [AvgPool, MaxPool, DualPool, GeM]


def feature_map(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return (
        torch.rand(shape or (2, 5, 3, 4), generator=torch.Generator().manual_seed(0), dtype=dtype) * 3 + 0.01
    )


def test_pools_match_numpy() -> None:
    features = feature_map(dtype=torch.float64)
    array = features.numpy()
    mean, top = array.mean((2, 3)), array.max((2, 3))
    np.testing.assert_allclose(AvgPool(5)(features).numpy(), mean)
    np.testing.assert_allclose(MaxPool(5)(features).numpy(), top)
    np.testing.assert_allclose(DualPool(5)(features).numpy(), np.concatenate([mean, top], axis=1))
    cubic = (np.maximum(array, 1e-6) ** 3).mean((2, 3)) ** (1 / 3)
    np.testing.assert_allclose(GeM(5)(features).detach().numpy(), cubic)


@pytest.mark.parametrize("pooling", ALL_POOLINGS)
def test_order_of_positions_and_images_does_not_matter(pooling: type[nn.Module]) -> None:
    features, pool = feature_map(), pooling(5)
    torch.testing.assert_close(pool(features.flip(2, 3)), pool(features))
    torch.testing.assert_close(pool(features.flip(0)), pool(features).flip(0))


@pytest.mark.parametrize("pooling", ALL_POOLINGS)
def test_vector_is_as_long_as_told(pooling: type[nn.Module]) -> None:
    assert pooling(5)(feature_map()).shape == (2, pooling(5).out_features)


def test_dual_reduction_is_a_linear_layer_on_both() -> None:
    pool = DualPool(5, reduction=4)
    both = DualPool(5)(feature_map())
    torch.testing.assert_close(pool(feature_map()), both @ pool.reduce.weight.T + pool.reduce.bias)
    assert pool.out_features == 4


def test_gem_reaches_from_mean_to_maximum() -> None:
    features = feature_map()
    torch.testing.assert_close(generalized_mean(features, 1.0), features.mean((2, 3)))
    torch.testing.assert_close(generalized_mean(features, 1e4), features.amax((2, 3)), rtol=1e-3, atol=0)


def test_gem_counts_negative_values_as_eps() -> None:
    torch.testing.assert_close(generalized_mean(-feature_map(), 3.0, eps=0.5), torch.full((2, 5), 0.5))


@pytest.mark.parametrize("p", [0.5, 3.0, 50.0])
def test_gem_gradients(p: float) -> None:
    features = feature_map(1, 2, 2, 3, dtype=torch.float64).requires_grad_()
    exponent = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(generalized_mean, (features, exponent))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_gem_and_its_gradients_stay_finite(scale: float) -> None:
    features, pool = (feature_map() * scale).requires_grad_(), GeM(5, p=20)
    pool(features).sum().backward()
    assert features.grad is not None and features.grad.isfinite().all()
    assert pool.p.grad is not None and pool.p.grad.isfinite()


def test_gem_learns_its_exponent() -> None:
    pool = GeM(5)
    pool(feature_map()).sum().backward()
    assert pool.p.ndim == 0 and pool.p.item() == 3.0
    assert pool.p.grad is not None and pool.p.grad.item() > 0  # a larger exponent gives a larger mean


def test_gem_computes_in_fp32_under_autocast() -> None:
    features = feature_map().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = GeM(5)(features)
    assert pooled.dtype == torch.bfloat16
    torch.testing.assert_close(pooled, GeM(5)(features.float()).bfloat16(), rtol=0, atol=0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.pooling\.reduction"):
        DualPool(5, reduction=0)
    with pytest.raises(ValueError, match=r"model\.pooling\.p"):
        GeM(5, p=0)
    with pytest.raises(ValueError, match=r"model\.pooling\.eps"):
        GeM(5, eps=0)
