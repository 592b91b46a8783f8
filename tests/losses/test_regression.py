import pytest
import torch
import torch.nn.functional as F

from compkit.losses import MAE, MSE, Huber

TORCH = [
    (MSE(), F.mse_loss),
    (MAE(), F.l1_loss),
    (Huber(delta=0.5), lambda logits, targets: F.huber_loss(logits, targets, delta=0.5)),
]


@pytest.mark.parametrize("loss, reference", TORCH)
@pytest.mark.parametrize("columns", [1, 3])
def test_is_torchs(loss: torch.nn.Module, reference: object, columns: int) -> None:
    torch.manual_seed(0)
    predictions, targets = torch.randn(6, columns), torch.randn(6, columns)
    torch.testing.assert_close(loss(predictions, targets), reference(predictions, targets))


@pytest.mark.parametrize("loss", [MSE, MAE, Huber])
def test_column_weight_counts_a_column_that_often(loss: type) -> None:
    torch.manual_seed(0)
    predictions, targets = torch.randn(6, 2), torch.randn(6, 2)
    repeated = torch.tensor([0, 1, 1, 1])
    want = loss()(predictions[:, repeated], targets[:, repeated])
    torch.testing.assert_close(loss(column_weight=[1, 3])(predictions, targets), want)


@pytest.mark.parametrize("loss", [MSE, MAE, Huber])
def test_column_weight_needs_one_a_column(loss: type) -> None:
    with pytest.raises(ValueError, match=r"loss\.column_weight.*3 weights given for 2 columns"):
        loss(column_weight=[1, 2, 3])(torch.zeros(4, 2), torch.zeros(4, 2))


@pytest.mark.parametrize("loss", [MSE, MAE, Huber])
def test_column_weight_is_above_zero(loss: type) -> None:
    with pytest.raises(ValueError, match=r"loss\.column_weight"):
        loss(column_weight=[1, -2])


@pytest.mark.parametrize("delta", [0, -1, float("nan")])
def test_delta_is_above_zero(delta: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.delta"):
        Huber(delta=delta)


def test_shapes_that_would_broadcast_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        MSE()(torch.zeros(4, 1), torch.zeros(4))
