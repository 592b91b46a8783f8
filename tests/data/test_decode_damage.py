import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from compkit.data import decode_image

RNG = np.random.default_rng(0)


def with_thumbnail(jpeg, thumbnail):
    """Puts a whole JPEG into the header of another, as cameras do."""
    return jpeg[:2] + b"\xff\xe1" + (2 + len(thumbnail)).to_bytes(2, "big") + thumbnail + jpeg[2:]


def encoded(suffix, **options):
    noise = cv2.GaussianBlur(RNG.integers(0, 256, (120, 160, 3), dtype=np.uint8), (5, 5), 0)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, suffix, **options)
    return stream.getvalue()


WHOLE = {
    "jpeg": encoded("jpeg"),
    "progressive.jpeg": encoded("jpeg", progressive=True),
    "thumbnail.jpeg": with_thumbnail(encoded("jpeg"), encoded("jpeg", quality=5)),
    "png": encoded("png"),
    "webp": encoded("webp"),
    "lossless.webp": encoded("webp", lossless=True),
    "bmp": encoded("bmp"),
    "tiff": encoded("tiff"),
    "deflate.tiff": encoded("tiff", compression="tiff_deflate"),
    "npy": b"",
}
np.save(stream := io.BytesIO(), np.zeros((9, 7, 3), np.uint8))
WHOLE["npy"] = stream.getvalue()


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9, 0.99])
def test_cut_files_are_refused(tmp_path, name, part, capfd):
    path = tmp_path / f"x.{name}"
    path.write_bytes(WHOLE[name])
    assert decode_image((str(path),), channels=3).ndim == 3
    path.write_bytes(WHOLE[name][: int(part * len(WHOLE[name]))])
    with pytest.raises(ValueError, match=f"x.{name}: "):
        decode_image((str(path),), channels=3)
    assert capfd.readouterr().err == ""  # the error says it all


@pytest.mark.parametrize("name", ["jpeg", "thumbnail.jpeg", "png"])
def test_bytes_after_the_image_do_no_harm(tmp_path, name):
    (tmp_path / "x").write_bytes(WHOLE[name] + b"\xff\xda appended by a camera")
    assert decode_image((str(tmp_path / "x"),), channels=3).shape == (120, 160, 3)


@pytest.mark.parametrize(
    "content", [b"<html>404</html>", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\0" * 500, b"GIF89a"]
)
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.npy"])
def test_what_is_no_image_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        decode_image((str(tmp_path / name),), channels=3)


def test_image_beyond_opencvs_limit_is_refused(tmp_path):
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 2**20, 2**20, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "x.bmp").write_bytes(header)
    with pytest.raises(ValueError, match=r"x.bmp: OpenCV cannot decode it: .*MAX_IMAGE_PIXELS"):
        decode_image((str(tmp_path / "x.bmp"),), channels=3)


@pytest.mark.parametrize("name", ["none.png", "none.npy"])
def test_missing_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        decode_image((str(tmp_path / name),), channels=3)
    with pytest.raises(IsADirectoryError):
        decode_image((str(tmp_path),), channels=3)
