"""The summary against formulas by hand, and that it leaves the network as it was."""

import pytest
import torch
from torch import Tensor, nn

from compkit.models import AvgPool, Classifier, LayerRow, LinearHead, NoNeck, summarise_model

from ..commands import call


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 64, 5),
    )


def classifier(name: str) -> Classifier:
    return Classifier(name, AvgPool, NoNeck, LinearHead, 5, image_size=32, pretrained=False)


def test_rows_match_formulas() -> None:
    summary = summarise_model(small(), torch.zeros(2, 3, 16, 16))
    conv, norm, _, flat, linear = summary.rows
    # 2 operations for each multiply-add: of every output value, over the inputs it reads
    assert conv == LayerRow("0", "Conv2d", (2, 8, 8, 8), 8 * 27 + 8, 8 * 27 + 8, 2 * 27 * (2 * 8 * 8 * 8))
    assert (norm.parameters, norm.flops) == (16, 0)
    assert flat.output_shape == (2, 512) and flat.state == ""
    assert (linear.parameters, linear.flops) == (512 * 5 + 5, 2 * 512 * (2 * 5))
    assert summary.total.flops == conv.flops + linear.flops
    assert summary.total.output_shape == (2, 5)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
@pytest.mark.parametrize("depth", [1, 2, 4, 9])
def test_rows_add_up_to_the_total(name: str, depth: int) -> None:
    model = classifier(name)
    model.backbone.model.requires_grad_(False)
    summary = summarise_model(model, torch.zeros(1, 3, 32, 32), depth)
    assert summary.total.parameters == sum(p.numel() for p in model.parameters())
    assert summary.total.trainable == sum(p.numel() for p in model.head.parameters())
    for column in ("parameters", "trainable", "flops"):
        assert sum(getattr(row, column) for row in summary.rows) == getattr(summary.total, column)
        assert all(getattr(row, column) >= 0 for row in summary.rows)
    assert {row.state for row in summary.rows if row.name.startswith("head")} == {"trained"}
    assert {row.state for row in summary.rows if row.name.startswith("backbone")} <= {"frozen", ""}
    assert all(row.name.count(".") < depth for row in summary.rows)


def test_attention_is_counted() -> None:
    tokens, dim, patches, patch = 5, 64, 4, 16  # of test_vit on 32 pixels; its mlp is three times as wide
    block = (
        2 * tokens * dim * 3 * dim
        + 2 * (2 * tokens**2 * dim)
        + 2 * tokens * dim**2
        + 2 * (2 * tokens * dim * 3 * dim)
    )
    summary = summarise_model(classifier("test_vit").backbone, torch.zeros(1, 3, 32, 32))
    assert summary.total.flops == 2 * patches * dim * 3 * patch**2 + 6 * block


def test_tokens_a_network_holds_itself_have_a_row() -> None:
    rows = {row.name: row for row in summarise_model(classifier("test_vit"), torch.zeros(1, 3, 32, 32)).rows}
    own = rows["backbone.model"]
    assert own.kind == "VisionTransformer (own)" and own.parameters == 64 + 5 * 64


def test_work_and_memory_grow_with_the_batch() -> None:
    model = classifier("test_resnet")
    one, three = (summarise_model(model, torch.zeros(n, 3, 32, 32)) for n in (1, 3))
    assert three.total.flops == 3 * one.total.flops
    assert three.activation_bytes == 3 * one.activation_bytes


def test_activations_are_what_backward_reads() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    # the input, for the gradient of the first weights, and the ReLU's output, for its own and the second's
    assert summarise_model(model, torch.zeros(3, 4)).activation_bytes == 3 * (4 + 8) * 4
    model[0].requires_grad_(False)
    assert summarise_model(model, torch.zeros(3, 4)).activation_bytes == 3 * 8 * 4
    assert summarise_model(model.requires_grad_(False), torch.zeros(3, 4)).activation_bytes == 0


def test_shared_weights_count_once_and_unused_layers_have_no_shape() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    rows = summarise_model(model, torch.zeros(1, 4)).rows
    assert [row.parameters for row in rows] == [20, 4] and [row.flops for row in rows] == [32, 32]
    idle = nn.ModuleDict({"used": nn.Linear(4, 2), "idle": nn.Linear(4, 2)})
    idle.forward = idle["used"].forward  # type: ignore[method-assign]
    row = summarise_model(idle, torch.zeros(1, 4)).rows[-1]
    assert (row.name, row.output_shape, row.parameters, row.flops) == ("idle", None, 10, 0)


class Partly(nn.Module):
    """A layer whose work is done by the block around it, with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, self.layer.weight) * self.scale + self.layer(inputs)


def test_work_outside_the_layers_belongs_to_the_block() -> None:
    model = nn.Sequential(Partly())
    model[0].layer.bias.requires_grad_(False)
    rows = summarise_model(model, torch.zeros(1, 4)).rows
    assert [(row.name, row.kind, row.parameters, row.flops, row.state) for row in rows] == [
        ("0", "Partly (own)", 3, 24, "trained"),
        ("0.layer", "Linear", 15, 24, "partly"),
    ]


@pytest.mark.parametrize("images", [torch.randn(2, 3, 16, 16), torch.randn(2, 3, 17, 17)])
def test_network_and_random_state_stay_as_they_were(images: Tensor) -> None:
    model = nn.Sequential(small(), nn.Dropout(0.5)).train()
    model[0][1].eval()
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    if images.shape[2] == 16:
        summarise_model(model, images)
    else:
        with pytest.raises(RuntimeError):
            summarise_model(model, images)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_totals_in_words() -> None:
    text = summarise_model(small(), torch.zeros(1, 3, 16, 16)).describe()
    assert text.startswith("2,805 parameters, 2,805 of them trained; 0.000 GFLOPs forward")


def test_depth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="depth must be >= 1, got 0"):
        summarise_model(small(), torch.zeros(1, 3, 16, 16), depth=0)


@pytest.mark.slow
def test_command_prints_the_table(tmp_path) -> None:
    choices = (
        "model=timm",
        "model.backbone=test_resnet",
        "image_size=32",
        f"data_dir={tmp_path}",
        "limit=50",
        "depth=3",
    )
    status, out, err = call("scripts/summary.py", *choices)
    assert status == 0, err
    assert "backbone.model.layer4" in out and "head" in out and "GFLOPs forward" in out
