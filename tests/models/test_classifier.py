"""The parts in a row: shapes, embeddings, regression, determinism."""

from functools import partial

import pytest
import torch
from torch import nn

from compkit.models import (
    AvgPool,
    BNNeck,
    Classifier,
    DropoutNeck,
    DualPool,
    EmbeddingNeck,
    GeM,
    LinearHead,
    MaxPool,
    MultiSampleDropoutHead,
    NoNeck,
)
from compkit.types import Outputs, Targets

IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def classifier(
    pooling=AvgPool, neck=NoNeck, num_outputs: int = 5, head=LinearHead, weights=None, **arguments
) -> Classifier:
    return Classifier(
        "test_resnet",
        pooling,
        neck,
        head,
        num_outputs,
        image_size=64,
        pretrained=False,
        weights=weights,
        **arguments,
    )


@pytest.mark.parametrize("pooling", [AvgPool, MaxPool, DualPool, GeM, partial(DualPool, reduction=7)])
@pytest.mark.parametrize("neck", [NoNeck, BNNeck, DropoutNeck, partial(EmbeddingNeck, dim=7)])
def test_every_combination_gives_logits_and_gradients(pooling, neck) -> None:
    model = classifier(pooling, neck)
    logits = model(IMAGES)
    assert logits.shape == (3, 5)
    logits.square().sum().backward()
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert [name for name in trained if model.get_parameter(name).grad is None] == []
    assert model.embed(IMAGES).shape == (3, model.neck.out_features)


def test_logits_are_the_head_of_the_embedding() -> None:
    model = classifier().eval()
    torch.testing.assert_close(model(IMAGES), model.head(model.embed(IMAGES)).logits)
    assert torch.equal(model.features(IMAGES), model.embed(IMAGES))


def test_embedding_behind_bnneck_has_length_one_and_logits_do_not_use_that() -> None:
    model = classifier(neck=BNNeck).eval()
    model.neck.norm.running_mean.fill_(0.1)
    normalised = model.neck(model.features(IMAGES))
    torch.testing.assert_close(model.embed(IMAGES).norm(dim=1), torch.ones(3))
    torch.testing.assert_close(model.embed(IMAGES), normalised / normalised.norm(dim=1, keepdim=True))
    torch.testing.assert_close(model(IMAGES), normalised @ model.head.linear.weight.T)


def test_regression_starts_at_the_mean_in_target_units() -> None:
    mean, std = torch.tensor([1000.0, -3.0]), torch.tensor([50.0, 0.1])
    model = classifier(num_outputs=2, target_mean=mean.numpy(), target_std=std.numpy()).eval()
    raw = model.head(model.embed(IMAGES)).logits
    torch.testing.assert_close(model(IMAGES), mean + std * raw)
    model.head.linear.weight.data.zero_()
    torch.testing.assert_close(model(IMAGES), mean.expand(3, 2))


def test_target_statistics_are_saved_with_the_weights() -> None:
    model = classifier(num_outputs=1, target_mean=torch.tensor([7.0]), target_std=torch.tensor([2.0]))
    other = classifier(num_outputs=1, target_mean=torch.zeros(1), target_std=torch.ones(1))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.eval()(IMAGES), model.eval()(IMAGES))
    assert "target_mean" not in classifier().state_dict()


def test_half_precision_is_finite_and_regression_stays_in_fp32() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert classifier(GeM, BNNeck).eval()(IMAGES).isfinite().all()
        assert classifier(GeM, BNNeck).eval().embed(IMAGES).dtype == torch.float32
        values = classifier(num_outputs=1, target_mean=torch.ones(1), target_std=torch.ones(1))(IMAGES)
    assert values.dtype == torch.float32


def test_same_seed_same_model() -> None:
    torch.manual_seed(3)
    first = classifier(partial(DualPool, reduction=4), EmbeddingNeck)
    torch.manual_seed(3)
    second = classifier(partial(DualPool, reduction=4), EmbeddingNeck)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_scaling_is_the_backbones() -> None:
    model = classifier(in_chans=4)
    assert (model.mean, model.std, model.interpolation) == (
        model.backbone.mean,
        model.backbone.std,
        model.backbone.interpolation,
    )
    assert len(model.mean) == 4


def test_no_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"num_outputs must be >= 1.*competition\.target_column"):
        classifier(num_outputs=0)


def test_with_targets_it_says_what_losses_read() -> None:
    model = classifier(auxiliary={"type": 3})
    targets = Targets(torch.tensor([0, 1, 2]))
    outputs = model(IMAGES, targets)
    assert isinstance(outputs, Outputs) and outputs.margin == ()
    assert outputs.features.shape == (3, model.num_features)
    assert outputs.auxiliary["type"].shape == (3, 3)
    model.eval()
    torch.testing.assert_close(model(IMAGES), model(IMAGES, targets).logits)


def test_views_of_a_regression_are_in_target_units() -> None:
    head = partial(MultiSampleDropoutHead, masks=3, dropout=0.5)
    model = classifier(
        head=head, num_outputs=1, target_mean=torch.tensor([1000.0]), target_std=torch.tensor([2.0])
    )
    outputs = model(IMAGES, Targets(torch.zeros(3, 1)))
    assert len(outputs.views) == 3 and all((view - 1000).abs().max() < 100 for view in outputs.views)


def test_first_predictions_are_the_prior() -> None:
    prior = torch.tensor([0.7, 0.1, 0.1, 0.05, 0.05])
    made = {on: classifier(first_logits=prior.log().tolist(), prior_bias=on) for on in (True, False)}
    for on, model in made.items():
        model.head.linear.weight.data.zero_()
        expected = prior if on else torch.full((5,), 0.2)
        torch.testing.assert_close(model(IMAGES).softmax(dim=1), expected.expand(3, 5))


def test_initialisation_leaves_what_was_pretrained(tmp_path) -> None:
    zero = lambda module: [nn.init.zeros_(p) for p in module.parameters()]  # noqa: E731
    scratch = classifier(initialise=zero)
    assert all(not p.any() for p in scratch.parameters())
    path = tmp_path / "weights.pt"
    torch.save(classifier().backbone.model.state_dict(), path)
    tuned = classifier(initialise=zero, weights=path)
    assert all(not p.any() for p in tuned.head.parameters())
    assert any(p.any() for p in tuned.backbone.parameters())


def test_frozen_batch_norm_stays_in_eval_mode_through_train() -> None:
    model = classifier()
    model.backbone.requires_grad_(False)
    model.train()
    norms = [m for m in model.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms and not any(norm.training for norm in norms) and model.head.training
    before = [norm.running_mean.clone() for norm in norms]
    model(IMAGES)
    assert all(torch.equal(norm.running_mean, old) for norm, old in zip(norms, before, strict=True))
