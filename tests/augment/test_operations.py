"""Operations against Pillow and torchvision, and what they promise for deep and many-channel pictures."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from torchvision.transforms.v2 import functional as F

from compkit.augment import colour, geometry
from compkit.augment.operations import OPERATIONS, Extent, Step, apply_step, check_names, extents, possible

H, W = 40, 52


def picture(channels=3, deep=False, seed=0):
    """Smooth, so that a hundredth of a pixel does not matter, over a part of the range."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 230, (6, 8, channels)).astype(np.float32)
    smooth = [cv2.resize(coarse[..., one], (W, H), interpolation=cv2.INTER_CUBIC) for one in range(channels)]
    values = np.stack(smooth, axis=2).clip(5, 245)
    return (values / 255).astype(np.float32) if deep else values.astype(np.uint8)


def to_torch(image):
    return torch.from_numpy(image).permute(2, 0, 1)


def from_torch(image):
    return image.permute(1, 2, 0).numpy()


def assert_near(got, want, levels):
    assert got.shape == want.shape and got.dtype == want.dtype
    scale = 1 if got.dtype == np.uint8 else 255
    assert np.abs(got.astype(float) - want.astype(float)).max() * scale <= levels


@pytest.mark.parametrize("amount", [-0.3, 0.17, 0.9])
@pytest.mark.parametrize(
    "move, matrix", [("shear_x", lambda a: (1, a, 0, 0, 1, 0)), ("shear_y", lambda a: (1, 0, 0, a, 1, 0))]
)
def test_shears_are_pillow_s(move, matrix, amount):
    image = picture()
    want = Image.fromarray(image).transform(
        (W, H), Image.Transform.AFFINE, matrix(amount), Image.Resampling.BILINEAR
    )
    got = getattr(geometry, move)(image, amount, 0.0)
    # Pillow treats the outermost half pixel differently; inside they agree
    inside = np.asarray(
        Image.new("L", (W, H), 255).transform(
            (W, H), Image.Transform.AFFINE, matrix(amount), Image.Resampling.BILINEAR
        )
    )
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0) == 255
    assert inside.mean() > 0.2
    assert_near(got[inside], np.asarray(want)[inside], levels=4)


@pytest.mark.parametrize("degrees", [-30, 7.5, 90, 135])
def test_rotation_is_pillow_s(degrees):
    image = picture()
    got = geometry.rotate(image, degrees, 0.0)
    turn = {"angle": degrees, "resample": Image.Resampling.BILINEAR}
    want, inside = (
        np.asarray(one.rotate(**turn)) for one in (Image.fromarray(image), Image.new("L", (W, H), 255))
    )
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0) == 255
    assert_near(got[inside], want[inside], levels=4)


@pytest.mark.parametrize("amount", [-7, 7.9, 0.4])
def test_translations_are_torchvision_s(amount):
    image = picture()
    for move, shift in [("translate_x", [int(amount), 0]), ("translate_y", [0, int(amount)])]:
        want = F.affine(to_torch(image), angle=0, translate=shift, scale=1, shear=[0, 0], fill=[128.0] * 3)
        np.testing.assert_array_equal(getattr(geometry, move)(image, amount, 128 / 255), from_torch(want))


TORCHVISION = {
    "brightness": lambda image, a: F.adjust_brightness(image, 1 + a),
    "color": lambda image, a: F.adjust_saturation(image, 1 + a),
    "contrast": lambda image, a: F.adjust_contrast(image, 1 + a),
    "sharpness": lambda image, a: F.adjust_sharpness(image, 1 + a),
}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("amount", [-0.9, -0.3, 0.0, 0.6])
@pytest.mark.parametrize("name", TORCHVISION)
def test_factors_are_torchvision_s(name, amount, channels, deep):
    image = picture(channels, deep)
    want = from_torch(TORCHVISION[name](to_torch(image), amount))
    assert_near(getattr(colour, name)(image, amount), want, levels=2)  # they cut off, we round


@pytest.mark.parametrize("channels", [1, 3])
def test_whole_number_operations_are_torchvision_s(channels):
    image = picture(channels)
    for bits in range(1, 9):
        np.testing.assert_array_equal(
            colour.posterize(image, bits), from_torch(F.posterize(to_torch(image), bits))
        )
    for threshold in (0.0, 56.7, 128.0, 255.0):
        want = from_torch(F.solarize(to_torch(image), threshold))
        np.testing.assert_array_equal(colour.solarize(image, threshold), want)
    np.testing.assert_array_equal(colour.invert(image), from_torch(F.invert(to_torch(image))))
    np.testing.assert_array_equal(colour.equalize(image), from_torch(F.equalize(to_torch(image))))
    assert_near(colour.autocontrast(image), from_torch(F.autocontrast(to_torch(image))), levels=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_deep_operations_are_torchvision_s(channels):
    image = picture(channels, deep=True)
    for bits in (1, 4, 8):
        assert_near(
            colour.posterize(image, bits), from_torch(F.posterize(to_torch(image), bits)), levels=1e-3
        )
    assert_near(
        colour.solarize(image, 100.0), from_torch(F.solarize(to_torch(image), 100 / 255)), levels=1e-3
    )
    assert_near(colour.invert(image), from_torch(F.invert(to_torch(image))), levels=1e-3)
    assert_near(colour.autocontrast(image), from_torch(F.autocontrast(to_torch(image))), levels=1e-3)


def test_deep_equalize_makes_all_values_equally_frequent():
    image = picture(2, deep=True)
    for channel in np.moveaxis(colour.equalize(image), 2, 0):
        counts = np.histogram(channel, bins=8, range=(0, 1))[0]
        assert counts.min() > 0.9 * H * W / 8
    assert len(np.unique(colour.equalize(image))) > 256  # depth survives


@pytest.mark.parametrize("deep", [False, True])
def test_one_value_has_nothing_to_spread(deep):
    flat = np.full((H, W, 2), 77 / 255, np.float32) if deep else np.full((H, W, 2), 77, np.uint8)
    np.testing.assert_array_equal(colour.equalize(flat), flat)
    np.testing.assert_array_equal(colour.autocontrast(flat), flat)


def test_invert_is_pillow_s():
    image = picture()
    np.testing.assert_array_equal(colour.invert(image), np.asarray(ImageChops.invert(Image.fromarray(image))))


def test_color_leaves_pictures_alone_that_are_not_rgb():
    for channels in (1, 2, 5):
        np.testing.assert_array_equal(colour.color(picture(channels), -0.9), picture(channels))
    assert possible(OPERATIONS, 1) == [name for name in OPERATIONS if name != "Color"]
    assert possible(OPERATIONS, 3) == list(OPERATIONS)


def test_cutout_covers_its_square_and_nothing_else():
    image = picture()
    holed = geometry.cutout(image, 0.5, 0.0, place=(0.5, 0.5))
    changed = (holed != image).any(axis=2)
    assert changed.sum() == 20 * 20 and changed[10:30, 16:36].all()
    assert (geometry.cutout(image, 0.5, 0.0, place=(0.0, 0.0)) == 0).all(axis=2).sum() == 10 * 10


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("name", OPERATIONS)
def test_size_dtype_channels_and_range_are_kept(name, channels, deep):
    image = picture(channels, deep)
    before = image.copy()
    for strength in (0.0, 0.4, 1.0):
        step = Step(name, strength, -1, (0.3, 0.9))
        result = apply_step(image, step, extents(H, W).get(name, Extent(0, 0)), fill=0.5)
        assert result.shape == image.shape and result.dtype == image.dtype
        assert result.min() >= 0 and result.max() <= (1 if deep else 255)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("channels", [2, 5, 9])
@pytest.mark.parametrize(
    "name", ["Rotate", "ShearX", "TranslateY", "Sharpness", "Equalize", "AutoContrast", "Solarize"]
)
def test_channels_do_not_mix(name, channels):
    image = picture(channels)
    step, extent = Step(name, 0.7, 1, (0.5, 0.5)), extents(H, W).get(name, Extent(0, 0))
    together = apply_step(image, step, extent, fill=0.5)
    for one in range(channels):
        # cv2 has a coarser path for two channels
        assert_near(apply_step(image[..., [one]], step, extent, fill=0.5), together[..., [one]], levels=2)


@pytest.mark.parametrize("name", sorted({*OPERATIONS} - {"AutoContrast", "Equalize", "Invert", "Solarize"}))
def test_strength_zero_changes_nothing(name):
    image = picture()
    result = apply_step(
        image, Step(name, 0.0, -1, (0.5, 0.5)), extents(H, W).get(name, Extent(0, 0)), fill=0.5
    )
    assert_near(result, image, levels=0)


def test_unknown_operation():
    with pytest.raises(ValueError, match="leave_out: got 'Rotat'"):
        check_names("leave_out", ["Rotat"])
