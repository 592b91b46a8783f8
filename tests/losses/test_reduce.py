import pytest
import torch

from compkit.losses.reduce import at_least_float32, column_mean, weighted_mean


def test_weighted_mean_of_equal_weights_is_the_mean() -> None:
    values = torch.tensor([1.0, 2.0, 6.0])
    assert weighted_mean(values, torch.ones(3)) == values.mean()


def test_scale_of_the_weights_does_not_matter() -> None:
    values, weights = torch.rand(5), torch.rand(5) + 0.1
    torch.testing.assert_close(
        weighted_mean(3 * weights * values, 3 * weights), weighted_mean(weights * values, weights)
    )


def test_column_mean_with_equal_weights_is_the_mean() -> None:
    values = torch.rand(4, 3)
    torch.testing.assert_close(column_mean(values, torch.full((3,), 2.0)), column_mean(values))


def test_column_mean_wants_a_weight_for_each_column() -> None:
    with pytest.raises(ValueError, match=r"loss\.column_weight .*2 weights given for 3 columns"):
        column_mean(torch.zeros(4, 3), torch.ones(2))


@pytest.mark.parametrize(
    "given, want", [("float16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_at_least_float32(given: str, want: str) -> None:
    assert at_least_float32(torch.zeros(1, dtype=getattr(torch, given))).dtype == getattr(torch, want)
