import numpy as np
import pytest
import torch
from torch import Tensor

from compkit.losses import Center
from compkit.types import Outputs, Targets, Task

LABELS = torch.tensor([0, 0, 2, 2, 2])


def prepared(num_features: int = 3, lr: float = 0.5) -> Center:
    torch.manual_seed(0)
    loss = Center(lr=lr, class_counts=np.array([4, 5, 6]))
    loss.prepare(num_features)
    return loss


def outputs(features: Tensor) -> Outputs:
    return Outputs(torch.zeros(len(features), 3), features=features)


def test_is_the_sum_of_squares_over_the_batch() -> None:
    loss, features = prepared(), torch.randn(5, 3)
    centers = loss.centers.detach().double().numpy()
    want = sum(
        ((row - centers[y]) ** 2).sum() for row, y in zip(features.double().numpy(), LABELS, strict=True)
    )
    assert loss(outputs(features), LABELS).item() == pytest.approx(want / 5, rel=1e-6)


def test_gradient_is_that_of_the_value() -> None:
    loss = prepared().double()

    def value(features: Tensor, centers: Tensor) -> Tensor:
        with torch.no_grad():
            loss.centers.copy_(centers)
        return torch.func.functional_call(loss, {"centers": centers}, (outputs(features), LABELS))

    features = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, (features, loss.centers.detach().clone().requires_grad_()))


def test_its_optimizer_moves_centers_towards_their_class() -> None:
    """c <- c - lr dL/dc = c + lr 2/B sum (f - c); a class that is not in the batch stays."""
    loss, features = prepared(lr=0.25), torch.randn(5, 3)
    before = loss.centers.detach().clone()
    loss(outputs(features), LABELS).backward()
    loss.make_optimizer().step()
    for y in range(3):
        step = sum(
            (0.25 * 2 / 5 * (features[i] - before[y]) for i in range(5) if LABELS[i] == y), torch.zeros(3)
        )
        torch.testing.assert_close(loss.centers[y].detach(), before[y] + step)


def test_centers_are_normal_numbers_from_torchs_generator() -> None:
    loss, again = prepared(num_features=2000), prepared(num_features=2000)
    assert torch.equal(loss.centers, again.centers)
    assert loss.centers.shape == (3, 2000)
    assert loss.centers.mean().item() == pytest.approx(0, abs=0.05)
    assert loss.centers.std().item() == pytest.approx(1, abs=0.05)


def test_centers_are_saved_and_restored() -> None:
    loss, other = prepared(), prepared()
    loss.make_optimizer().param_groups[0]["params"][0].data.add_(1)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other.centers, loss.centers)


def test_mixed_images_lie_between_their_centers() -> None:
    loss, features, share = prepared(), torch.randn(5, 3), torch.rand(5)
    other = LABELS.flip(0)
    first, second = loss.per_sample(features, LABELS), loss.per_sample(features, other)
    want = (share * first + (1 - share) * second).mean()
    value = loss(outputs(features), Targets(LABELS, other=other, share=share))
    torch.testing.assert_close(value, want)


def test_micro_batches_add_up_to_the_large_batch() -> None:
    whole, parts, features = prepared(), prepared(), torch.randn(5, 3)
    whole(outputs(features), LABELS).backward()
    for rows in torch.arange(5).split(2):
        (parts(outputs(features[rows]), LABELS[rows]) * len(rows) / 5).backward()
    torch.testing.assert_close(parts.centers.grad, whole.centers.grad)


@pytest.mark.parametrize("scale", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_extreme_features_of_any_precision_give_a_finite_float32_loss(
    scale: float, dtype: torch.dtype
) -> None:
    loss, features = prepared(), torch.full((5, 3), scale, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(outputs(features), LABELS)
    value.backward()
    assert value.dtype == torch.float32 and torch.isfinite(value)
    assert torch.isfinite(features.grad).all() and torch.isfinite(loss.centers.grad).all()
    torch.testing.assert_close(value, loss(outputs(features.float()), LABELS), rtol=0, atol=0)


def test_order_of_images_does_not_matter() -> None:
    loss, features, order = prepared(), torch.randn(5, 3), torch.randperm(5)
    torch.testing.assert_close(
        loss.per_sample(features[order], LABELS[order]), loss.per_sample(features, LABELS)[order]
    )


def test_another_task_is_refused() -> None:
    with pytest.raises(ValueError, match="Center: trains multiclass"):
        prepared().check_task(Task.MULTILABEL)


def test_centers_need_the_number_of_classes() -> None:
    with pytest.raises(ValueError, match=r"loss Center: .*no classes.*loss\.terms\.center=null"):
        Center().prepare(num_features=3)


@pytest.mark.parametrize("lr", [0, -1, float("nan"), float("inf")])
def test_lr_out_of_range(lr: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.lr: got .*; expected a number > 0"):
        Center(lr=lr)
