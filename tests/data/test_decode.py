import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from compkit.data import decode_image, is_deep

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (9, 7), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (9, 7), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (9, 7, 3), dtype=np.uint16)
LOSSLESS = {"png": {}, "tif": {}, "bmp": {}, "webp": {"lossless": True, "exact": True}}


def save(folder, name, image, **options):
    """Write by PIL, and return the path as decode_image takes it."""
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    picture.save(folder / name, **options)
    return (str(folder / name),)


def save_cv2(folder, name, rgb):
    assert cv2.imwrite(str(folder / name), rgb[..., ::-1] if rgb.ndim == 3 else rgb)
    return (str(folder / name),)


def save_npy(folder, array):
    np.save(folder / "x.npy", array)
    return (str(folder / "x.npy"),)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb_comes_back_as_written(tmp_path, suffix):
    files = save(tmp_path, f"x.{suffix}", RGB, **LOSSLESS[suffix])
    image = decode_image(files, channels=3)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, RGB)
    deep = decode_image(files, channels=3, deep=True)
    assert deep.dtype == np.float32 and deep.flags.c_contiguous
    np.testing.assert_allclose(deep, RGB / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_transparency_is_dropped_and_four_channels_are_kept_on_demand(tmp_path, suffix):
    opaque = np.dstack([RGB, np.full((9, 7), 255, np.uint8)])
    clear = np.dstack([RGB, GREY])
    rgba = opaque if suffix == "tif" else clear  # libtiff multiplies 8-bit colour by its transparency
    files = save(tmp_path, f"x.{suffix}", rgba, **LOSSLESS[suffix])
    np.testing.assert_array_equal(decode_image(files, channels=3), RGB)
    if suffix != "bmp":
        np.testing.assert_array_equal(decode_image(files, channels=4), rgba)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey(tmp_path, suffix):
    files = save(tmp_path, f"x.{suffix}", GREY)
    np.testing.assert_array_equal(decode_image(files, channels=1), GREY[..., np.newaxis])
    np.testing.assert_array_equal(decode_image(files, channels=3), np.dstack([GREY] * 3))


def test_colour_to_grey_is_luminance(tmp_path):
    files = save(tmp_path, "x.png", RGB)
    want = RGB @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode_image(files, channels=1)[..., 0] - want).max() <= 0.51
    np.testing.assert_allclose(decode_image(files, channels=1, deep=True)[..., 0], want / 255, atol=1e-3)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_with_transparency(tmp_path, suffix):
    files = save(
        tmp_path, f"x.{suffix}", Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(RGB[..., 0])])
    )
    np.testing.assert_array_equal(decode_image(files, channels=1)[..., 0], GREY)
    np.testing.assert_array_equal(decode_image(files, channels=3), np.dstack([GREY] * 3))


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_palette(tmp_path, suffix):
    image = Image.fromarray(RGB).quantize(16)
    want = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decode_image(save(tmp_path, f"x.{suffix}", image), channels=3), want)


def test_palette_with_transparency(tmp_path):
    image = Image.fromarray(RGB).quantize(16)
    files = save(tmp_path, "x.png", image, transparency=0)
    np.testing.assert_array_equal(decode_image(files, channels=3), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_one_bit(tmp_path, suffix):
    files = save(tmp_path, f"x.{suffix}", Image.fromarray(GREY > 127))
    np.testing.assert_array_equal(decode_image(files, channels=1)[..., 0], (GREY > 127) * 255)
    assert not is_deep(files)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path, suffix):
    for files, want in (
        (save(tmp_path, f"grey.{suffix}", GREY16), GREY16[..., np.newaxis]),
        (save_cv2(tmp_path, f"rgb.{suffix}", RGB16), RGB16),
    ):
        channels = want.shape[2]
        assert is_deep(files)
        np.testing.assert_array_equal(decode_image(files, channels), np.rint(want.astype(float) / 257))
        np.testing.assert_allclose(decode_image(files, channels, deep=True), want / 65535, atol=1e-7)


def test_max_value_of_twelve_bits(tmp_path):
    files = save(tmp_path, "x.png", GREY16 // 16)
    want = (GREY16 // 16)[..., np.newaxis] / 4095
    np.testing.assert_allclose(decode_image(files, 1, deep=True, max_value=4095), want, atol=1e-6)
    np.testing.assert_array_equal(decode_image(files, 1, max_value=4095), np.rint(want * 255))


@pytest.mark.parametrize("quality", [95, 30])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_is_close_to_another_decoder(tmp_path, mode, quality, progressive):
    smooth = Image.fromarray(cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC)).convert(mode)
    files = save(tmp_path, "x.jpg", smooth, quality=quality, progressive=progressive)
    want = np.asarray(Image.open(files[0]).convert("RGB")).astype(int)
    assert np.abs(decode_image(files, channels=3) - want).mean() < 1.5


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = Image.fromarray(cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC))
    files = save(tmp_path, f"x.{suffix}", smooth, exif=exif, **LOSSLESS.get(suffix, {"quality": 95}))
    want = np.asarray(ImageOps.exif_transpose(Image.open(files[0]))).astype(int)
    image = decode_image(files, channels=3)
    assert image.shape == want.shape and np.abs(image - want).mean() < 1.5
    assert decode_image(files, channels=1).shape[:2] == want.shape[:2]


@pytest.mark.parametrize("name", ["ü.png", "图 像.png", "a'b\"c.png", "UPPER.PNG"])
def test_any_file_name(tmp_path, name):
    np.testing.assert_array_equal(decode_image(save(tmp_path, name, RGB), channels=3), RGB)


def test_suffix_does_not_decide(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.jpg", format="PNG")
    np.testing.assert_array_equal(decode_image((str(tmp_path / "x.jpg"),), channels=3), RGB)


def test_one_file_per_channel(tmp_path):
    files = sum((save(tmp_path, f"x_{c}.png", RGB[..., c].copy()) for c in range(3)), ())
    np.testing.assert_array_equal(decode_image(files, channels=3), RGB)
    mixed = files[:2] + save(tmp_path, "x_16.png", RGB[..., 2].astype(np.uint16) * 257)
    np.testing.assert_array_equal(decode_image(mixed, channels=3), RGB)
    assert is_deep(mixed) and not is_deep(files)


@pytest.mark.parametrize(
    "array, channels, want",
    [
        (RGB, 3, RGB),
        (np.moveaxis(RGB, -1, 0), 3, RGB),
        (np.asfortranarray(RGB), 3, RGB),
        (GREY, 1, GREY[..., np.newaxis]),
        (GREY, 3, np.dstack([GREY] * 3)),
        (GREY[..., np.newaxis], 3, np.dstack([GREY] * 3)),
        (GREY[np.newaxis], 1, GREY[..., np.newaxis]),
        (np.tile(RGB, (1, 1, 2)), 6, np.tile(RGB, (1, 1, 2))),
        (np.moveaxis(np.tile(RGB, (1, 1, 2)), -1, 0), 6, np.tile(RGB, (1, 1, 2))),
        (GREY > 127, 1, (GREY > 127)[..., np.newaxis] * 255),
        ((GREY / 255), 1, GREY[..., np.newaxis]),
        (
            (GREY / 255).astype(np.float16),
            1,
            np.rint((GREY / 255).astype(np.float16).astype(float) * 255)[..., None],
        ),
    ],
)
def test_npy(tmp_path, array, channels, want):
    image = decode_image(save_npy(tmp_path, array), channels)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, want)


def test_npy_of_wide_range(tmp_path):
    array = RNG.random((9, 7, 5)) * 3000
    files = save_npy(tmp_path, array)
    np.testing.assert_allclose(decode_image(files, 5, deep=True, max_value=3000), array / 3000, atol=1e-6)
    np.testing.assert_array_equal(decode_image(files, 5, max_value=3000), np.rint(array / 3000 * 255))


@pytest.mark.parametrize(
    "dtype, max_value, want",
    [
        (np.uint8, None, False),
        (bool, None, False),
        (np.uint16, None, True),
        (np.uint16, 255, False),
        (np.int16, 4095, True),
        (np.float32, None, True),
        (np.float64, 255, True),
    ],
)
def test_is_deep(tmp_path, dtype, max_value, want):
    assert is_deep(save_npy(tmp_path, np.zeros((2, 2), dtype)), max_value) is want


@pytest.mark.parametrize(
    "array, channels, max_value, message",
    [
        (RGB / 2.0, 3, None, r"float64 pixels run from .* expected 0 to 1\. Set competition.max_value"),
        (RGB / 2.0, 3, 100, "expected 0 to 100. Set competition.max_value"),
        (RGB / -255.0, 3, 1, "pixels run from -0.97"),
        (np.full((2, 2), np.nan), 1, 1, "pixels run from nan"),
        (np.full((2, 2), np.inf), 1, 1, "to inf"),
        (GREY16, 1, 4095, "uint16 pixels run .* expected 0 to 4095"),
        (RGB, 4, None, r"shape \(9, 7, 3\).*competition.channels=4. Set competition.channels=3"),
        (GREY, 2, None, "competition.channels=2. Set competition.channels=1"),
        (np.zeros((9, 7, 4), np.uint8), 3, None, "competition.channels=3. Set competition.channels=4"),
        (np.zeros(5, np.uint8), 1, None, r"array of shape \(5,\)"),
        (np.zeros((0, 4), np.uint8), 1, None, r"array of shape \(0, 4\)"),
        (np.array([["a"]]), 1, None, "type <U1"),
        (np.zeros((2, 2), complex), 1, None, "type complex128"),
    ],
)
def test_npy_that_does_not_fit(tmp_path, array, channels, max_value, message):
    for deep in (False, True):
        with pytest.raises(ValueError, match=message) as caught:
            decode_image(save_npy(tmp_path, array), channels, deep, max_value)
        assert "x.npy" in str(caught.value)


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"x.npy: not a readable npy file: Object arrays cannot be loaded"):
        decode_image((str(tmp_path / "x.npy"),), 1)


def test_channels_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"x.png: image of shape \(9, 7, 3\).*Set competition.channels=3"):
        decode_image(save(tmp_path, "x.png", RGB), channels=5)


def test_channel_files_that_do_not_fit(tmp_path):
    files = save(tmp_path, "a.png", GREY) + save(tmp_path, "b.png", GREY[:4])
    with pytest.raises(ValueError, match=r"a.png: 2 channel files, but competition.channels=3"):
        decode_image(files, channels=3)
    with pytest.raises(ValueError, match=r"b.png: 4 x 7 pixels, but .*a.png has 9 x 7"):
        decode_image(files, channels=2)
