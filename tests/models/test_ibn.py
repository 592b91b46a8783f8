"""IBN networks: what they compute, where they normalise, and every layout of their weights."""

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.models import Backbone, HalfInstanceNorm, backbone

WIDTHS = {1: 64, 2: 128, 3: 256, 4: 512}


def public_weights(ibn: str) -> dict[str, Tensor]:
    """Random weights of a ResNet-18 in the layout of the public IBN-Net checkpoints."""
    random = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random) * scale

    def conv(name: str, width_in: int, width: int, kernel: int) -> None:
        scale = (width_in * kernel**2) ** -0.5
        state[f"{name}.weight"] = draw(width, width_in, kernel, kernel, scale=scale)

    def instance_norm(name: str, width: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = 1 + draw(width, scale=0.2), draw(width)

    def batch_norm(name: str, width: int) -> None:
        instance_norm(name, width)
        state[f"{name}.running_mean"] = draw(width)
        state[f"{name}.running_var"] = 0.5 + draw(width).square()

    conv("conv1", 3, 64, 7)
    instance_norm("bn1", 64) if ibn == "b" else batch_norm("bn1", 64)
    for stage, width in WIDTHS.items():
        for number in (0, 1):
            block, width_in = f"layer{stage}.{number}", width if number or stage == 1 else width // 2
            conv(f"{block}.conv1", width_in, width, 3)
            conv(f"{block}.conv2", width, width, 3)
            batch_norm(f"{block}.bn2", width)
            if ibn == "a" and stage < 4:
                instance_norm(f"{block}.bn1.IN", width // 2)
                batch_norm(f"{block}.bn1.BN", width // 2)
            else:
                batch_norm(f"{block}.bn1", width)
            if ibn == "b" and stage < 3 and number == 1:
                instance_norm(f"{block}.IN", width)
            if width_in != width:
                conv(f"{block}.downsample.0", width_in, width, 1)
                batch_norm(f"{block}.downsample.1", width)
    return state | {"fc.weight": draw(1000, 512), "fc.bias": draw(1000)}


def resnet18(state: dict[str, Tensor], images: Tensor, last_stride: int) -> Tensor:
    """The map of a ResNet-18 in float64, from its weights in the public layout and the formulas of its layers."""
    state = {key: value.double() for key, value in state.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        if f"{name}.IN.weight" in state and f"{name}.BN.weight" in state:
            first, second = x.chunk(2, dim=1)
            return torch.cat([norm(f"{name}.IN", first), norm(f"{name}.BN", second)], dim=1)
        if f"{name}.running_mean" in state:
            mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            mean, var = mean[:, None, None], var[:, None, None]
        else:  # of each image and channel
            mean = x.mean((2, 3), keepdim=True)
            var = (x - mean).square().mean((2, 3), keepdim=True)
        scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
        return (x - mean) / (var + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    x = F.conv2d(images.double(), state["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(norm("bn1", x).relu(), 3, 2, 1)
    for stage in WIDTHS:
        for number in (0, 1):
            block = f"layer{stage}.{number}"
            stride = 1 if number or stage == 1 else last_stride if stage == 4 else 2
            y = F.conv2d(x, state[f"{block}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(norm(f"{block}.bn1", y).relu(), state[f"{block}.conv2.weight"], padding=1)
            y = norm(f"{block}.bn2", y)
            if f"{block}.downsample.0.weight" in state:
                x = F.conv2d(x, state[f"{block}.downsample.0.weight"], stride=stride)
                x = norm(f"{block}.downsample.1", x)
            x = x + y
            if f"{block}.IN.weight" in state:
                x = norm(f"{block}.IN", x)
            x = x.relu()
    return x


@pytest.mark.parametrize("last_stride", [None, 1])
@pytest.mark.parametrize("ibn", ["a", "b"])
def test_public_weights_give_what_the_formulas_give(
    tmp_path: Path, ibn: str, last_stride: int | None
) -> None:
    state, path = public_weights(ibn), tmp_path / "ibn.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    network = Backbone("resnet18", image_size=64, weights=path, ibn=ibn, last_stride=last_stride)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    want = resnet18(state, images, last_stride or 2)
    assert want.shape[2:] == ((4, 4) if last_stride else (2, 2))
    torch.testing.assert_close(network.double().eval()(images.double()), want)


def names_of(network: Backbone, kind: type[nn.Module]) -> list[str]:
    return [name for name, module in network.model.named_modules() if isinstance(module, kind)]


def test_ibn_a_is_the_first_norm_of_the_blocks_of_three_stages() -> None:
    network = Backbone("resnet50", image_size=64, ibn="a")
    want = [f"layer{stage}.{block}.bn1" for stage, n in ((1, 3), (2, 4), (3, 6)) for block in range(n)]
    assert names_of(network, HalfInstanceNorm) == want
    assert names_of(network, nn.InstanceNorm2d) == [f"{name}.IN" for name in want]


def test_ibn_b_is_the_stem_and_the_end_of_two_stages() -> None:
    network = Backbone("resnet50", image_size=64, ibn="b")
    assert names_of(network, nn.InstanceNorm2d) == ["bn1", "layer1.2.act3.IN", "layer2.3.act3.IN"]
    assert network.model.layer2[3].act3.IN.num_features == 512


def batch_norm(width: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(width)
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return norm


@pytest.mark.parametrize("training", [True, False])
def test_halves_are_torch_s_own_norms(training: bool) -> None:
    plain = batch_norm(6).train(training)
    half, images = HalfInstanceNorm(plain).train(training), torch.randn(4, 6, 5, 7)
    want = F.instance_norm(images[:, :3], weight=plain.weight[:3], bias=plain.bias[:3])
    torch.testing.assert_close(half(images)[:, :3], want)
    torch.testing.assert_close(half(images)[:, 3:], plain(images)[:, 3:])


def test_contrast_and_cast_of_an_image_do_not_reach_the_first_half() -> None:
    half, images = HalfInstanceNorm(nn.BatchNorm2d(4)).eval(), torch.randn(2, 4, 16, 16)
    other = images * torch.tensor([3.0, 0.5])[:, None, None, None] + 2
    torch.testing.assert_close(half(images)[:, :2], half(other)[:, :2], rtol=1e-3, atol=1e-3)
    assert (half(images)[:, 2:] - half(other)[:, 2:]).abs().max() > 1


def plain_weights(name: str, path: Path) -> dict[str, Tensor]:
    network = timm.create_model(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.load_state_dict(batch_norm(module.num_features).state_dict())
    torch.save(network.state_dict(), path)
    return network.state_dict()


@pytest.mark.parametrize("source", ["file", "hub"])
def test_plain_weights_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    plain = plain_weights("test_resnet", tmp_path / "plain.pth")
    monkeypatch.setattr(backbone, "hub_weights", lambda name: tmp_path / "plain.pth")
    given = {"weights": tmp_path / "plain.pth"} if source == "file" else {"pretrained": True}
    state = Backbone("test_resnet", image_size=64, ibn="a", **given).model.state_dict()  # type: ignore[arg-type]
    name = "layer2.0.bn1"
    width = len(plain[f"{name}.weight"])
    for key in ("weight", "bias"):
        both = torch.cat([state[f"{name}.IN.{key}"], state[f"{name}.BN.{key}"]])
        assert torch.equal(both, plain[f"{name}.{key}"])
    for key in ("running_mean", "running_var"):
        assert torch.equal(state[f"{name}.BN.{key}"], plain[f"{name}.{key}"][width // 2 :])
        assert f"{name}.IN.{key}" not in state
    unchanged = [key for key in plain if key in state]
    assert "layer4.0.bn1.running_mean" in unchanged and all(
        torch.equal(plain[k], state[k]) for k in unchanged
    )


def test_plain_weights_become_ibn_b_with_neutral_new_norms(tmp_path: Path) -> None:
    plain = plain_weights("test_resnet", tmp_path / "plain.pth")
    network = Backbone("test_resnet", image_size=64, ibn="b", weights=tmp_path / "plain.pth").model
    assert torch.equal(network.bn1.weight, plain["bn1.weight"])
    assert torch.equal(network.bn1.bias, plain["bn1.bias"])
    end = network.layer2[0].act2.IN
    assert torch.equal(end.weight, torch.ones(48)) and torch.equal(end.bias, torch.zeros(48))


@pytest.mark.parametrize("ibn", ["a", "b"])
def test_own_weights_come_back(tmp_path: Path, ibn: str) -> None:
    torch.manual_seed(1)
    first = Backbone("test_resnet", image_size=64, ibn=ibn)
    for parameter in first.parameters():
        nn.init.normal_(parameter)
    own = {f"backbone.{key}": value for key, value in first.state_dict().items()}
    torch.save(own | {"head.linear.bias": torch.ones(1)}, tmp_path / "own.pth")
    again = Backbone("test_resnet", image_size=64, ibn=ibn, weights=tmp_path / "own.pth")
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize(("found", "wanted"), [("a", "b"), ("b", "a"), ("a", None), ("b", None)])
@pytest.mark.parametrize("layout", ["public", "own"])
def test_weights_of_another_variant_name_the_key(
    tmp_path: Path, found: str, wanted: str | None, layout: str
) -> None:
    own = Backbone("test_resnet", image_size=64, ibn=found).model.state_dict()
    torch.save(own if layout == "own" else public_weights(found), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=rf"IBN-{found} network, but model\.ibn is .*Set model\.ibn={found}"):
        Backbone("resnet18", image_size=64, ibn=wanted, weights=tmp_path / "other.pth")


def test_weights_of_a_deeper_network_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet34").state_dict(), tmp_path / "resnet34.pth")
    with pytest.raises(ValueError, match=r"do not fit model\.backbone=resnet18\. 0 missing; \d+ unexpected"):
        Backbone("resnet18", image_size=64, ibn="a", weights=tmp_path / "resnet34.pth")


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "legacy_seresnet18", "skresnet18"])
def test_networks_of_another_structure_are_refused(name: str) -> None:
    for arguments, override in (({"ibn": "a"}, "ibn=a"), ({"last_stride": 1}, "last_stride=1")):
        with pytest.raises(
            ValueError, match=rf"model\.{override} is defined for ResNet.*model\.backbone={name}"
        ):
            Backbone(name, image_size=32, **arguments)  # type: ignore[arg-type]


def test_other_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.ibn=c: expected a, b or null"):
        Backbone("test_resnet", ibn="c")
    with pytest.raises(ValueError, match=r"model\.backbone=resnet50_gn has GroupNorm.*Set model\.ibn=null"):
        Backbone("resnet50_gn", ibn="a")


@pytest.mark.parametrize(
    ("name", "ibn"),
    [("test_resnet", "a"), ("test_resnet", "b"), ("seresnext26d_32x4d", "a"), ("resnetblur18", "b")],
)
def test_variants_compose_and_learn(name: str, ibn: str) -> None:
    network = Backbone(name, 1, 64, ibn=ibn, last_stride=1, drop_path_rate=0.1, dynamic_size=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=name == "test_resnet"):  # slow on large ones
        features = network(torch.randn(2, 1, 64, 96))
    assert features.shape == (2, network.channels, 4, 6) and features.isfinite().all()
    features.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
