"""PNG files whose bytes are the same everywhere."""

import struct
import zlib

import numpy as np


def encode_png(image: np.ndarray) -> bytes:
    """A grey picture as an uncompressed PNG.

    Compressed bytes depend on which zlib a Python, Pillow or OpenCV was built with. So the pixels are
    put into one stored deflate block, written here; only the checksums are zlib's.

    Args:
        image: uint8 [H, W], at most 65535 bytes with one more per row.

    Source: PNG specification, third edition, sections 5 and 11; RFC 1950 and 1951 section 3.2.4.

    >>> encode_png(np.zeros((8, 8), dtype=np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)  # 0: the row is not filtered
    assert image.dtype == np.uint8 and len(rows) <= 0xFFFF, (image.dtype, image.shape)
    deflate = b"\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    stream = b"\x78\x01" + deflate + struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey, not interlaced
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
