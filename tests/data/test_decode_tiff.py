import struct

import numpy as np
import pytest
from PIL import Image

from compkit.data import decode_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (9, 7), dtype=np.uint8)


def save_pages(folder, pages, **options):
    """Write a page an array by PIL, and return the path as decode_image takes it."""
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(folder / "x.tif", save_all=True, append_images=rest, **options)
    return (str(folder / "x.tif"),)


def tiff(array, separate_planes=False):
    """Bytes of an uncompressed TIFF from [H, W, C], the plain way of the TIFF 6.0 specification."""
    height, width, channels = array.shape
    data = (np.moveaxis(array, -1, 0) if separate_planes else array).tobytes()
    planes = channels if separate_planes else 1
    kinds = {"H": 3, "I": 4}
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [array.itemsize * 8] * channels),
        (259, "H", [1]),
        (262, "H", [2 if channels >= 3 else 1]),
        (273, "I", [0] * planes),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(data) // planes] * planes),
        (284, "H", [2 if separate_planes else 1]),
    ]
    if channels not in (1, 3):
        tags.append((338, "H", [0] * (channels - (3 if channels > 3 else 1))))
    start = 8 + 2 + 12 * len(tags) + 4
    extra_size = sum(
        size for _, kind, values in tags if (size := struct.calcsize(f"<{len(values)}{kind}")) > 4
    )
    table, extra = b"", b""
    for tag, kind, values in tags:
        if tag == 273:
            values = [start + extra_size + plane * (len(data) // planes) for plane in range(planes)]
        packed = struct.pack(f"<{len(values)}{kind}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", start + len(extra)), extra + packed
        table += struct.pack("<HHI", tag, kinds[kind], len(values)) + packed.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + struct.pack("<I", 0) + extra + data


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("pages", [2, 3, 4, 7])
def test_tif_pages_are_channels(tmp_path, pages, compression):
    want = RNG.integers(0, 65536, (9, 7, pages), dtype=np.uint16)
    files = save_pages(tmp_path, np.moveaxis(want, -1, 0), compression=compression)
    np.testing.assert_allclose(decode_image(files, pages, deep=True), want / 65535, atol=1e-7)


def test_of_colour_pages_the_first_is_read(tmp_path):
    files = save_pages(tmp_path, [RGB, RGB[:4, :4]])
    np.testing.assert_array_equal(decode_image(files, channels=3), RGB)


@pytest.mark.parametrize("separate_planes", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tif_of_a_plain_writer(tmp_path, channels, separate_planes):
    want = RNG.integers(0, 256, (9, 7, channels), dtype=np.uint8)
    (tmp_path / "x.tif").write_bytes(tiff(want, separate_planes))
    np.testing.assert_array_equal(decode_image((str(tmp_path / "x.tif"),), channels), want)


@pytest.mark.parametrize(
    "shape, dtype, separate_planes, message",
    [
        ((9, 7, 5), np.uint8, False, "TIFF with 5 values a pixel is not supported; save it as .npy"),
        ((9, 7, 3), np.uint16, True, "TIFF of 16 bits with separate planes is not supported"),
        ((9, 7, 2), np.uint16, False, "TIFF of 16 bits with 2 values a pixel is not supported"),
    ],
)
def test_tif_that_opencv_misreads_is_refused(tmp_path, shape, dtype, separate_planes, message):
    (tmp_path / "x.tif").write_bytes(tiff(np.ones(shape, dtype), separate_planes))
    with pytest.raises(ValueError, match=message):
        decode_image((str(tmp_path / "x.tif"),), shape[2])


def test_pages_of_different_size(tmp_path):
    with pytest.raises(ValueError, match=r"x.tif: its 2 pages differ in size"):
        decode_image(save_pages(tmp_path, [GREY, GREY[:4]]), channels=2)


def test_other_number_of_pages_than_channels(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(9, 7, 3\).*competition.channels=2"):
        decode_image(save_pages(tmp_path, [GREY] * 3), channels=2)
