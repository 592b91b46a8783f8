"""Initialisations against torch's own, their formulas, and what they must leave alone."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from scipy.stats import kstest, truncnorm
from torch import nn

from compkit.models import (
    ArcFaceHead,
    HeInitialisation,
    Initialisation,
    MLPHead,
    NormalInitialisation,
    OrthogonalInitialisation,
    OwnInitialisation,
    UniformInitialisation,
    VarianceScaling,
    XavierInitialisation,
)
from compkit.models.initialise import fans, random_orthogonal

CONF = Path(__file__).parents[2] / "conf" / "model" / "initialise"
ALL = [
    UniformInitialisation(),
    NormalInitialisation(),
    XavierInitialisation(),
    HeInitialisation(),
    VarianceScaling(),
    OrthogonalInitialisation(),
]
every_initialisation = pytest.mark.parametrize("initialise", ALL, ids=lambda one: type(one).__name__)
LAYERS = [nn.Linear(300, 200), nn.Conv2d(40, 60, 5), nn.Conv1d(60, 90, 3)]


def drawn(initialise: Initialisation, layer: nn.Module, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    initialise(layer)
    return layer.weight.detach().clone()


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize(
    "initialise, torchs",
    [
        (XavierInitialisation("uniform"), nn.init.xavier_uniform_),
        (XavierInitialisation("normal"), nn.init.xavier_normal_),
        (HeInitialisation(), partial(nn.init.kaiming_normal_, nonlinearity="relu")),
        (
            HeInitialisation("fan_out", "uniform"),
            partial(nn.init.kaiming_uniform_, mode="fan_out", nonlinearity="relu"),
        ),
        (VarianceScaling(1.0, "fan_in", "normal"), partial(nn.init.kaiming_normal_, nonlinearity="linear")),
        (NormalInitialisation(0.02), partial(nn.init.normal_, std=0.02)),
        (UniformInitialisation(0.3), partial(nn.init.uniform_, a=-0.3, b=0.3)),
    ],
)
def test_same_numbers_as_torch(layer: nn.Module, initialise: Initialisation, torchs) -> None:
    got = drawn(initialise, layer)
    torch.manual_seed(0)
    torch.testing.assert_close(got, torchs(torch.empty_like(got)))


@pytest.mark.parametrize(
    "layer, want",
    [
        (nn.Linear(300, 200), (300, 200)),
        (nn.Conv2d(64, 32, 3), (576, 288)),
        (nn.Conv2d(64, 32, (1, 5)), (320, 160)),
        (nn.Conv2d(64, 128, 3, groups=4), (16 * 9, 32 * 9)),
        (nn.Conv2d(64, 64, 3, groups=64), (9, 9)),
        (nn.ConvTranspose2d(64, 32, 2), (256, 128)),
        (nn.ConvTranspose2d(64, 32, 2, groups=2), (128, 64)),
    ],
)
def test_fans_count_connections(layer: nn.Module, want: tuple[int, int]) -> None:
    """An output is connected to the inputs whose gradient it has, away from the borders."""
    assert fans(layer) == want
    if isinstance(layer, nn.Conv2d):
        image = torch.zeros(1, layer.in_channels, 11, 11, requires_grad=True)
        nn.init.ones_(layer.weight)
        output = layer(image)
        output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
        assert image.grad.count_nonzero() == want[0]


@pytest.mark.parametrize("layer", [*LAYERS, nn.Conv2d(400, 400, 9, groups=400)], ids=str)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
def test_variance_is_scale_over_fan(layer: nn.Module, mode: str, distribution: str) -> None:
    weight = drawn(VarianceScaling(3.0, mode, distribution), layer)
    fan_in, fan_out = fans(layer)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    assert weight.var().item() == pytest.approx(3.0 / fan, rel=0.05)
    assert abs(weight.mean().item()) < 0.02 * math.sqrt(3.0 / fan)


def test_truncated_normal_is_scipys() -> None:
    weight = drawn(VarianceScaling(1.0, "fan_in", "truncated_normal"), nn.Linear(100, 200)).flatten()
    wide = 0.1 / truncnorm.std(-2, 2)
    assert weight.abs().max() <= 2 * wide
    assert kstest(weight.numpy(), truncnorm(-2, 2, scale=wide).cdf).pvalue > 0.01


def test_he_keeps_a_signal_alive_through_many_relu_layers() -> None:
    network = nn.Sequential(*[layer for _ in range(30) for layer in (nn.Linear(256, 256), nn.ReLU())])
    torch.manual_seed(0)
    HeInitialisation()(network)
    inputs = torch.randn(64, 256)
    assert 0.1 < network(inputs).square().mean() / inputs.square().mean() < 10


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(30, 20), nn.Linear(20, 30), nn.Linear(20, 20), nn.Conv2d(6, 20, 3), nn.Conv2d(3, 40, 3)],
)
@pytest.mark.parametrize("gain", [1, 2.0**0.5])
def test_orthogonal_rows_or_columns(layer: nn.Module, gain: float) -> None:
    matrix = drawn(OrthogonalInitialisation(gain), layer).flatten(1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    torch.testing.assert_close(product, gain**2 * torch.eye(len(product)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", [nn.Conv2d(12, 16, 3, groups=4), nn.Conv2d(50, 50, 3, groups=50)])
def test_orthogonal_within_each_group(layer: nn.Conv2d) -> None:
    matrices = drawn(OrthogonalInitialisation(), layer).flatten(1).unflatten(0, (layer.groups, -1))
    for matrix in matrices:
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-5, rtol=0)


def test_orthogonal_matrices_prefer_no_direction() -> None:
    torch.manual_seed(0)
    for rows, columns in [(4, 4), (3, 5)]:
        matrices = random_orthogonal(20_000, rows, columns)
        # Haar: mean 0, all entries of variance 1 / max(rows, columns), a coordinate of a sphere's uniform point
        torch.testing.assert_close(matrices.mean(dim=0), torch.zeros(rows, columns), atol=0.02, rtol=0)
        want = torch.full((rows, columns), 1 / max(rows, columns))
        torch.testing.assert_close(matrices.square().mean(dim=0), want, atol=0.01, rtol=0)
        assert torch.linalg.svdvals(matrices).sub(1).abs().max() < 1e-4
    square = random_orthogonal(20_000, 3, 3)
    assert abs(torch.linalg.det(square).mean()) < 0.03  # turns and reflections alike
    # for Haar matrices of O(n) the trace has mean 0 and variance 1 (Diaconis and Shahshahani 1994)
    traces = square.diagonal(dim1=1, dim2=2).sum(dim=1)
    assert abs(traces.mean()) < 0.03 and abs(traces.var() - 1) < 0.05


@every_initialisation
def test_same_seed_same_weights(initialise: Initialisation) -> None:
    layer = nn.Conv2d(3, 8, 3)
    first = drawn(initialise, layer)
    assert torch.equal(drawn(initialise, layer), first)
    assert not torch.equal(drawn(initialise, layer, seed=1), first)


@every_initialisation
def test_norms_and_embeddings_stay_and_biases_become_zero(initialise: Initialisation) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.Embedding(4, 8), nn.Linear(8, 2)
    )
    for norm in network[1:3]:
        nn.init.constant_(norm.weight, 0.5)
        nn.init.constant_(norm.bias, 0.25)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initialise(network)
    for name, tensor in network.state_dict().items():
        number, _, kind = name.partition(".")
        if number in "123":
            assert torch.equal(tensor, before[name]), name
        elif kind == "bias":
            assert (tensor == 0).all()
        else:
            assert (tensor != before[name]).any()


@every_initialisation
def test_gates_stay_closed_and_class_vectors_stay(initialise: Initialisation) -> None:
    mlp, arc = MLPHead(6, 3, hidden=8, highway=1), ArcFaceHead(6, 3)
    gate, weight, classes = mlp.hidden[1].gate, mlp.hidden[1].gate.weight.clone(), arc.weight.clone()
    initialise(nn.ModuleList([mlp, arc]))
    assert torch.equal(gate.bias, torch.full((8,), -2.0)) and not torch.equal(gate.weight, weight)
    assert (mlp.hidden[0][0].bias == 0).all() and (mlp.last.linear.bias == 0).all()
    assert torch.equal(arc.weight, classes)


def test_the_networks_own_stays() -> None:
    layer = nn.Linear(4, 4)
    weight, bias = layer.weight.clone(), layer.bias.clone()
    OwnInitialisation()(layer)
    assert torch.equal(layer.weight, weight) and torch.equal(layer.bias, bias)


def test_gradients_flow_afterwards() -> None:
    for initialise in ALL:
        layer = nn.Linear(4, 4)
        initialise(layer)
        assert layer.weight.requires_grad and layer.weight.grad_fn is None


@pytest.mark.parametrize("file", sorted(CONF.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_option_has_the_defaults_of_its_class(file: Path) -> None:
    made = instantiate(OmegaConf.load(file))
    assert vars(made) == vars(type(made)())


@pytest.mark.parametrize(
    "make, key",
    [
        (partial(UniformInitialisation, 0), r"model\.initialise\.limit"),
        (partial(NormalInitialisation, -1), r"model\.initialise\.std"),
        (partial(OrthogonalInitialisation, 0), r"model\.initialise\.gain"),
        (partial(VarianceScaling, 0), r"model\.initialise\.scale"),
        (partial(VarianceScaling, mode="fan"), r"model\.initialise\.mode: got 'fan'; expected one of fan_in"),
        (partial(HeInitialisation, mode="both"), r"model\.initialise\.mode"),
        (partial(XavierInitialisation, "gaussian"), r"model\.initialise\.distribution: got 'gaussian'"),
    ],
)
def test_wrong_arguments_are_refused(make: partial, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        make()
