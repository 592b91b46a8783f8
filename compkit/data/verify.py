"""Every image decoded once before training, so that a damaged one is found in minutes, not at night."""

import json
import os
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from compkit.data.decode import decode_image
from compkit.files import write_text
from compkit.privacy import without_home
from compkit.types import Table


class BadImage(NamedTuple):
    """An image that cannot be used, and why."""

    id: str
    file: str  # its files, when it has several, separated by " + "
    reason: str


Stamp = list[int]  # size in bytes and time of change in ns: equal while a file is unchanged


def find_bad_images(
    table: Table,
    channels: int,
    max_value: float | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    known: Path | None = None,
) -> list[BadImage]:
    """Images of the table that `decode_image` refuses: missing, damaged, of other channels or depth.

    Args:
        table: the images, N rows.
        channels, max_value: as `decode_image`.
        threads: images decoded at a time; OpenCV releases Python's lock.
        progress: called with (images done, N) after each image.
        known: JSON file that remembers the good images; they are not decoded again while size
            and time of change of their files stay the same. Written even when interrupted.

    Returns:
        The bad ones, in the order of the table.

    >>> import numpy as np
    >>> table = Table(np.array(["7"]), np.array([[b"/nowhere/7.png"]]), None)
    >>> find_bad_images(table, channels=3)[0].file
    '/nowhere/7.png'
    """
    good = _read_known(known, channels, max_value)

    def check(row: int) -> tuple[dict[str, Stamp], str]:
        files = [os.fsdecode(name) for name in table.files[row]]
        try:
            stamps = {file: _stamp(file) for file in files}
            if any(good.get(file) != stamp for file, stamp in stamps.items()):
                decode_image(files, channels, deep=False, max_value=max_value)
        except (ValueError, OSError) as error:
            return {}, str(error)
        return stamps, ""

    bad = []
    checked: dict[str, Stamp] = {}
    pool = ThreadPool(max(1, threads))
    try:
        for row, (stamps, reason) in enumerate(pool.imap(check, range(len(table)), chunksize=16)):
            checked |= stamps
            if reason:
                files = " + ".join(os.fsdecode(name) for name in table.files[row])
                bad.append(BadImage(str(table.ids[row]), files, reason))
            if progress is not None:
                progress(row + 1, len(table))
    finally:
        pool.terminate()
        pool.join()  # no thread goes on decoding behind the caller's back
        if known is not None and good | checked != good:
            _write_known(known, channels, max_value, good | checked)
    return bad


def _stamp(file: str) -> Stamp:
    status = os.stat(file)
    return [status.st_size, status.st_mtime_ns]


def _read_known(path: Path | None, channels: int, max_value: float | None) -> dict[str, Stamp]:
    """Good images of earlier runs by file; none when they were read with other settings."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    same = record.get("channels") == channels and record.get("max_value") == max_value
    return {os.path.expanduser(file): stamp for file, stamp in record["images"].items()} if same else {}


def _write_known(path: Path, channels: int, max_value: float | None, images: dict[str, Stamp]) -> None:
    images = {without_home(file): stamp for file, stamp in images.items()}
    write_text(path, json.dumps({"channels": channels, "max_value": max_value, "images": images}))
