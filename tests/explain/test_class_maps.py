"""Maps lie where the answer comes from, equal the formula written out, and leave no trace in the network."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from compkit.explain import as_map, class_maps
from compkit.models import (
    ArcFaceHead,
    AvgPool,
    BNNeck,
    Classifier,
    CosineHead,
    DualPool,
    EmbeddingNeck,
    GeM,
    LinearHead,
    MaxPool,
    MLPHead,
    NoNeck,
)

from .networks import Corner, Flat, InPlace, Unfeeling


def ask(model, images, column=0, sign=1.0):
    """The maps of one output of each picture, [B, h, w]."""
    columns = torch.full((1, len(images)), column)
    return class_maps(model, images, columns, torch.full(columns.shape, sign))


def classifier(pooling=AvgPool, neck=NoNeck, head=LinearHead, name="test_resnet", size=64, **options):
    torch.manual_seed(0)
    return Classifier(name, pooling, neck, head, num_outputs=4, pretrained=False, image_size=size, **options)


def test_the_map_lies_where_the_answer_comes_from():
    images = torch.rand(3, 1, 32, 32) + 0.5
    for column, inside in ((0, (slice(None, 4), slice(None, 4))), (1, (slice(4, None), slice(4, None)))):
        maps = ask(Corner(), images, column).maps[0]
        assert (maps[:, *inside] > 0).all()
        assert maps.sum() == pytest.approx(maps[:, *inside].sum().item())


def test_what_lowers_an_output_is_asked_by_the_sign():
    model, images = Corner(), torch.rand(2, 1, 32, 32) + 0.5
    assert not ask(model, images, 0, -1.0).maps.any()
    model.head.weight.data.neg_()
    assert not ask(model, images, 0).maps.any() and ask(model, images, 0, -1.0).maps.any()


def test_equals_the_class_activation_map_of_a_linear_head_on_a_mean():
    """Zhou et al. 2016: the class's weights times the map; here over the number of cells too."""
    model = classifier(size=128).eval()
    images = torch.randn(3, 3, 128, 128)
    features = model.backbone(images)
    assert features.shape[2:] == (4, 4)
    dense = torch.einsum("c,bchw->bhw", model.head.linear.weight[2], features).relu() / 16
    found = ask(model, images, 2)
    torch.testing.assert_close(found.maps[0], dense.detach())
    assert found.how == "class activation map of layer backbone, 4 x 4 cells"


def test_equals_gradient_times_map_behind_any_pooling():
    model = classifier(GeM, BNNeck, ArcFaceHead, size=128).eval()
    images = torch.randn(2, 3, 128, 128)
    features = model.backbone(images).detach().requires_grad_()
    model.head(model.neck(model.pooling(features))).logits[:, 1].sum().backward()
    dense = (features * features.grad).sum(dim=1).relu()
    torch.testing.assert_close(ask(model, images, 1).maps[0], dense.detach(), rtol=1e-4, atol=1e-7)


def test_a_constant_on_all_logits_changes_nothing():
    model, images = classifier(), torch.randn(2, 3, 64, 64)
    before = ask(model, images).maps
    model.head.linear.bias.data += 7.0
    torch.testing.assert_close(ask(model, images).maps, before, rtol=0, atol=0)


def test_pictures_of_a_batch_do_not_mix():
    model, images = classifier(), torch.randn(4, 3, 64, 64)
    together = ask(model, images).maps[0]
    alone = torch.cat([ask(model, one[None]).maps[0] for one in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("pooling", [AvgPool, MaxPool, GeM, DualPool])
@pytest.mark.parametrize("neck, head", [(NoNeck, LinearHead), (BNNeck, CosineHead), (EmbeddingNeck, MLPHead)])
def test_any_pooling_neck_and_head(pooling, neck, head):
    found = ask(classifier(pooling, neck, head), torch.randn(2, 3, 64, 64))
    assert found.maps.shape == (1, 2, 4, 4) and found.maps.isfinite().all()


@pytest.mark.parametrize(
    "name, size, options, cells",
    [
        ("test_vit", 160, {}, (10, 10)),
        ("test_vit", (64, 128), {}, (4, 8)),
        ("test_vit", 160, {"tokens": "class"}, (10, 10)),
        ("test_efficientnet", 64, {}, (4, 4)),
        ("test_convnext", 64, {}, (4, 4)),
        ("test_resnet", 32, {}, (4, 4)),  # its last map is 1 x 1
        ("test_resnet", (64, 96), {}, (4, 6)),
        ("test_resnet", 64, {"in_chans": 5}, (4, 4)),
    ],
)
def test_any_backbone_size_and_channels(name, size, options, cells):
    model = classifier(name=name, size=size, **options)
    sides = size if isinstance(size, tuple) else (size, size)
    found = ask(model, torch.randn(2, options.get("in_chans", 3), *sides))
    assert found.maps.shape[2:] == cells and found.maps.any(), found.how


def test_a_frozen_backbone_is_asked_too():
    model = classifier().requires_grad_(False)
    assert ask(model, torch.randn(2, 3, 64, 64)).maps.any()


def test_a_network_without_a_map_is_asked_for_its_pixels():
    images = torch.ones(2, 1, 32, 32)
    found = ask(Flat(32), images)
    assert "gradient of the pixels" in found.how and found.maps.shape == (1, 2, 32, 32)
    rows = found.maps[0].sum(dim=(0, 2))
    assert rows[:5].sum() > 0.99 * rows.sum()  # smoothed, so not the first row alone


def test_a_network_that_changes_its_input_or_has_no_gradient():
    images = torch.rand(2, 3, 32, 32)
    before = images.clone()
    assert ask(InPlace(), images).maps.shape == (1, 2, 8, 8)
    assert torch.equal(images, before)
    assert ask(Unfeeling(), images) is None


def test_nothing_is_left_in_the_network():
    model = classifier(GeM, BNNeck, head=LinearHead)
    model.train()
    model.backbone.eval()  # a mode of its own, as of frozen parts
    model.head.linear.weight.grad = torch.ones_like(model.head.linear.weight)
    before, modes, state = deepcopy(model), [one.training for one in model.modules()], torch.get_rng_state()
    ask(model, torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    assert [one.training for one in model.modules()] == modes
    pairs = zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    grads = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    assert list(grads) == ["head.linear.weight"] and (grads["head.linear.weight"] == 1).all()
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    "shape, size, extra, want",
    [
        ((2, 8, 7, 7), (224, 224), None, (2, 8, 7, 7)),
        ((2, 7, 9, 8), (224, 288), None, (2, 8, 7, 9)),  # channels last
        ((2, 8, 8, 15), (256, 500), None, (2, 8, 8, 15)),  # a cell's rounding
        ((2, 201, 8), (224, 224), None, (2, 8, 14, 14)),  # a class and four register tokens
        ((2, 32, 8), (64, 128), 0, (2, 8, 4, 8)),
        ((2, 8, 32, 1), (64, 128), None, (2, 8, 4, 8)),
        ((2, 31, 8), (64, 128), None, None),
        ((2, 33, 8), (64, 128), 0, None),
        ((2, 8), (64, 64), None, None),
        ((2, 3, 196, 64), (224, 224), None, None),  # heads, tokens, channels
    ],
)
def test_outputs_as_maps(shape, size, extra, want):
    found = as_map(torch.zeros(shape), size, extra)
    assert want == (None if found is None else tuple(found.shape))


def test_tokens_stand_in_reading_order():
    tokens = torch.arange(1 + 8.0).reshape(1, 9, 1)
    assert as_map(tokens, (32, 64), 1)[0, 0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_maps_of_the_picture_s_own_size_are_not_taken():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(128, 2))
    assert ask(model, torch.rand(1, 1, 32, 32)).how == "class activation map of layer 1, 8 x 8 cells"
