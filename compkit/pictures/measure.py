"""One decoding pass over a table: a row of numbers for each picture, never the pictures themselves."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from typing import NamedTuple

import numpy as np

from compkit.data import BadImage, decode_image
from compkit.pictures.appearance import (
    THUMBNAIL_PX,
    Appearance,
    describe_appearance,
    perceptual_hashes,
    thumbnails,
)
from compkit.pictures.header import Header, is_misnamed, read_file_header
from compkit.types import Table

FLAT = 1e-3  # contrast of less than a grey level: nothing can be seen
IN_FLIGHT = 64  # pictures a thread is ahead; their measurements, not their pixels, wait in the queue
OF_HEADER = ("bits", "orientation", "quantisation", "metadata_bytes", "metadata", "has_alpha", "is_animated")
OF_APPEARANCE = ("mean", "std", "border", "brightness", "contrast", "sharpness")


@dataclass(frozen=True)
class Measured:
    """What was seen of N pictures, in the order of their table; rows that could not be read hold zeros.

    Attributes:
        readable: bool [N].
        height, width: of the decoded picture, int32 [N].
        file_bytes: of all files of the row, int64 [N].
        formats: such as "jpeg", str [N].
        bits, stored_channels, orientation: from the file's header, int16 [N]; 0 = it does not say.
        quantisation, metadata_bytes, metadata: float32, int32, uint32 [N], as in Header.
        has_alpha, is_animated: from the header, bool [N].
        misnamed: the file's name promises another format than it has, bool [N].
        constant: it has several pixels, all of the same value, bool [N].
        mean, std, border: of each channel, float32 [N, C].
        brightness, contrast, sharpness: float32 [N], as in Appearance.
        phash, mirrored: uint64 [N], as in Appearance.
        thumbnails: uint8 [N, 16, 16].
        bad: the pictures that could not be read, and why.
        decode_seconds, seconds: processor time of decoding alone, and of all that was done, summed over threads.
    """

    readable: np.ndarray
    height: np.ndarray
    width: np.ndarray
    file_bytes: np.ndarray
    formats: np.ndarray
    bits: np.ndarray
    stored_channels: np.ndarray
    orientation: np.ndarray
    quantisation: np.ndarray
    metadata_bytes: np.ndarray
    metadata: np.ndarray
    has_alpha: np.ndarray
    is_animated: np.ndarray
    misnamed: np.ndarray
    constant: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    border: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    sharpness: np.ndarray
    phash: np.ndarray
    mirrored: np.ndarray
    thumbnails: np.ndarray
    bad: list[BadImage]
    decode_seconds: float
    seconds: float

    def __len__(self) -> int:
        return len(self.readable)

    def take(self, rows: np.ndarray) -> "Measured":
        """Some of the pictures, in the given order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def joined(self, other: "Measured") -> "Measured":
        """These pictures and then the others."""
        columns = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _COLUMNS}
        return Measured(
            **columns,
            bad=self.bad + other.bad,
            decode_seconds=self.decode_seconds + other.decode_seconds,
            seconds=self.seconds + other.seconds,
        )

    @property
    def rate(self) -> float:
        """Images a second and core of the whole pass."""
        return int(self.readable.sum()) / max(self.seconds, 1e-9)

    @property
    def decode_rate(self) -> float:
        """Images a second and core of decoding alone, in the same pass."""
        return int(self.readable.sum()) / max(self.decode_seconds, 1e-9)


_COLUMNS = tuple(
    name for name in Measured.__annotations__ if name not in ("bad", "decode_seconds", "seconds")
)


class _Seen(NamedTuple):
    height: int
    width: int
    file_bytes: int
    header: Header
    misnamed: bool
    constant: bool
    appearance: Appearance


def measure_pictures(
    table: Table,
    channels: int,
    max_value: float | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Decode every picture of the table once and keep its statistics.

    Memory: about 450 bytes a picture, whatever its size; a slow consumer holds the threads back.

    Args:
        table: N rows.
        channels, max_value: as `decode_image`.
        threads: pictures at a time; OpenCV releases Python's lock.
        progress: called with (pictures done, N) after each.

    >>> table = Table(np.array(["7"]), np.array([[b"/nowhere/7.png"]]), None)
    >>> measured = measure_pictures(table, channels=3)
    >>> measured.readable.tolist(), measured.bad[0].id
    ([False], '7')
    """
    found = _empty(len(table), channels)
    bad: list[BadImage] = []
    decoding = spent = 0.0

    def look(row: int) -> tuple[_Seen | str, float, float]:
        return _look([os.fsdecode(name) for name in table.files[row]], channels, max_value)

    block = IN_FLIGHT * max(1, threads)
    with ThreadPool(max(1, threads)) as pool:
        for start in range(0, len(table), block):
            rows: list[int] = []
            seen: list[_Seen] = []
            for row, (one, decode, whole) in enumerate(
                pool.imap(look, range(start, min(start + block, len(table))), chunksize=4), start
            ):
                decoding, spent = decoding + decode, spent + whole
                if isinstance(one, str):
                    files = " + ".join(os.fsdecode(name) for name in table.files[row])
                    bad.append(BadImage(str(table.ids[row]), files, one))
                else:
                    rows.append(row)
                    seen.append(one)
                if progress is not None:
                    progress(row + 1, len(table))
            begun = time.thread_time()
            _store(found, rows, seen)
            spent += time.thread_time() - begun
    return Measured(**found, bad=bad, decode_seconds=decoding, seconds=spent)


def _look(files: list[str], channels: int, max_value: float | None) -> tuple[_Seen | str, float, float]:
    """What one row's picture looks like or why it cannot be read, and processor seconds of decoding and of all."""
    start = time.thread_time()
    try:
        image = decode_image(files, channels, deep=False, max_value=max_value)
        decoded = time.thread_time()
        header, size = read_file_header(files[0])
        size += sum(os.path.getsize(file) for file in files[1:])
    except (ValueError, OSError) as error:
        return str(error), 0.0, 0.0
    appearance = describe_appearance(image)
    # only an even copy is worth the look at every pixel
    several = image.shape[0] * image.shape[1] > 1
    constant = several and appearance.contrast < FLAT and bool((image == image[:1, :1]).all())
    misnamed = is_misnamed(files[0], header.format)
    seen = _Seen(image.shape[0], image.shape[1], size, header, misnamed, constant, appearance)
    return seen, decoded - start, time.thread_time() - start


def _empty(rows: int, channels: int) -> dict[str, np.ndarray]:
    return {
        "readable": np.zeros(rows, bool),
        "height": np.zeros(rows, np.int32),
        "width": np.zeros(rows, np.int32),
        "file_bytes": np.zeros(rows, np.int64),
        "formats": np.full(rows, "unknown", dtype="U8"),
        "bits": np.zeros(rows, np.int16),
        "stored_channels": np.zeros(rows, np.int16),
        "orientation": np.zeros(rows, np.int16),
        "quantisation": np.zeros(rows, np.float32),
        "metadata_bytes": np.zeros(rows, np.int32),
        "metadata": np.zeros(rows, np.uint32),
        "has_alpha": np.zeros(rows, bool),
        "is_animated": np.zeros(rows, bool),
        "misnamed": np.zeros(rows, bool),
        "constant": np.zeros(rows, bool),
        "mean": np.zeros((rows, channels), np.float32),
        "std": np.zeros((rows, channels), np.float32),
        "border": np.zeros((rows, channels), np.float32),
        "brightness": np.zeros(rows, np.float32),
        "contrast": np.zeros(rows, np.float32),
        "sharpness": np.zeros(rows, np.float32),
        "phash": np.zeros(rows, np.uint64),
        "mirrored": np.zeros(rows, np.uint64),
        "thumbnails": np.zeros((rows, THUMBNAIL_PX, THUMBNAIL_PX), np.uint8),
    }


def _store(found: dict[str, np.ndarray], rows: list[int], seen: list[_Seen]) -> None:
    """Put what was seen of some rows into the columns, and what is cheaper for many pictures at a time."""
    if not rows:
        return
    columns = {name: [getattr(one, name) for one in seen] for name in ("height", "width", "file_bytes")}
    columns |= {name: [getattr(one, name) for one in seen] for name in ("misnamed", "constant")}
    columns |= {name: [getattr(one.header, name) for one in seen] for name in OF_HEADER}
    columns |= {name: [getattr(one.appearance, name) for one in seen] for name in OF_APPEARANCE}
    columns |= {"formats": [one.header.format for one in seen], "readable": [True] * len(seen)}
    columns |= {"stored_channels": [one.header.channels for one in seen]}
    for name, values in columns.items():
        found[name][rows] = values
    lows = np.stack([one.appearance.low for one in seen])
    found["phash"][rows], found["mirrored"][rows] = perceptual_hashes(lows)
    found["thumbnails"][rows] = thumbnails(lows)
