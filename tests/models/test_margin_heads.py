"""What each margin head does beyond the family; the arithmetic is tested in test_margin.py."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compkit.models import (
    ArcFaceHead,
    CosFaceHead,
    CosineHead,
    DynamicMarginHead,
    SphereFaceHead,
    SubCenterArcFaceHead,
    dynamic_margins,
)
from compkit.types import Moment, Targets

EMBEDDINGS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
TARGETS = Targets(torch.tensor([0, 1, 2, 2, 1, 0]))


def test_cosine_head_is_torchs_cosine_similarity() -> None:
    head = CosineHead(5, 3, scale=20)
    want = 20 * F.cosine_similarity(EMBEDDINGS[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(EMBEDDINGS, TARGETS).logits, want)


def test_no_margin_is_the_cosine_head() -> None:
    heads = [CosFaceHead(5, 3, margin=0), ArcFaceHead(5, 3, margin_rad=0), SphereFaceHead(5, 3, factor=1)]
    for head in heads:
        outputs = head(EMBEDDINGS, TARGETS)
        torch.testing.assert_close(outputs.margin[0], outputs.logits)


def test_the_nearest_of_several_vectors_counts() -> None:
    head = SubCenterArcFaceHead(5, 3, scale=1, k=4)
    want = F.cosine_similarity(EMBEDDINGS[:, None], head.weight[None], dim=2)
    for number in range(3):
        nearest = want[:, 4 * number : 4 * number + 4].max(dim=1).values
        torch.testing.assert_close(head(EMBEDDINGS).logits[:, number], nearest)


def test_one_vector_a_class_is_arcface() -> None:
    arc, sub = ArcFaceHead(5, 3), SubCenterArcFaceHead(5, 3, k=1)
    sub.load_state_dict(arc.state_dict())
    torch.testing.assert_close(sub(EMBEDDINGS, TARGETS).margin[0], arc(EMBEDDINGS, TARGETS).margin[0])


def test_dynamic_margin_is_arcface_with_the_margin_of_the_class() -> None:
    counts = np.array([100, 10, 1])
    head = DynamicMarginHead(5, 3, class_counts=counts)
    for label, margin in enumerate(dynamic_margins(counts, 0.05, 0.5)):
        arc = ArcFaceHead(5, 3, margin_rad=margin)
        arc.load_state_dict(head.state_dict())
        targets = Targets(torch.full((6,), label))
        torch.testing.assert_close(head(EMBEDDINGS, targets).margin[0], arc(EMBEDDINGS, targets).margin[0])


def test_dynamic_margins_are_not_taken_over_with_weights() -> None:
    head, other = DynamicMarginHead(5, 3, class_counts=np.array([9, 9, 1])), DynamicMarginHead(5, 3)
    torch.testing.assert_close(other.margins_rad, torch.full((3,), 0.275))
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other.margins_rad, torch.full((3,), 0.275))


def test_sphereface_eases_in_by_the_moment_alone() -> None:
    head = SphereFaceHead(5, 3, ease_min=2)
    at_start = head(EMBEDDINGS, TARGETS)
    torch.testing.assert_close(at_start.margin[0], at_start.logits, atol=30 * 8 / 1001, rtol=0)
    for step, ease in [(0, 1000.0), (100, 1000 / 13), (10_000, 2.0), (0, 1000.0)]:
        head.set_moment(Moment(step, epoch=0.0, epochs=1))
        torch.testing.assert_close(head.ease, torch.tensor(ease))
    assert "ease" not in head.state_dict()


@pytest.mark.parametrize(
    "make, key",
    [
        (partial(CosineHead, scale=0), r"model\.head\.scale: got 0"),
        (partial(CosineHead, scale="large"), r"model\.head\.scale: got 'large'"),
        (partial(CosineHead, k=0), r"model\.head\.k"),
        (partial(SubCenterArcFaceHead, k=1.5), r"model\.head\.k"),
        (partial(CosFaceHead, margin=1.5), r"model\.head\.margin"),
        (partial(ArcFaceHead, margin_rad=28), r"model\.head\.margin_rad: got 28; expected radians"),
        (partial(ArcFaceHead, margin_rad=-0.1), r"model\.head\.margin_rad"),
        (partial(DynamicMarginHead, margin_min_rad=-1), r"model\.head\.margin_min_rad"),
        (partial(DynamicMarginHead, margin_max_rad=2), r"model\.head\.margin_max_rad"),
        (partial(DynamicMarginHead, margin_max_rad=0.01), r"at least margin_min_rad, which is 0\.05"),
        (partial(SphereFaceHead, factor=1.5), r"model\.head\.factor: got 1\.5; expected a whole number"),
        (partial(SphereFaceHead, ease_min=0), r"model\.head\.ease_min"),
    ],
)
def test_wrong_arguments_are_refused(make: partial, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        make(5, 3)


@pytest.mark.parametrize("make", [CosineHead, ArcFaceHead, SphereFaceHead])
def test_a_single_class_is_refused(make: type[CosineHead]) -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, got 1.*model/head=linear"):
        make(5, 1)
