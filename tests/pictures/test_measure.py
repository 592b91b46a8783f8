"""The decoding pass: what it keeps of a picture, against plain computations on the whole picture."""

import cv2
import numpy as np
import pytest
from PIL import Image

from compkit.pictures import measure_pictures
from compkit.pictures.appearance import (
    describe_appearance,
    perceptual_hashes,
    reduced,
    sharpness_of,
)
from compkit.pictures.header import read_file_header, read_header
from compkit.types import Table

from ..inspection.planted import resaved, scene


def table_of(folder, pictures):
    """A table of PNG files."""
    files = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), picture[..., ::-1])
        files.append([str(path).encode()])
    return Table(np.arange(len(files)).astype(str), np.array(files), None)


def test_statistics_are_those_of_the_pictures(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [scene(rng, label) for label in (0, 1, 2)]
    seen = measure_pictures(table_of(tmp_path, pictures), channels=3, threads=2)
    for row, picture in enumerate(pictures):
        np.testing.assert_allclose(seen.mean[row], picture.mean(axis=(0, 1)) / 255, atol=1e-4)
        np.testing.assert_allclose(seen.std[row], picture.std(axis=(0, 1)) / 255, atol=1e-4)
        assert (seen.height[row], seen.width[row]) == picture.shape[:2]
    assert seen.file_bytes.tolist() == [(tmp_path / f"{row}.png").stat().st_size for row in range(3)]
    assert set(seen.formats) == {"png"} and set(seen.bits) == {8} and not seen.constant.any()
    assert 0 < seen.rate < seen.decode_rate


def test_one_thread_sees_what_several_see(tmp_path):
    rng = np.random.default_rng(0)
    table = table_of(tmp_path, [scene(rng, row % 3) for row in range(20)])
    one, several = (measure_pictures(table, channels=3, threads=threads) for threads in (1, 3))
    assert (one.phash == several.phash).all() and (one.sharpness == several.sharpness).all()


def test_damaged_and_constant_pictures_are_told(tmp_path):
    picture = scene(np.random.default_rng(0), 0)
    even = np.full((20, 30, 3), (7, 90, 200), np.uint8)
    table = table_of(tmp_path, [picture, even, picture])
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    seen = measure_pictures(table, channels=3)
    assert seen.readable.tolist() == [True, True, False] and seen.constant.tolist() == [False, True, False]
    assert [one.id for one in seen.bad] == ["2"] and "cut short" in seen.bad[0].reason


def test_a_single_pixel_is_no_picture_of_one_colour(tmp_path):
    table = table_of(tmp_path, [np.full((1, width, 3), 7, np.uint8) for width in (1, 2)])
    assert measure_pictures(table, channels=3).constant.tolist() == [False, True]


@pytest.mark.parametrize("channels", [1, 5])
def test_other_numbers_of_channels(tmp_path, channels):
    array = np.random.default_rng(0).integers(0, 256, (300, 400, channels), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    table = Table(np.array(["a"]), np.array([[str(tmp_path / "a.npy").encode()]]), None)
    seen = measure_pictures(table, channels=channels)
    np.testing.assert_allclose(
        seen.mean[0], array.mean(axis=(0, 1)) / 255, atol=0.03
    )  # of 1 600 pixels of noise
    assert seen.formats[0] == "npy"


def test_progress_counts_every_picture(tmp_path):
    told = []
    table = table_of(tmp_path, [np.zeros((8, 8, 3), np.uint8)] * 3)
    measure_pictures(table, channels=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_hashes_survive_saving_again_and_differ_between_pictures():
    rng = np.random.default_rng(0)
    pictures = [scene(rng, row % 3) for row in range(30)]
    own, other = (
        perceptual_hashes(np.stack([describe_appearance(picture).low for picture in part]))
        for part in (pictures, [resaved(picture) for picture in pictures])
    )
    for bits, again in zip(own, other, strict=True):
        apart = np.bitwise_count(bits[:, None] ^ again[None])
        assert np.median(np.diag(apart)) <= 4
        assert np.median(apart[~np.eye(30, dtype=bool)]) > 15


def test_the_second_hash_is_that_of_the_mirror_image():
    rng = np.random.default_rng(0)
    lows = rng.integers(0, 256, (20, 32, 32), dtype=np.uint8)
    plain, mirrored = perceptual_hashes(lows)
    assert (perceptual_hashes(np.ascontiguousarray(lows[..., ::-1]))[0] == mirrored).all()
    assert not (plain == mirrored).any()
    # against OpenCV's transform of each, and the median of 63 numbers
    for low, bits in zip(lows, plain, strict=True):
        values = cv2.dct(low.astype(np.float32))[:8, :8].ravel()[1:]
        assert f"{int(bits):064b}"[:63] == "".join(str(int(one)) for one in values > np.median(values))


def test_empty_pictures_have_no_hash():
    assert perceptual_hashes(np.full((1, 32, 32), 77, np.uint8)) == (0, 0)


def test_blur_lowers_sharpness():
    picture = scene(np.random.default_rng(0), 1)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    values = [sharpness_of(cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True) and sharpness_of(grey) > values[0]
    assert sharpness_of(grey) == pytest.approx(cv2.Laplacian(grey, cv2.CV_64F).var())


@pytest.mark.parametrize("shape", [(600, 300, 3), (257, 256, 1), (1000, 3, 3), (512, 700, 6), (40, 50, 3)])
def test_reduced_copies_keep_shape_and_mean(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    small = reduced(picture)
    assert max(small.shape[:2]) <= 256 and small.shape[2] == shape[2]
    assert (
        small.shape[0] / small.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.02) or min(shape[:2]) < 10
    )
    np.testing.assert_allclose(small.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=4)


def test_headers_against_pillow(tmp_path):
    """Every format that Pillow writes, with its orientation and transparency."""
    turned = Image.Exif()
    turned[274] = 6
    for mode, name, bits, channels, alpha in [
        ("RGB", "a.jpg", 8, 3, False),
        ("L", "b.jpg", 8, 1, False),
        ("RGBA", "c.png", 8, 4, True),
        ("I;16", "d.png", 16, 1, False),
        ("RGB", "e.webp", 8, 3, False),
        ("RGBA", "f.webp", 8, 4, True),
        ("RGB", "g.tif", 8, 3, False),
    ]:
        path = tmp_path / name
        Image.new(mode, (30, 20)).save(path, exif=turned)
        header, size = read_file_header(str(path))
        assert size == path.stat().st_size
        assert (header.bits, header.channels, header.has_alpha) == (bits, channels, alpha), name
        if not name.endswith(".png"):
            assert header.orientation == 6, name
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for name in ("h.webp", "i.tif"):  # their tags come behind the pixels, or a long way behind the start
        Image.fromarray(noise).save(tmp_path / name, exif=turned)
        assert read_file_header(str(tmp_path / name))[0].orientation == 6, name
    for data in (b"", b"\x89PNG", b"\xff\xd8\xff\xe0", b"RIFF....WEBPVP8L", b"II*\0\x08\0\0\0", b"nothing"):
        assert read_header(data).bits == 0
    assert read_header(b"BM").format == "bmp"


@pytest.mark.parametrize("quality", [50, 92, 100])
def test_quantisation_and_metadata_against_pillow(tmp_path, quality):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[272] = "camera"
    for name, options in (
        ("plain", {}),
        ("again", {}),
        ("told", {"exif": exif}),
        ("noted", {"comment": b"x" * 9}),
    ):
        noise.save(tmp_path / f"{name}.jpg", quality=quality, **options)
    plain, again, told, noted = (
        read_file_header(str(tmp_path / f"{name}.jpg"))[0] for name in ("plain", "again", "told", "noted")
    )
    wanted = Image.open(tmp_path / "plain.jpg").quantization[0]
    assert plain.quantisation == pytest.approx(np.mean(wanted))
    assert plain == again and plain.metadata_bytes == 0 and noted.metadata_bytes == 9
    assert len({plain.metadata, told.metadata, noted.metadata}) == 3 and told.metadata_bytes > 6
