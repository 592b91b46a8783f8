"""What is wrong with an image file, told from its bytes before anything is decoded.

Decoders differ: some fill the missing half of a cut JPEG with grey, or print to the terminal, and
OpenCV returns wrong pixels for a few TIFF layouts. The checks here cost microseconds.
"""

import struct

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
TIFF_STARTS = (b"II*\0", b"MM\0*")


def find_damage(data: bytes) -> str | None:
    """Why the content of an image file cannot be trusted, or None.

    Looks for an empty file, a JPEG, PNG or WebP cut short, and TIFF layouts that OpenCV misreads.
    A wrong byte in the middle of a file is not seen here.

    >>> find_damage(b"")
    'the file is empty'
    >>> find_damage(PNG_START + b"half of it")
    'the file is cut short: the end mark of PNG is missing'
    """
    if not data:
        return "the file is empty"
    if data.startswith(JPEG_START) and not _jpeg_ends(data):
        return "the file is cut short: the end mark of JPEG is missing"
    if data.startswith(PNG_START) and not (data.endswith(PNG_END) or PNG_END in data):
        return "the file is cut short: the end mark of PNG is missing"
    if data.startswith(b"RIFF") and len(data) < (size := 8 + int.from_bytes(data[4:8], "little")):
        return f"the file is cut short: a WebP of {size} bytes has {len(data)}"
    if is_tiff(data):
        return _misread_tiff(data)
    return None


def is_tiff(data: bytes) -> bool:
    """Whether the bytes start as a TIFF file does.

    >>> is_tiff(b"II*\\0"), is_tiff(b"BM")
    (True, False)
    """
    return data.startswith(TIFF_STARTS)


def _jpeg_ends(data: bytes) -> bool:
    """Whether the end mark follows the pixels; the thumbnail in the header has one of its own."""
    if data.endswith(JPEG_END):
        return True
    position = 2
    while data[position : position + 1] == b"\xff" and len(data) >= position + 4:
        if data[position + 1] == 0xDA:  # start of the pixels, which cannot contain FFD9
            return data.find(JPEG_END, position) > 0
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _misread_tiff(data: bytes) -> str | None:
    """Why OpenCV (5.0) would return wrong pixels, or none, for this TIFF, or None."""
    try:
        tags = tiff_tags(data)
    except struct.error:
        return "the file is cut short: the table of TIFF tags is incomplete"
    bits, samples, planar = tags.get(258, 1), tags.get(277, 1), tags.get(284, 1)
    advice = "save it as .npy, or with one grey page a channel"
    if samples > 4:
        return f"TIFF with {samples} values a pixel is not supported; {advice}"
    if bits > 8 and (samples == 2 or (samples > 1 and planar == 2)):
        layout = "separate planes" if planar == 2 else "2 values a pixel"
        return f"TIFF of {bits} bits with {layout} is not supported; {advice}"
    return None


def tiff_tags(data: bytes) -> dict[int, int]:
    """The tags of the first page, with the first of their values; right for 16-bit values only."""
    order = "<" if data.startswith(b"II") else ">"
    (table,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, table)
    tags = {}
    for entry in range(table + 2, table + 2 + 12 * count, 12):
        tag, kind, items = struct.unpack_from(f"{order}HHI", data, entry)
        at = entry + 8
        if kind == 3 and items > 2:  # 16-bit values that do not fit into the entry lie elsewhere
            (at,) = struct.unpack_from(f"{order}I", data, at)
        (tags[tag],) = struct.unpack_from(f"{order}H", data, at)
    return tags
