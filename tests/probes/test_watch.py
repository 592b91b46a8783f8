"""One step looked at: numbers against torch's own, and nothing of the step changed."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compkit.probes import EDGES, STATISTICS, LayerWatch, choose_layers, log_histograms
from compkit.probes.layers import MAX_LAYERS
from compkit.probes.watch import draw
from compkit.types import Targets

COLUMN = {name: number for number, name in enumerate(STATISTICS)}
TARGETS = Targets(torch.tensor([0, 1] * 10))


class Net(nn.Module):
    """Modules, a function, tokens beside maps, a parameter of its own, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.unused = nn.Linear(2, 2)
        self.conv, self.norm, self.act = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.squash, self.mlp, self.gate, self.fc = nn.Tanh(), nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 2)

    def forward(self, images, targets=None):
        maps = self.act(self.norm(self.conv(images + self.shift)))
        tokens = self.squash(maps.flatten(2).mean(2)[:, None])
        hidden = F.relu(self.mlp(tokens)).mean(1)
        return self.fc(hidden * self.gate(hidden))


def step(net, watch, images, targets=TARGETS, lr=0.1):
    """Forward, backward, look, SGD; returns what the layers said."""
    said = {}
    handles = [
        module.register_forward_hook(
            lambda _, __, output, name=name: said.update({name: output.detach().clone()})
        )
        for name, module in net.named_modules()
        if name
    ]
    with watch.forward(images, targets):
        loss = F.cross_entropy(net(images, targets), targets.labels)
    loss.backward()
    watch.see_gradients()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter -= lr * parameter.grad
    for handle in handles:
        handle.remove()
    return said


@pytest.fixture
def looked():
    torch.manual_seed(0)
    net, images = Net(), torch.randn(20, 3, 7, 7)
    before = {name: one.detach().clone() for name, one in net.named_parameters()}
    watch = LayerWatch(choose_layers(net))
    said = step(net, watch, images)
    look = watch.look()
    return net, before, said, look, {name: dict(zip(STATISTICS, row, strict=True)) for name, row in zip(look.names, look.statistics.tolist(), strict=True)}  # fmt: skip


def test_activations_are_those_of_torch(looked):
    _, _, said, _, rows = looked
    for name in ("conv", "norm", "squash", "mlp", "fc"):
        values = said[name][:16]
        assert rows[name]["activation_mean"] == pytest.approx(values.mean().item(), abs=1e-6)
        assert rows[name]["activation_std"] == pytest.approx(values.std(correction=0).item(), rel=1e-4)
    acts = said["act"][:16]
    assert rows["act"]["zero_share"] == pytest.approx((acts == 0).float().mean().item())
    assert rows["act"]["dead_share"] == (acts.amax(dim=(0, 2, 3)) <= 0).float().mean().item()
    assert rows["squash"]["saturated_share"] == pytest.approx(
        (said["squash"][:16].abs() > 0.97).float().mean().item()
    )
    assert math.isnan(rows["conv"]["dead_share"]) and math.isnan(rows["act"]["saturated_share"])


def test_gradients_weights_and_updates_are_those_of_torch(looked):
    net, before, _, _, rows = looked
    for name, own in (("conv", "conv.weight"), ("norm", "norm.weight"), ("fc", "fc.weight")):
        grad, weight = net.get_parameter(own).grad, before[own]
        assert rows[name]["gradient_rms"] == pytest.approx(grad.square().mean().sqrt().item(), rel=1e-5)
        assert rows[name]["weight_rms"] == pytest.approx(weight.square().mean().sqrt().item(), rel=1e-5)
        assert rows[name]["update_ratio"] == pytest.approx(
            (0.1 * grad.norm() / weight.norm()).item(), rel=1e-3
        )
    assert rows["unused"]["gradient_rms"] == 0 == rows["unused"]["update_ratio"]
    assert rows["network"]["weight_rms"] == 0 and math.isnan(
        rows["network"]["update_ratio"]
    )  # a share of nothing


def test_layers_come_in_the_order_in_which_they_ran(looked):
    *_, look, _ = looked
    ran = ["conv", "norm", "act", "squash", "mlp", "mlp > relu", "gate", "fc"]
    assert look.names == [*ran, "network", "unused"]
    assert look.kinds[:8] == [
        "weights",
        "vector",
        "rectifier",
        "tanh",
        "weights",
        "rectifier",
        "sigmoid",
        "weights",
    ]


def test_units_of_tokens_lie_along_the_last_axis():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with torch.no_grad():
        net[0].bias.copy_(torch.tensor([-99.0, 0.0, 99.0]))
    watch = LayerWatch(choose_layers(net))
    with watch.forward(torch.randn(4, 9, 9, 4), TARGETS):
        net(torch.randn(4, 9, 9, 4))
    row = watch.look().statistics[1]
    assert row[COLUMN["dead_share"]].item() == pytest.approx(1 / 3)


def test_few_values_of_a_unit_say_nothing_of_its_death():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    watch = LayerWatch(choose_layers(net))
    with watch.forward(torch.zeros(4, 4), TARGETS):
        net(torch.randn(4, 4))
    assert watch.look().statistics[1, COLUMN["dead_share"]].isnan()


@pytest.mark.parametrize("kind", ["frozen", "not_finite", "again", "compiled"])
def test_special_cases(kind):
    torch.manual_seed(0)
    net, images = Net(), torch.randn(20, 3, 7, 7)
    if kind == "frozen":
        net.conv.requires_grad_(False)
    if kind == "not_finite":
        net.mlp.weight.data[0, 0] = math.nan
    watch = LayerWatch(choose_layers(net), with_activations=kind != "compiled")
    if kind == "again":  # memory ran out in a first attempt
        with watch.forward(images * 100, TARGETS):
            net(images * 100)
        watch.begin()
    said = step(net, watch, images)
    look = watch.look()
    row = dict(zip(look.names, look.statistics, strict=True))
    if kind == "frozen":
        conv = row["conv"]
        assert conv[COLUMN["gradient_rms"]].isnan() and conv[COLUMN["update_ratio"]].isnan() and conv[6] > 0
        assert conv[COLUMN["not_finite"]] == 0
    if kind == "not_finite":
        assert row["mlp"][-1] == 1 == row["fc"][-1] and row["squash"][-1] == 0
    if kind == "again":
        assert row["conv"][0].item() == pytest.approx(said["conv"][:16].mean().item(), abs=1e-5)
    if kind == "compiled":
        assert row["conv"][:5].isnan().all() and row["conv"][5] > 0 and "act" in row


def test_a_layer_that_runs_twice_has_the_mean_of_both():
    act = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 4), act, act)
    watch = LayerWatch(choose_layers(net))
    with watch.forward(torch.zeros(16, 4), TARGETS):
        hidden = net[0](torch.randn(16, 4))
        first = act(hidden)
        second = act(hidden + 1)
    both = torch.stack([first, second]).mean().item()
    assert watch.look().statistics[1, 0].item() == pytest.approx(both, rel=1e-5)


def test_hooks_are_gone_afterwards_even_after_an_error():
    net = Net()
    watch = LayerWatch(choose_layers(net))
    with pytest.raises(RuntimeError, match="out of memory"), watch.forward(torch.zeros(2, 3, 7, 7), TARGETS):
        raise RuntimeError("out of memory")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_histograms_count_as_numpy_does():
    rng = np.random.default_rng(0)
    samples = [10 ** rng.uniform(-9, 3, size) * rng.choice([-1, 1], size) for size in (5, 1000)]
    got = log_histograms([torch.tensor(one, dtype=torch.float32) for one in samples])
    for shares, one in zip(got.numpy(), samples, strict=True):
        np.testing.assert_allclose(
            shares, np.histogram(np.abs(one.astype(np.float32)), EDGES)[0] / len(one), rtol=1e-6
        )
    odd = torch.tensor([0.0, 1e-30, 1e30, math.inf, math.nan])
    assert log_histograms([odd])[0, [0, -1]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert log_histograms([torch.tensor([math.nan])]).isnan().all()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_what_is_kept_is_small_and_stays_as_it_was(precision):
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True)).to(precision)
    watch, images = LayerWatch(choose_layers(net)), torch.randn(16, 3, 40, 40, dtype=precision)
    with torch.no_grad(), watch.forward(images, TARGETS):
        net(images)
        want = draw(net[1](net[0](images)))
    [norm, _] = watch.seen["1"]
    assert torch.equal(norm.drawn, want) and (norm.drawn < 0).any()
    kept = [seen.drawn.untyped_storage().nbytes() for calls in watch.seen.values() for seen in calls]
    assert max(kept) <= 4 * 8192


class Gated(nn.Module):
    """A convolution with squeeze-and-excitation, whose gates all stand open."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 8, 3), nn.ReLU()
        self.squeeze, self.bend, self.excite = nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1)
        self.gate = nn.Sigmoid()
        nn.init.constant_(self.squeeze.bias, -99.0)
        nn.init.constant_(self.excite.bias, 99.0)

    def forward(self, images):
        maps = self.act(self.conv(images))
        return maps * self.gate(self.excite(self.bend(self.squeeze(maps.mean((2, 3), keepdim=True)))))


def test_gates_of_whole_maps_are_neither_dead_nor_saturated():
    net = Gated()
    watch = LayerWatch(choose_layers(net))
    with watch.forward(torch.zeros(16, 3, 9, 9), TARGETS):
        net(torch.randn(16, 3, 9, 9))
    look = watch.look()
    row = dict(zip(look.names, look.statistics, strict=True))
    assert row["bend"][COLUMN["zero_share"]] == 1 and row["bend"][COLUMN["dead_share"]].isnan()
    assert row["gate"][COLUMN["saturated_share"]].isnan() and row["act"][COLUMN["dead_share"]] == 0


def test_of_many_entries_first_and_head_are_kept():
    """150 modules, and as many functions behind them."""
    parts = nn.ModuleList([nn.Linear(2, 2) for _ in range(MAX_LAYERS)])
    net = nn.ModuleDict({"parts": parts, "head": nn.Linear(2, 2)})
    net.register_parameter("unused", nn.Parameter(torch.zeros(3)))
    layers = [one for one in choose_layers(net, most=999) if one.name != "parts.7"]
    watch, hidden = LayerWatch(layers), torch.randn(16, 2)
    with watch.forward(torch.zeros(16, 2), TARGETS):
        for part in parts:
            hidden = torch.relu(part(hidden))
        net["head"](hidden)
    names = watch.look().names
    assert len(names) == MAX_LAYERS == len(set(names))
    assert names[0] == "parts.0" and names[-1] == "head"
    places = [list(watch.seen).index(name) for name in names]
    assert set(np.diff(places)) <= {2, 3} and places == sorted(places)


def test_of_many_layers_some_are_taken_evenly():
    net = nn.Sequential(*(nn.Linear(1, 1) for _ in range(400)))
    names = [int(layer.name) for layer in choose_layers(net, most=50)]
    assert len(names) == 50 and names[0] == 0 and names[-1] == 399
    assert set(np.diff(names)) <= {8, 9}


def test_heads_of_angles_are_told_apart():
    from compkit.models import ArcFaceHead

    net = nn.Sequential(nn.Linear(2, 8), ArcFaceHead(in_features=8, num_outputs=3))
    assert [str(layer.kind) for layer in choose_layers(net)] == ["weights", "angular"]
