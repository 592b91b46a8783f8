import pytest
import torch
import torch.nn.functional as F

from compkit.losses import Hinge, multiclass_hinge


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 2.0, 1.0])])
def test_is_torchs_times_the_number_of_classes(margin: float, weight: torch.Tensor | None) -> None:
    logits, targets = torch.randn(9, 4), torch.randint(0, 4, (9,))
    want = F.multi_margin_loss(logits, targets, p=1, margin=margin, weight=weight, reduction="none") * 4
    torch.testing.assert_close(multiclass_hinge(logits, targets, margin, weight), want)


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 2.0, 1.0])])
def test_certain_soft_targets_are_classes(weight: torch.Tensor | None) -> None:
    logits, targets = torch.randn(9, 4), torch.randint(0, 4, (9,))
    torch.testing.assert_close(
        multiclass_hinge(logits, F.one_hot(targets, 4).float(), class_weight=weight),
        multiclass_hinge(logits, targets, class_weight=weight),
    )


def test_soft_targets_are_a_sum_over_classes() -> None:
    logits, targets = torch.randn(5, 3), torch.rand(5, 3).softmax(dim=1)
    each = [multiclass_hinge(logits, torch.full((5,), c)) * targets[:, c] for c in range(3)]
    torch.testing.assert_close(multiclass_hinge(logits, targets), sum(each))


def test_classes_weigh_in_the_mean() -> None:
    logits, targets, weight = torch.randn(9, 4), torch.randint(0, 4, (9,)), torch.tensor([0.5, 1.0, 2.0, 1.0])
    total = 4 * F.multi_margin_loss(logits, targets, margin=2.0, weight=weight, reduction="sum")
    got = Hinge(margin=2, class_weight=weight.tolist())(logits, targets)
    torch.testing.assert_close(got, total / weight[targets].sum())


@pytest.mark.parametrize("classes", [2, 10])
def test_starts_at_the_number_of_wrong_classes(classes: int) -> None:
    assert Hinge()(torch.zeros(3, classes), torch.tensor([0, 1, 1])) == classes - 1


def test_a_lead_of_the_margin_costs_nothing() -> None:
    assert Hinge(margin=2)(torch.tensor([[5.0, 3.0, -1.0]]), torch.tensor([0])) == 0


@pytest.mark.parametrize("margin", [0, -1])
def test_margin_out_of_range(margin: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.margin"):
        Hinge(margin=margin)
