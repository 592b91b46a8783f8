import itertools

import pytest
import torch
import torch.nn.functional as F

from compkit.losses import BCE, CrossEntropy, binary_cross_entropy, cross_entropy

WEIGHTS = [0.5, 1.0, 2.0]


def batch(rows: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, 3, generator=generator)
    indices = torch.randint(0, 3, (rows,), generator=generator)
    return logits, indices, torch.rand(rows, 3, generator=generator).softmax(dim=1)


@pytest.mark.parametrize(
    "smoothing, weights, soft", [*itertools.product([0, 0.2], [None, WEIGHTS], [False, True])]
)
def test_cross_entropy_is_torchs(smoothing: float, weights: list | None, soft: bool) -> None:
    logits, indices, mixed = batch()
    targets = mixed if soft else indices
    weight = None if weights is None else torch.tensor(weights)
    want = F.cross_entropy(logits, targets, weight, label_smoothing=smoothing)
    loss = CrossEntropy(smoothing=smoothing, class_weight=weights)
    torch.testing.assert_close(loss(logits, targets), want)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    logits, indices, _ = batch()
    smooth = F.one_hot(indices, 3) * 0.7 + 0.1
    torch.testing.assert_close(
        cross_entropy(logits, indices, smoothing=0.3), -(smooth * logits.log_softmax(dim=1)).sum(dim=1)
    )


def test_a_class_weight_counts_a_sample_that_often() -> None:
    logits, _, _ = batch(3)
    indices = torch.tensor([0, 1, 0])
    repeated = torch.tensor([0, 1, 1, 1, 2])
    torch.testing.assert_close(
        CrossEntropy(class_weight=[1, 3, 1])(logits, indices),
        CrossEntropy()(logits[repeated], indices[repeated]),
    )


def test_soft_targets_weigh_one_each() -> None:
    _, _, mixed = batch()
    assert CrossEntropy(class_weight=WEIGHTS).sample_weight(mixed).tolist() == [1.0] * 7


def test_bce_is_torchs_mean_over_labels() -> None:
    logits, _, mixed = batch()
    positive = torch.tensor(WEIGHTS)
    want = F.binary_cross_entropy_with_logits(logits, mixed, pos_weight=positive)
    torch.testing.assert_close(BCE(pos_weight=WEIGHTS)(logits, mixed), want)


def test_one_pos_weight_serves_all_labels() -> None:
    logits, _, mixed = batch()
    torch.testing.assert_close(BCE(pos_weight=3)(logits, mixed), BCE(pos_weight=[3, 3, 3])(logits, mixed))


def test_bce_weights_make_a_weighted_mean_over_labels() -> None:
    logits, _, mixed = batch()
    weight = torch.tensor(WEIGHTS)
    single = F.binary_cross_entropy_with_logits(logits, mixed, reduction="none")
    want = (single * weight / weight.sum()).sum(dim=1)
    torch.testing.assert_close(binary_cross_entropy(logits, mixed, class_weight=weight), want)


def test_bce_smoothing_pulls_labels_to_half_of_it() -> None:
    logits, _, _ = batch()
    labels = (logits > 0).float()
    want = binary_cross_entropy(logits, labels * 0.8 + 0.1)
    torch.testing.assert_close(binary_cross_entropy(logits, labels, smoothing=0.2), want)


@pytest.mark.parametrize("loss", [CrossEntropy, BCE])
@pytest.mark.parametrize("smoothing", [-0.1, 1])
def test_smoothing_out_of_range(loss: type, smoothing: float) -> None:
    with pytest.raises(ValueError, match=r"loss\.smoothing"):
        loss(smoothing=smoothing)


@pytest.mark.parametrize("pos_weight", [0, -1, [1, 2], [1, 2, 0], "auto"])
def test_pos_weight_out_of_range(pos_weight: object) -> None:
    with pytest.raises(ValueError, match=r"loss\.pos_weight"):
        BCE(pos_weight=pos_weight, class_counts=[1, 1, 1])
