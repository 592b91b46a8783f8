"""Hidden layers, highway layers and several dropout masks."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compkit.models import HighwayLayer, MLPHead, MultiSampleDropoutHead
from compkit.types import Targets

EMBEDDINGS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
TARGETS = Targets(torch.tensor([0, 1, 2, 2, 1, 0]))


def test_mlp_is_its_layers_in_a_row() -> None:
    head = MLPHead(5, 3, hidden=4, layers=2)
    first, second = (block[0] for block in head.hidden)
    hidden = (EMBEDDINGS @ first.weight.T + first.bias).clamp(min=0)
    hidden = (hidden @ second.weight.T + second.bias).clamp(min=0)
    want = hidden @ head.last.linear.weight.T + head.last.linear.bias
    torch.testing.assert_close(head(EMBEDDINGS).logits, want)


def test_batch_norm_replaces_the_bias_and_normalises() -> None:
    head = MLPHead(5, 3, hidden=4, batch_norm=True)
    block = head.hidden[0]
    assert block[0].bias is None
    want = F.batch_norm(EMBEDDINGS @ block[0].weight.T, None, None, training=True).clamp(min=0)
    torch.testing.assert_close(block(EMBEDDINGS), want)


def test_dropout_acts_in_training_only() -> None:
    head = MLPHead(5, 3, hidden=400, dropout=0.5)
    share = (head.hidden(EMBEDDINGS) == 0).float().mean() - (
        head.eval().hidden(EMBEDDINGS) == 0
    ).float().mean()
    assert 0.15 < share < 0.35  # half of the hidden features that ReLU has left


@pytest.mark.parametrize(
    "activation, want", [("relu", F.relu), ("gelu", F.gelu), ("silu", F.silu), ("tanh", torch.tanh)]
)
def test_highway_layer_is_the_formula(activation: str, want) -> None:
    layer = HighwayLayer(5, activation)
    gate = 1 / (1 + torch.exp(-(EMBEDDINGS @ layer.gate.weight.T + layer.gate.bias)))
    change = want(EMBEDDINGS @ layer.change[0].weight.T + layer.change[0].bias)
    torch.testing.assert_close(layer(EMBEDDINGS), gate * change + (1 - gate) * EMBEDDINGS)


def test_highway_layer_starts_by_letting_its_input_pass() -> None:
    layer = HighwayLayer(5)
    assert torch.equal(layer.gate.bias, torch.full((5,), -2.0))
    closed, opened = HighwayLayer(5, gate_bias=-100), HighwayLayer(5, gate_bias=100)
    torch.testing.assert_close(closed(EMBEDDINGS), EMBEDDINGS)
    torch.testing.assert_close(opened(EMBEDDINGS), opened.change(EMBEDDINGS))


def test_highway_layers_alone_are_as_wide_as_the_embedding() -> None:
    head = MLPHead(5, 3, hidden=100, layers=0, highway=2)
    assert [type(layer) for layer in head.hidden] == [HighwayLayer, HighwayLayer]
    assert head.last.linear.in_features == 5
    assert MLPHead(5, 3, hidden=7, highway=1).hidden[1].gate.in_features == 7


def test_views_are_the_linear_layer_under_different_masks() -> None:
    head = MultiSampleDropoutHead(5, 3, masks=4, dropout=0.5)
    torch.manual_seed(0)
    outputs = head(EMBEDDINGS, TARGETS)
    torch.manual_seed(0)
    want = [F.linear(F.dropout(EMBEDDINGS, 0.5), head.linear.weight, head.linear.bias) for _ in range(4)]
    torch.testing.assert_close(torch.stack(outputs.views), torch.stack(want))
    torch.testing.assert_close(outputs.logits, sum(want) / 4)
    assert not torch.equal(outputs.views[0], outputs.views[1])


def test_many_masks_average_to_the_evaluation() -> None:
    head = MultiSampleDropoutHead(5, 3, masks=2000, dropout=0.3)
    torch.manual_seed(0)
    torch.testing.assert_close(head(EMBEDDINGS).logits, head.eval()(EMBEDDINGS).logits, atol=0.08, rtol=0)


@pytest.mark.parametrize(
    "make, key",
    [
        (partial(MLPHead, hidden=0), r"model\.head\.hidden: got 0"),
        (partial(MLPHead, layers=-1), r"model\.head\.layers"),
        (partial(MLPHead, highway=-1), r"model\.head\.highway"),
        (partial(MLPHead, dropout=1), r"model\.head\.dropout"),
        (
            partial(MLPHead, activation="swish"),
            r"model\.head\.activation: got 'swish'; expected one of relu, gelu",
        ),
        (partial(MLPHead, layers=0), r"model\.head\.layers: got 0.*model/head=linear"),
        (partial(MultiSampleDropoutHead, masks=0), r"model\.head\.masks"),
        (partial(MultiSampleDropoutHead, dropout=1.0), r"model\.head\.dropout"),
    ],
)
def test_wrong_arguments_are_refused(make: partial, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        make(5, 3)


def test_every_parameter_gets_a_gradient() -> None:
    heads: list[nn.Module] = [MLPHead(5, 3, highway=1, batch_norm=True), MultiSampleDropoutHead(5, 3)]
    for head in heads:
        outputs = head(EMBEDDINGS, TARGETS)
        torch.stack([outputs.logits, *outputs.views]).square().sum().backward()
        assert all(parameter.grad is not None for parameter in head.parameters())
