"""Image files -> one array: upright, RGB order, 8 bits or float in [0, 1]."""

from collections.abc import Sequence

import cv2
import numpy as np

from compkit.data.integrity import find_damage, is_tiff

cv2.setNumThreads(0)  # loader processes are the parallelism; OpenCV's own threads fight over the cores
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # faults are raised, with the file's name


def decode_image(
    files: Sequence[str], channels: int, deep: bool = False, max_value: float | None = None
) -> np.ndarray:
    """Read the picture of one row of the table.

    Reads jpg, png, tif, webp, bmp (8, 16 bits or float; grey, colour, palette) and npy ([H, W],
    [H, W, C], or [C, H, W] where only that fits `channels`). EXIF orientation is applied. Grey is
    repeated for channels=3, colour becomes luminance for channels=1. Transparency is dropped,
    unless channels=4, which takes the four channels as stored (and unrotated, but for tif);
    an 8-bit tif with transparency comes multiplied by it. A tif of grey pages has a channel a
    page; of colour pages only the first is read.

    Args:
        files: the file, or one file per channel, each grey and of the same size.
        channels: C of the result: 1 grey, 3 RGB, or as many as there are.
        deep: float32 in [0, 1] instead of uint8, for what has more than 8 bits (see `is_deep`).
        max_value: pixel value that means 1.0; None is 255 for 8-bit, 65535 for 16-bit and 1 for
            other pixels.

    Returns:
        uint8, or float32 in [0, 1] when deep, [H, W, C] contiguous.

    Raises:
        ValueError: a damaged file, pixels outside 0..max_value, or channels that do not fit.
        OSError: a file that is missing or cannot be opened.

    >>> import tempfile
    >>> file = tempfile.mkdtemp() + "/grey.png"
    >>> _ = cv2.imwrite(file, np.full((2, 4), 51, np.uint8))
    >>> decode_image([file], channels=3).shape
    (2, 4, 3)
    >>> decode_image([file], channels=1, deep=True).max()
    np.float32(0.2)
    """
    if len(files) == 1:
        return _decode_file(files[0], channels, deep, max_value)
    if len(files) != channels:
        raise ValueError(
            f"{files[0]}: {len(files)} channel files, but competition.channels={channels}. "
            f"Set competition.channels={len(files)}, or correct competition.channel_files."
        )
    planes = [_decode_file(file, 1, deep, max_value) for file in files]
    for file, plane in zip(files, planes, strict=True):
        if plane.shape != planes[0].shape:
            raise ValueError(
                f"{file}: {plane.shape[0]} x {plane.shape[1]} pixels, but {files[0]} has "
                f"{planes[0].shape[0]} x {planes[0].shape[1]}. The channels of an image must have one size."
            )
    return np.concatenate(planes, axis=2)


def is_deep(files: Sequence[str], max_value: float | None = None) -> bool:
    """Whether an image carries more than 8 bits: 16-bit or float pixels.

    Integer pixels up to max_value <= 255 are not deep, however they are stored.

    Raises:
        ValueError, OSError: as `decode_image`.

    >>> import tempfile
    >>> file = tempfile.mkdtemp() + "/x.npy"
    >>> np.save(file, np.zeros((2, 2), np.uint16))
    >>> is_deep([file]), is_deep([file], max_value=255)
    (True, False)
    """
    return any(_dtype_is_deep(_read(file, channels=1).dtype, max_value) for file in files)


def _dtype_is_deep(dtype: np.dtype, max_value: float | None) -> bool:
    if dtype.kind == "f":
        return True
    largest = 1 if dtype.kind == "b" else np.iinfo(dtype).max
    return (max_value or largest) > 255


def _decode_file(file: str, channels: int, deep: bool, max_value: float | None) -> np.ndarray:
    pixels = _to_depth(file, _read(file, channels), deep, max_value)
    return np.ascontiguousarray(_to_channels(file, pixels, channels))


def _read(file: str, channels: int) -> np.ndarray:
    """Pixels as stored, [H, W] or [H, W, C] in RGB order."""
    if file.lower().endswith(".npy"):
        return _read_npy(file, channels)
    # the bytes are read here, as OpenCV opens neither every Unicode path nor says why it failed
    with open(file, "rb") as stream:
        data = stream.read()
    if damage := find_damage(data):
        raise ValueError(f"{file}: {damage}.")
    flags = cv2.IMREAD_UNCHANGED if channels == 4 else cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    buffer = np.frombuffer(data, np.uint8)
    try:
        decoded = cv2.imdecodemulti(buffer, flags)[1] if is_tiff(data) else [cv2.imdecode(buffer, flags)]
        pages = [page for page in decoded if page is not None]
        if not pages:
            raise ValueError(f"{file}: damaged, or not an image that OpenCV reads.")
        if pages[0].ndim == 3:
            swap = cv2.COLOR_BGRA2RGBA if pages[0].shape[2] == 4 else cv2.COLOR_BGR2RGB
            return cv2.cvtColor(pages[0], swap)
    except cv2.error as error:  # too many pixels, or a depth OpenCV cannot convert
        raise ValueError(f"{file}: OpenCV cannot decode it: {' '.join(error.err.split())}") from None
    if any(page.shape != pages[0].shape for page in pages):
        raise ValueError(f"{file}: its {len(pages)} pages differ in size; each page is taken as a channel.")
    return np.stack(pages, axis=-1) if len(pages) > 1 else pages[0]


def _read_npy(file: str, channels: int) -> np.ndarray:
    """An array [H, W] or [H, W, C], turned from [C, H, W] where only that fits."""
    try:
        with open(file, "rb") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file}: not a readable npy file: {error}.") from None
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(
            f"{file}: array of shape {array.shape} and type {array.dtype}; expected numbers as "
            "[H, W], [H, W, C] or [C, H, W]."
        )
    if array.ndim == 3 and array.shape[2] != channels and array.shape[0] == channels:
        array = np.moveaxis(array, 0, 2)
    return array


def _to_depth(file: str, pixels: np.ndarray, deep: bool, max_value: float | None) -> np.ndarray:
    """Pixels scaled to uint8, or to float32 in [0, 1]."""
    natural = np.iinfo(pixels.dtype).max if pixels.dtype in (np.uint8, np.uint16) else 1
    scale = float(max_value or natural)
    if pixels.dtype == np.uint8 and scale == 255 and not deep:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= scale):  # written so that NaN fails
        raise ValueError(
            f"{file}: {pixels.dtype} pixels run from {low:g} to {high:g}, expected 0 to {scale:g}. "
            "Set competition.max_value to the largest value pixels can have (and shift negative ones)."
        )
    if deep:
        return pixels.astype(np.float32) / np.float32(scale)
    return np.rint(pixels.astype(np.float32) * np.float32(255 / scale)).astype(np.uint8)


def _to_channels(file: str, pixels: np.ndarray, channels: int) -> np.ndarray:
    """[H, W] or [H, W, C] -> [H, W, channels]; only grey and RGB turn into one another."""
    image = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    match image.shape[2], channels:
        case (present, wanted) if present == wanted:
            return image
        case (1, 3):
            return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        case (3, 1):
            return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    raise ValueError(
        f"{file}: image of shape {image.shape} ([H, W, C]), but competition.channels={channels}. "
        f"Set competition.channels={image.shape[2]} if that is right."
    )
