"""Weights from files and from the hub: every layout, and never anything random in silence."""

import argparse
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from compkit.models import Backbone, Classifier, hub_weights, read_weights, weights
from compkit.models.head import LinearHead
from compkit.models.neck import NoNeck
from compkit.models.pooling import AvgPool


def timm_state(name: str = "test_resnet", **arguments) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return timm.create_model(name, **arguments).state_dict()


def assert_loaded(backbone: Backbone, state: dict[str, Tensor]) -> None:
    for name, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin"])
def test_every_format_is_loaded_without_its_classifier(tmp_path: Path, suffix: str) -> None:
    state, path = timm_state(num_classes=17), tmp_path / f"weights{suffix}"
    safetensors.torch.save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    torch.manual_seed(2)
    assert_loaded(Backbone("test_resnet", weights=path, pretrained=True), state)


def test_classifier_of_several_layers_is_left_out_too(tmp_path: Path) -> None:
    state = timm_state("efficientvit_m0")  # its head is a normalisation and a linear layer
    torch.save(state, tmp_path / "weights.pth")
    assert_loaded(Backbone("efficientvit_m0", weights=tmp_path / "weights.pth"), state)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {
            "state_dict": {f"module.{k}": v for k, v in state.items()},
            "args": argparse.Namespace(lr=1),
        },
        lambda state: {"model": {f"_orig_mod.{k}": v for k, v in state.items()}, "epoch": 3},
        lambda state: {
            "model_state": {f"module.backbone.{k}": v for k, v in state.items()}
            | {"module.head.b": torch.ones(1)}
        },
        lambda state: {"state_dict": {}, "state_dict_ema": {f"model.{k}": v for k, v in state.items()}},
    ],
)
def test_wrappers_and_prefixes_are_taken_off(tmp_path: Path, wrap) -> None:
    state = timm_state()
    torch.save(wrap(state), tmp_path / "checkpoint.pth")
    assert_loaded(Backbone("test_resnet", weights=tmp_path / "checkpoint.pth"), state)


def test_own_classifier_is_a_source_of_weights(tmp_path: Path) -> None:
    model = Classifier("test_vit", AvgPool, NoNeck, LinearHead, 5, image_size=32, pretrained=False)
    safetensors.torch.save_file(model.state_dict(), tmp_path / "best.safetensors")
    assert_loaded(
        Backbone("test_vit", image_size=32, weights=tmp_path / "best.safetensors"),
        model.backbone.model.state_dict(),
    )


@pytest.mark.parametrize(
    ("in_chans", "adapted"),
    [
        (1, lambda rgb: rgb.sum(1, keepdim=True)),
        (4, lambda rgb: rgb[:, [0, 1, 2, 0]] * 3 / 4),
        (6, lambda rgb: rgb[:, [0, 1, 2, 0, 1, 2]] / 2),
    ],
)
def test_first_layer_is_adapted_to_the_channels(tmp_path: Path, in_chans: int, adapted) -> None:
    state = timm_state()
    torch.save(state, tmp_path / "rgb.pth")
    backbone = Backbone("test_resnet", in_chans=in_chans, weights=tmp_path / "rgb.pth")
    first = timm.get_pretrained_cfg("test_resnet").first_conv + ".weight"
    torch.testing.assert_close(backbone.model.state_dict()[first], adapted(state[first]))


def test_grey_weights_see_a_grey_picture_as_rgb_weights_did(tmp_path: Path) -> None:
    torch.save(timm_state(), tmp_path / "rgb.pth")
    rgb = Backbone("test_resnet", weights=tmp_path / "rgb.pth").eval()
    grey = Backbone("test_resnet", in_chans=1, weights=tmp_path / "rgb.pth").eval()
    image = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(grey(image), rgb(image.expand(1, 3, 32, 32)), rtol=1e-4, atol=1e-4)


def test_vit_position_embeddings_are_resampled(tmp_path: Path) -> None:
    state = timm_state("test_vit")
    state["pos_embed"][:, 1:] = torch.randn(64)  # the same at every position, before and after
    torch.save(state, tmp_path / "vit.pth")
    backbone = Backbone("test_vit", image_size=(32, 64), weights=tmp_path / "vit.pth")
    assert backbone.model.pos_embed.shape == (1, 1 + 2 * 4, 64)
    torch.testing.assert_close(
        backbone.model.pos_embed[:, 1:], state["pos_embed"][:, 1:9], rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(backbone.model.blocks[0].mlp.fc1.weight, state["blocks.0.mlp.fc1.weight"])


def test_missing_weights_are_counted_and_named(tmp_path: Path) -> None:
    state = timm_state()
    gone = list(state)[:5]
    torch.save({k: v for k, v in state.items() if k not in gone}, tmp_path / "part.pth")
    with pytest.raises(ValueError, match=rf"5 missing \({gone[0]}, {gone[1]}, {gone[2]}, …\); 0 unexpected"):
        Backbone("test_resnet", weights=tmp_path / "part.pth")


def test_weights_of_a_deeper_network_are_refused(tmp_path: Path) -> None:
    torch.save(timm_state("resnet34"), tmp_path / "resnet34.pth")  # every weight of resnet18 is in it
    with pytest.raises(ValueError, match=r"do not fit model\.backbone=resnet18\. 0 missing; \d+ unexpected"):
        Backbone("resnet18", weights=tmp_path / "resnet34.pth")


@pytest.mark.parametrize("other", ["test_resnet", "test_efficientnet"])
def test_weights_of_another_architecture_are_refused(tmp_path: Path, other: str) -> None:
    torch.save(timm_state(other), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"do not fit model\.backbone=test_vit"):
        Backbone("test_vit", image_size=32, weights=tmp_path / "other.pth")


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    torch.save(timm_state("vit_tiny_patch16_224", depth=6), tmp_path / "tiny.pth")
    with pytest.raises(ValueError, match=r"do not fit model\.backbone=test_vit.*size mismatch"):
        Backbone("test_vit", image_size=32, weights=tmp_path / "tiny.pth")


def test_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.weights=nowhere\.pth: no such file"):
        Backbone("test_resnet", weights="nowhere.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_broken_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    for content in (b"", b"no weights at all"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read as plain weights"):
            read_weights(path)


def test_pickled_model_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="would run code when opened"):
        read_weights(tmp_path / "model.pt")


def test_file_without_weights(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "args": "x"}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match=r"holds no weights, only \['args', 'epoch'\]"):
        read_weights(tmp_path / "empty.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="it holds a list, not a state dict"):
        read_weights(tmp_path / "list.pth")


@pytest.mark.parametrize("offline", [True, False])
def test_without_network_the_error_names_file_and_remedies(monkeypatch, offline: bool) -> None:
    def unreachable(*_, **__) -> None:
        raise OSError("Name or service not known")

    if offline:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        monkeypatch.setattr(weights, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(
        weights, "hf_hub_download", lambda *_, **__: pytest.fail("would wait for the network")
    )
    url = r"https://huggingface\.co/timm/resnet18\.a1_in1k/resolve/main/model\.safetensors"
    with pytest.raises(
        ValueError, match=rf"model\.backbone=resnet18: .*{url} .*model\.weights=FILE.*model\.pretrained=false"
    ):
        Backbone("resnet18", pretrained=True)


def test_hub_file_is_downloaded_once_and_then_read_from_the_cache(monkeypatch, tmp_path: Path) -> None:
    state, path = timm_state() | {"auxiliary.weight": torch.ones(1)}, tmp_path / "model.safetensors"
    safetensors.torch.save_file(state, path)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(weights, "get_hf_file_metadata", lambda url: None)
    monkeypatch.setattr(weights, "hf_hub_download", lambda *_, **__: str(path))
    assert_loaded(Backbone("test_resnet", pretrained=True), state)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_, **__: str(path))
    monkeypatch.setattr(weights, "hf_hub_download", lambda *_, **__: pytest.fail("lies in the cache"))
    assert_loaded(Backbone("test_resnet", pretrained=True), state)


def test_hub_file_that_lacks_weights_is_refused(monkeypatch, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "part.pth")
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_, **__: str(tmp_path / "part.pth"))
    with pytest.raises(ValueError, match="do not fit"):
        Backbone("test_resnet", pretrained=True)


def test_networks_without_hub_weights() -> None:
    with pytest.raises(ValueError, match=r"no pretrained weights.*model\.pretrained=false"):
        hub_weights("botnet50ts_256")
    with pytest.raises(ValueError, match=r"do not lie on the hub.*Download https://.*gcvit"):
        hub_weights("gcvit_tiny")
