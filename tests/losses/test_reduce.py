import itertools

import numpy as np
import pytest
import torch

from compkit.losses.reduce import TopK, at_least_float32, column_mean, weighted_mean
from compkit.types import Moment


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


VALUES = torch.tensor([0.3, 5.0, 1.0, 4.0, 2.0])


def at(epoch: float) -> Moment:
    return Moment(step=0, epoch=epoch, epochs=10)


@pytest.mark.parametrize(
    "fraction, size, kept", [(0.07, 100, 7), (0.7, 10, 7), (0.5, 5, 3), (0.01, 3, 1), (1, 5, 5)]
)
def test_top_k_keeps_the_ceiling_of_its_share(fraction: float, size: int, kept: int) -> None:
    assert TopK(fraction=fraction).num_kept(size) == kept


@pytest.mark.parametrize("count, size, kept", [(3, 5, 3), (9, 5, 5), (1, 5, 1)])
def test_top_k_keeps_a_count(count: int, size: int, kept: int) -> None:
    assert TopK(count=count).num_kept(size) == kept


@pytest.mark.parametrize("kept", [1, 2, 3, 5])
def test_top_k_is_the_mean_of_the_largest(kept: int) -> None:
    want = np.sort(VALUES.numpy())[-kept:].mean()
    assert TopK(count=kept)(VALUES, torch.ones(5)).item() == pytest.approx(want)


def test_top_k_ranks_by_weight_times_loss_and_divides_by_the_kept_weights() -> None:
    losses, weights = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 1.0, 1.0])
    # products 5, 2, 3: the first and the third are kept
    assert TopK(count=2)(losses * weights, weights).item() == pytest.approx((5 + 3) / (5 + 1))


def test_top_k_of_all_is_the_mean() -> None:
    weights = torch.rand(5) + 0.1
    torch.testing.assert_close(TopK(fraction=1)(VALUES, weights), weighted_mean(VALUES, weights))


def test_top_k_gives_no_gradient_to_the_rest() -> None:
    values = VALUES.clone().requires_grad_()
    TopK(fraction=0.4)(values, torch.ones(5)).backward()
    assert values.grad.tolist() == [0, 0.5, 0, 0.5, 0]


def test_top_k_of_equal_losses_does_not_depend_on_their_order() -> None:
    values, weights = torch.tensor([4.0, 0.0, 0.0, 0.0]), torch.tensor([1.0, 2.0, 5.0, 3.0])
    for order in itertools.permutations(range(4)):
        rows = torch.tensor(order)
        assert TopK(count=2)(values[rows], weights[rows]).item() == pytest.approx(4 / 6)


def test_top_k_is_the_plain_mean_in_evaluation() -> None:
    assert TopK(count=1).eval()(VALUES, torch.ones(5)) == VALUES.mean()


def test_top_k_warms_up_evenly_from_all_samples() -> None:
    share, number = TopK(fraction=0.5, warmup_epochs=4), TopK(count=40, warmup_epochs=4)
    assert (share.num_kept(100), number.num_kept(100)) == (100, 100)
    for epoch, halves, forties in [
        (0, 100, 100),
        (1, 88, 85),
        (2, 75, 70),
        (4, 50, 40),
        (9, 50, 40),
        (2, 75, 70),
    ]:
        share.set_moment(at(epoch))
        number.set_moment(at(epoch))
        assert (share.num_kept(100), number.num_kept(100)) == (halves, forties)


def test_top_k_without_warm_up_ignores_the_moment() -> None:
    reduce = TopK(fraction=0.5)
    reduce.set_moment(at(0))
    assert reduce.num_kept(10) == 5


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, r"loss\.reduce: got fraction=None and count=None; expected exactly one"),
        ({"fraction": 0.5, "count": 3}, r"loss\.reduce: .*exactly one"),
        ({"fraction": 0}, r"loss\.reduce\.fraction: got 0;"),
        ({"fraction": 1.1}, r"loss\.reduce\.fraction"),
        ({"fraction": "most"}, r"loss\.reduce\.fraction: got 'most';"),
        ({"count": 0}, r"loss\.reduce\.count: got 0;"),
        ({"count": 2.5}, r"loss\.reduce\.count"),
        ({"fraction": 0.5, "warmup_epochs": -1}, r"loss\.reduce\.warmup_epochs"),
    ],
)
def test_top_k_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TopK(**arguments)
