import pytest
import torch
import torch.nn.functional as F

from compkit.losses import (
    BCE,
    BinaryFocalLoss,
    CrossEntropy,
    FocalLoss,
    binary_focal_loss,
    focal_loss,
)

WEIGHTS = [0.5, 1.0, 2.0]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def soft(rows: int) -> torch.Tensor:
    return torch.rand(rows, 3).softmax(dim=1)


@pytest.mark.parametrize("smoothing", [0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("targets", [torch.tensor([0, 1, 2, 2]), torch.full((4, 3), 1 / 3)])
def test_gamma_zero_is_cross_entropy(smoothing: float, weights: list | None, targets: torch.Tensor) -> None:
    logits = torch.randn(4, 3)
    torch.testing.assert_close(
        FocalLoss(gamma=0, smoothing=smoothing, class_weight=weights)(logits, targets),
        CrossEntropy(smoothing, weights)(logits, targets),
    )


@pytest.mark.parametrize("smoothing", [0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_gamma_zero_is_binary_cross_entropy(smoothing: float, weights: list | None) -> None:
    logits, targets = torch.randn(4, 3), torch.rand(4, 3)
    torch.testing.assert_close(
        BinaryFocalLoss(gamma=0, smoothing=smoothing, class_weight=weights)(logits, targets),
        BCE(smoothing, weights)(logits, targets),
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_is_the_formula_of_the_paper(gamma: float) -> None:
    logits, classes = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    for row, target in enumerate(classes):
        p = (logits[row].exp() / logits[row].exp().sum())[target]
        want = -((1 - p) ** gamma) * p.log()
        torch.testing.assert_close(focal_loss(logits, classes, gamma)[row], want)


def test_soft_targets_are_a_sum_over_classes() -> None:
    logits, targets = torch.randn(6, 3, dtype=torch.float64), soft(6).double()
    each = [focal_loss(logits, torch.full((6,), c), 2.0) * targets[:, c] for c in range(3)]
    torch.testing.assert_close(focal_loss(logits, targets, 2.0), sum(each))


@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_binary_focal_is_the_formula_of_the_paper(alpha: float | None, gamma: float) -> None:
    logits = torch.randn(5, 3, dtype=torch.float64)
    labels = torch.randint(0, 2, (5, 3)).double()
    p = 1 / (1 + (-logits).exp())
    p_t = torch.where(labels == 1, p, 1 - p)
    alpha_t = 1.0 if alpha is None else torch.where(labels == 1, alpha, 1 - alpha)
    want = (-alpha_t * (1 - p_t) ** gamma * p_t.log()).mean(dim=1)
    torch.testing.assert_close(binary_focal_loss(logits, labels, gamma, alpha), want)
    torch.testing.assert_close(BinaryFocalLoss(gamma, alpha)(logits, labels), want.mean())


def test_two_classes_are_one_label() -> None:
    logits, classes = torch.randn(6, 2), torch.randint(0, 2, (6,))
    difference = (logits[:, 1] - logits[:, 0])[:, None]
    torch.testing.assert_close(
        focal_loss(logits, classes), binary_focal_loss(difference, classes[:, None].float())
    )


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 2.0])
def test_gradient_of_a_certain_sample_is_finite(gamma: float) -> None:
    # the slope of (1 - p)^gamma is infinite at p = 1, which float32 reaches at logits of 20
    for size in (17.0, 20.0, 90.0, 1e4):
        logits = torch.tensor([[size, 0.0, -size]], requires_grad=True)
        value = focal_loss(logits, torch.tensor([0]), gamma) + binary_focal_loss(
            logits, torch.tensor([[1.0, 0.0, 0.0]]), gamma
        )
        value.sum().backward()
        assert value.isfinite().all() and logits.grad.isfinite().all()
        logits = logits.detach().requires_grad_()
        focal_loss(logits, F.one_hot(torch.tensor([1]), 3).float(), gamma).sum().backward()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [FocalLoss, BinaryFocalLoss])
@pytest.mark.parametrize("gamma", [-1, float("nan"), "much"])
def test_gamma_out_of_range(loss: type, gamma: object) -> None:
    with pytest.raises(ValueError, match=r"loss\.gamma: got .*; expected a number >= 0"):
        loss(gamma=gamma)


@pytest.mark.parametrize("alpha", [0, 1, -0.5, "auto"])
def test_alpha_out_of_range(alpha: object) -> None:
    with pytest.raises(ValueError, match=r"loss\.alpha: got .*; expected a number > 0 and < 1"):
        BinaryFocalLoss(alpha=alpha)
