"""Backbones of every output layout, in every number of channels; what is refused."""

import pytest
import timm
import torch

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


def test_drop_path_rate_reaches_the_network() -> None:
    rates = [
        m.drop_prob
        for m in Backbone("test_vit", image_size=32, drop_path_rate=0.3).modules()
        if hasattr(m, "drop_prob")
    ]
    assert max(rates) == pytest.approx(0.3)


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
