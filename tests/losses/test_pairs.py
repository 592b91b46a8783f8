import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from compkit.losses import AnchorLoss, Circle, Triplet
from compkit.losses.pairs import has_pairs, unit_length, unmixed_have_one_class
from compkit.types import Outputs, Targets, Task

ANCHOR_LOSSES = [
    Triplet(),
    Triplet(margin=1, normalise=True),
    Triplet(soft_margin=True),
    Circle(),
    Circle(margin=0.4, gamma=32),
]
every_anchor_loss = pytest.mark.parametrize("loss", ANCHOR_LOSSES)
LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 1, 3])  # unequal classes; the last one is alone


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def outputs(features: Tensor) -> Outputs:
    return Outputs(torch.zeros(len(features), 4), features=features)


def test_pairs_by_counting() -> None:
    for labels in (LABELS, torch.tensor([1, 1, 1]), torch.tensor([0, 1]), torch.tensor([5])):
        want = [
            any(i != j and labels[i] == labels[j] for j in range(len(labels)))
            and any(labels[i] != labels[j] for j in range(len(labels)))
            for i in range(len(labels))
        ]
        assert has_pairs(labels).tolist() == want


def test_soft_labels_have_no_pairs() -> None:
    with pytest.raises(AssertionError, match="one class an image"):
        has_pairs(torch.rand(4, 3))


def test_unit_length_is_torchs_and_survives_zeros() -> None:
    features = torch.randn(3, 5)
    torch.testing.assert_close(unit_length(features), F.normalize(features))
    zeros = torch.zeros(1, 5, requires_grad=True)
    unit_length(zeros).sum().backward()
    assert zeros.grad.abs().max() <= 1e6


@every_anchor_loss
def test_the_mean_is_over_anchors_with_pairs(loss: AnchorLoss) -> None:
    features = torch.randn(8, 5)
    values = loss.per_sample(features, LABELS)
    assert values.shape == (8,) and values[7] == 0
    assert loss.sample_weight(LABELS).tolist() == [1.0] * 7 + [0.0]
    torch.testing.assert_close(loss(outputs(features), LABELS), values[:7].mean())


@every_anchor_loss
def test_order_of_images_does_not_matter(loss: AnchorLoss) -> None:
    features, order = torch.randn(8, 5), torch.randperm(8)
    values = loss.per_sample(features, LABELS)
    torch.testing.assert_close(loss.per_sample(features[order], LABELS[order]), values[order])


@every_anchor_loss
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
def test_a_batch_without_pairs_costs_nothing_and_can_be_learnt_from(loss: AnchorLoss, labels: list) -> None:
    features = torch.randn(len(labels), 5, requires_grad=True)
    value = loss(outputs(features), torch.tensor(labels))
    (value * 2.0**40).backward()  # as fp16's loss scale
    assert value == 0
    assert (features.grad == 0).all()


@every_anchor_loss
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1.0, 1e4])
def test_finite_at_extreme_features(loss: AnchorLoss, scale: float) -> None:
    features = (scale * torch.randn(8, 5).sign()).requires_grad_()  # many are equal
    value = loss(outputs(features), LABELS)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(features.grad).all()


@every_anchor_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_features_under_autocast_give_a_float32_loss(
    loss: AnchorLoss, dtype: torch.dtype
) -> None:
    features = (1e4 * torch.randn(8, 5)).to(dtype)
    with torch.autocast("cpu", dtype):
        value = loss(outputs(features), LABELS)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(outputs(features.float()), LABELS), rtol=0, atol=0)


@every_anchor_loss
def test_mixed_images_cost_the_mean_of_two_losses(loss: AnchorLoss) -> None:
    features = torch.randn(8, 5)
    other, share = LABELS[torch.randperm(8)], torch.rand(8)
    first, second = loss.per_sample(features, LABELS), loss.per_sample(features, other)
    weight = share * has_pairs(LABELS) + (1 - share) * has_pairs(other)
    want = (share * first + (1 - share) * second).sum() / weight.sum()
    targets = Targets(LABELS, other=other, share=share)
    torch.testing.assert_close(loss(outputs(features), targets), want)
    torch.testing.assert_close(loss.weights(targets), weight)


@every_anchor_loss
def test_nothing_mixed_in_costs_what_it_costs_unmixed(loss: AnchorLoss) -> None:
    features = torch.randn(8, 5)
    targets = Targets(LABELS, other=LABELS.flip(0), share=torch.ones(8))
    torch.testing.assert_close(loss(outputs(features), targets), loss(outputs(features), LABELS))


def test_others_see_an_unmixed_image_as_its_own_class_in_both_parts() -> None:
    targets = Targets(LABELS, other=LABELS.flip(0), share=torch.tensor([0.5, 1.0] * 4))
    second, _ = unmixed_have_one_class(targets).parts()[1]
    assert second.tolist() == [3, 0, 2, 2, 2, 2, 0, 3]


@every_anchor_loss
def test_micro_batches_add_up_to_the_mean_over_all_their_anchors(loss: AnchorLoss) -> None:
    features = torch.randn(8, 5)
    micro = [torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5, 6, 7])]  # 2 and 3 anchors with pairs
    values = torch.cat([loss.per_sample(features[rows], LABELS[rows]) for rows in micro])
    weights = [loss.weights(LABELS[rows]).sum() for rows in micro]
    assert [weight.item() for weight in weights] == [2, 3]
    parts = [loss(outputs(features[rows]), LABELS[rows]) for rows in micro]
    total = sum(part * weight / sum(weights) for part, weight in zip(parts, weights, strict=True))
    torch.testing.assert_close(total, values.sum() / 5)


@every_anchor_loss
@pytest.mark.parametrize("task", [Task.MULTILABEL, Task.REGRESSION])
def test_another_task_is_refused(loss: AnchorLoss, task: Task) -> None:
    loss.check_task(Task.MULTICLASS)
    with pytest.raises(ValueError, match=f"{type(loss).__name__}: trains multiclass.*{task}"):
        loss.check_task(task)
