"""Backbones of every output layout, in every number of channels; what is refused."""

from pathlib import Path

import pytest
import timm
import torch
from timm.layers import DropPath
from timm.models.resnet import downsample_avg, downsample_conv
from torch import nn

from compkit.models import Backbone
from compkit.models.backbone import height_width


@pytest.mark.parametrize(
    ("name", "image_size", "shape"),
    [
        ("resnet18", 64, (512, 2, 2)),
        ("test_convnext", 64, (64, 2, 2)),
        ("efficientnet_b0", 64, (1280, 2, 2)),
        ("mobilenetv3_small_050", 64, (1024, 2, 2)),  # its last convolution comes behind timm's own pooling
        ("test_vit", 32, (64, 4, 1)),  # four patches; the class token is left out
        ("swin_tiny_patch4_window7_224", 64, (768, 2, 2)),  # gives channels last
        ("test_mambaout", (64, 96), (256, 2, 3)),  # channels last, not square
        ("coat_lite_tiny", 64, (320, 1, 1)),  # cannot do without its own pooling
    ],
)
def test_output_is_a_map_with_channels_first(
    name: str, image_size: int | tuple[int, int], shape: tuple[int, ...]
) -> None:
    backbone = Backbone(name, image_size=image_size).eval()
    assert backbone(torch.zeros(2, 3, *height_width(image_size))).shape == (2, *shape)
    assert backbone.channels == shape[0]


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "swin_tiny_patch4_window7_224"])
def test_mean_of_the_map_is_what_timm_pools(name: str) -> None:
    backbone = Backbone(name, image_size=64).eval()
    reference = timm.create_model(name, num_classes=0, img_size=64 if "swin" in name else None).eval()
    reference.load_state_dict(backbone.model.state_dict())
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(backbone(images).mean((2, 3)), reference(images))


def test_vit_tokens_are_normalised_and_without_prefix() -> None:
    backbone = Backbone("test_vit", image_size=32).eval()
    images = torch.randn(1, 3, 32, 32)
    patches = backbone.model.forward_features(images)[:, 1:]
    torch.testing.assert_close(backbone(images)[0, :, :, 0], patches[0].T)
    torch.testing.assert_close(patches.mean(2), torch.zeros(1, 4), atol=1e-5, rtol=0)


def test_scaling_is_that_of_the_weights() -> None:
    config = timm.get_pretrained_cfg("vit_tiny_patch16_224")
    backbone = Backbone("vit_tiny_patch16_224", image_size=32)
    assert (backbone.mean, backbone.std) == (config.mean, config.std) == ((0.5,) * 3, (0.5,) * 3)
    assert backbone.interpolation == config.interpolation == "bicubic"


def test_scaling_follows_the_channels() -> None:
    red, green, blue = 0.485, 0.456, 0.406
    assert Backbone("resnet18", in_chans=1, image_size=32).mean == pytest.approx(((red + green + blue) / 3,))
    assert Backbone("resnet18", in_chans=5, image_size=32).mean == (red, green, blue, red, green)


@pytest.mark.parametrize("in_chans", [1, 4, 6])
def test_takes_other_numbers_of_channels(in_chans: int) -> None:
    backbone = Backbone("test_resnet", in_chans=in_chans)
    assert backbone(torch.zeros(2, in_chans, 32, 32)).shape == (2, 96, 1, 1)
    assert len(backbone.mean) == len(backbone.std) == in_chans


def test_trying_the_size_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    backbone, state = Backbone("test_vit", image_size=32, drop_path_rate=0.2), torch.get_rng_state()
    torch.manual_seed(0)
    reference = timm.create_model("test_vit", num_classes=0, img_size=32)
    assert torch.equal(state, torch.get_rng_state())
    for name, tensor in reference.state_dict().items():
        assert torch.equal(tensor, backbone.model.state_dict()[name]), name
    assert backbone.training


def test_batch_statistics_are_untouched_by_trying_the_size() -> None:
    assert Backbone("test_resnet").model.bn1.num_batches_tracked == 0


def drop_paths(backbone: Backbone) -> list[DropPath]:
    return [module for module in backbone.modules() if isinstance(module, DropPath)]


@pytest.mark.parametrize(("name", "blocks", "branches"), [("resnet18", 8, 1), ("test_vit", 6, 2)])
def test_stochastic_depth_grows_with_the_depth_of_the_block(name: str, blocks: int, branches: int) -> None:
    rates = [module.drop_prob for module in drop_paths(Backbone(name, image_size=32, drop_path_rate=0.3))]
    want = [0.3 * block / (blocks - 1) for block in range(1, blocks) for _ in range(branches)]
    assert rates == pytest.approx(want)
    assert drop_paths(Backbone(name, image_size=32)) == []


@pytest.mark.parametrize("name", ["resnet18", "test_vit"])
def test_stochastic_depth_is_random_in_training_and_off_in_evaluation(name: str) -> None:
    backbone, plain = Backbone(name, image_size=32, drop_path_rate=0.5), Backbone(name, image_size=32)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm starts the last of each branch at 0: nothing to skip
    plain.load_state_dict(backbone.state_dict())
    images = torch.randn(8, 3, 32, 32)
    assert not torch.equal(backbone(images), backbone(images))
    plain.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(backbone.eval()(images), plain.eval()(images))


def test_stochastic_depth_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    for module in drop_paths(Backbone("test_resnet", image_size=32, drop_path_rate=0.4)):
        kept = module(torch.ones(20_000, 1))
        want = torch.tensor([0, 1 / (1 - module.drop_prob)])
        torch.testing.assert_close(kept.unique(), want)
        assert abs(kept.mean().item() - 1) < 0.03


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "resnetblur18", "resnetaa34d", "seresnet18"])
def test_last_stride_is_the_block_timm_builds_with_stride_one(name: str) -> None:
    backbone = Backbone(name, image_size=64, last_stride=1).eval()
    assert (
        backbone.map_shape(64) == (backbone.channels, 4, 4) and backbone.channels == Backbone(name).channels
    )
    block = backbone.model.layer4[0]
    width_in, width = block.conv1.in_channels, block.conv2.out_channels
    make = downsample_avg if len(block.downsample) == 3 else downsample_conv
    attention = {"attn_layer": "se"} if name == "seresnet18" else {}
    want = type(block)(width_in, width, stride=1, downsample=make(width_in, width, 1, stride=1), **attention)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)  # the last of each branch starts at 0
    want.load_state_dict(block.state_dict())
    features = torch.randn(2, width_in, 4, 4)
    torch.testing.assert_close(block(features.clone()), want.eval()(features.clone()))


def test_last_stride_only_adds_positions_between_those_of_a_bottleneck() -> None:
    wide, plain = (
        Backbone("resnet26", image_size=64, last_stride=1).eval(),
        Backbone("resnet26", image_size=64),
    )
    nn.init.ones_(wide.model.layer4[0].bn3.weight)
    plain.load_state_dict(wide.state_dict())  # the same weights fit
    features = torch.randn(1, 1024, 4, 4)
    between = wide.model.layer4[0](features.clone())
    torch.testing.assert_close(between[:, :, ::2, ::2], plain.eval().model.layer4[0](features.clone()))
    assert wide.model.feature_info[-1]["reduction"] == 16


def test_other_last_strides_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.last_stride=2: expected 1, or null"):
        Backbone("test_resnet", last_stride=2)


@pytest.mark.parametrize(
    ("name", "other"), [("vit_tiny_patch16_224", (96, 64)), ("eva02_tiny_patch14_336", (84, 140))]
)
def test_dynamic_size_is_the_network_built_for_that_size(
    tmp_path: Path, name: str, other: tuple[int, int]
) -> None:
    torch.save(timm.create_model(name, img_size=112).state_dict(), tmp_path / "weights.pth")
    dynamic = Backbone(name, image_size=112, weights=tmp_path / "weights.pth", dynamic_size=True).eval()
    built = Backbone(name, image_size=other, weights=tmp_path / "weights.pth").eval()
    images = torch.randn(1, 3, *other)
    torch.testing.assert_close(dynamic(images), built(images), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"does not take images of 50 x 50 pixels"):
        dynamic.map_shape(50)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "xcit_nano_12_p16_224", "test_resnet"])
def test_dynamic_size_of_networks_without_position_embeddings(name: str) -> None:
    backbone = Backbone(name, image_size=64, dynamic_size=True)
    channels = backbone.channels
    positions = {size: torch.Size(backbone.map_shape(size)[1:]).numel() for size in (64, 128)}
    assert positions[128] == 4 * positions[64] and backbone.map_shape(128)[0] == channels
    assert backbone.training


@pytest.mark.parametrize("name", ["levit_128s", "cait_xxs24_224"])
def test_networks_of_one_size_are_refused_where_dynamic_size_is_asked_for(name: str) -> None:
    Backbone(name, image_size=64)
    with pytest.raises(ValueError, match=rf"dynamic_size=true: model\.backbone={name}.*not take 96 x 96"):
        Backbone(name, image_size=64, dynamic_size=True)


def test_network_without_dynamic_size_names_the_size_it_takes() -> None:
    with pytest.raises(ValueError, match=r"does not take images of 96 x 96"):
        Backbone("vit_tiny_patch16_224", image_size=64).map_shape(96)


@pytest.mark.parametrize("name", ["test_vit", "eva02_tiny_patch14_336", "cait_xxs24_224"])
def test_class_token_is_timm_s(name: str) -> None:
    backbone = Backbone(name, image_size=56 if "14" in name else 32, tokens="class").eval()
    images = torch.randn(2, 3, *((56, 56) if "14" in name else (32, 32)))
    reference = timm.create_model(name, num_classes=0, img_size=images.shape[2:], global_pool="token").eval()
    missing = reference.load_state_dict(backbone.model.state_dict(), strict=False).missing_keys
    assert missing in ([], ["norm.weight", "norm.bias"])
    assert backbone(images).shape == (2, backbone.channels, 1, 1)
    torch.testing.assert_close(backbone(images)[:, :, 0, 0], reference(images))


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit2", "deit_tiny_distilled_patch16_224", "coat_lite_tiny"]
)
def test_networks_without_class_token_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"model\.tokens=class: model\.backbone={name} gives no class token"
    ):
        Backbone(name, image_size=64, tokens="class")


def test_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.tokens=cls: expected patch or class"):
        Backbone("test_vit", image_size=32, tokens="cls")


def test_unknown_name_lists_close_ones() -> None:
    with pytest.raises(ValueError, match=r"model\.backbone=resnet81: .*Close ones: .*resnet18"):
        Backbone("resnet81")
    with pytest.raises(ValueError, match=r"no network of that name.*Close ones: none"):
        Backbone("/tmp/qqqq")


def test_unknown_tag_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"no weights 'a9' for resnet18; it has \['a1_in1k'"):
        Backbone("resnet18.a9")


@pytest.mark.parametrize("image_size", [0, [64], [64, 0], [64.5, 64], "64"])
def test_wrong_image_size_is_refused(image_size: object) -> None:
    with pytest.raises(ValueError, match="image_size must be a side in pixels"):
        Backbone("test_resnet", image_size=image_size)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["test_vit", "levit_128s", "nest_tiny"])
def test_image_size_the_network_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"model\.backbone={name} does not take images of 50 x 50 .* image_size="
    ):
        Backbone(name, image_size=50)


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"competition\.channels"):
        Backbone("test_resnet", in_chans=0)
    with pytest.raises(ValueError, match=r"model\.drop_path_rate=0\.1"):
        Backbone("test_resnet", drop_path_rate=1.0)
    with pytest.raises(ValueError, match=r"model\.drop_path_rate=null"):
        Backbone("vgg11", image_size=32, drop_path_rate=0.1)


def test_network_that_does_not_return_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.backbone=efficientvim_m1 returns a list"):
        Backbone("efficientvim_m1", image_size=64)
