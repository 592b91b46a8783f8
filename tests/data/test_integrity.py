import struct

import pytest

from compkit.data.integrity import find_damage, is_tiff


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0\0\x04ab", "JPEG"),
        (b"\xff\xd8\xff\xe1\0\x04\xff\xd9\xff\xda\0\x02pixels", "JPEG"),  # the end mark is the thumbnail's
        (b"\xff\xd8 no marker", "JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "PNG"),
        (b"RIFF\x10\0\0\0WEBP", "a WebP of 24 bytes has 12"),
        (b"II*\0\x08\0\0\0\x05\0", "TIFF tags"),
        (b"II*\0\xff\xff\0\0", "TIFF tags"),
    ],
)
def test_damage_is_named(data, reason):
    assert reason in (find_damage(data) or "")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe1\0\x04\xff\xd9\xff\xda\0\x02pixels\xff\xd9",
        b"\xff\xd8\xff\xda\0\x02pixels\xff\xd9\0\0 trailer \xff\xda",
        b"\x89PNG\r\n\x1a\n...IEND\xaeB`\x82",
        b"\x89PNG\r\n\x1a\n...IEND\xaeB`\x82 trailer",
        b"RIFF\x04\0\0\0WEBP",
        b"BM whatever",
    ],
)
def test_whole_files_pass(data):
    assert find_damage(data) is None


@pytest.mark.parametrize("order, start", [("<", b"II*\0"), (">", b"MM\0*")])
def test_tiff_tags_are_read_in_both_byte_orders(order, start):
    def tiff(bits, samples, planar):
        entries = [(258, bits), (277, samples), (284, planar)]
        table = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
        return start + struct.pack(f"{order}IH", 8, len(entries)) + table

    assert is_tiff(tiff(8, 3, 1))
    assert find_damage(tiff(8, 3, 1)) is None and find_damage(tiff(16, 3, 1)) is None
    assert find_damage(tiff(8, 3, 2)) is None
    assert "separate planes" in find_damage(tiff(16, 3, 2))
    assert "2 values a pixel" in find_damage(tiff(16, 2, 1))
    assert "6 values a pixel" in find_damage(tiff(8, 6, 1))
