import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from compkit.demo.png import encode_png


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (1, 5), (7, 3)])
def test_every_decoder_reads_the_same_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    content = encode_png(image)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), image)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), image)


def test_pixels_are_stored_uncompressed_with_valid_checksums():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    content = encode_png(image)
    stream = content[content.index(b"IDAT") + 4 : content.index(b"IEND") - 8]
    assert zlib.decompress(stream) == b"".join(b"\0" + row.tobytes() for row in image)
    assert image[3].tobytes() in content


def test_other_pixels_are_a_bug():
    with pytest.raises(AssertionError):
        encode_png(np.zeros((4, 4)))
