"""How fast pictures are looked at before training, next to decoding them alone, and what memory that takes."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from compkit.data import decode_image
from compkit.engine import Console
from compkit.files import atomic_path
from compkit.pictures import find_duplicates, measure_pictures
from compkit.types import Table

DIFFERENT = 2000  # files; more rows than that name them again
BLOCK = 500  # pictures that are decoded, and then looked at, in turn
SIDE_PX = 512
JPEG_QUALITY = 90  # files of some 70 kB, as cameras and competitions have


class Speed(NamedTuple):
    """What looking at pictures costs; rates in images a second of processor time, so for each core."""

    pictures: int
    rate: float
    decode_rate: float
    peak_mb: float  # of the process
    duplicates_seconds: float  # of the search for duplicates behind the pass

    @property
    def ratio(self) -> float:
        """Rate next to decoding alone; 1 would be an inspection that costs nothing."""
        return self.rate / self.decode_rate


def benchmark_inspection(pictures: Sequence[int], threads: int = 1) -> list[Speed]:
    """Print the rate of the decoding pass over JPEGs of 512 px, that of decoding alone, and the peak memory; on Linux.

    Args:
        pictures: rows of the table, each number in a process of its own; 20 000 take two minutes on a core.
        threads: pictures at a time.
    """
    with Console() as console, tempfile.TemporaryDirectory() as folder:
        console.say(f"writing {min(max(pictures), DIFFERENT)} JPEGs of {SIDE_PX} x {SIDE_PX}")
        write_pictures(Path(folder), min(max(pictures), DIFFERENT))
        speeds = []
        for number in pictures:
            # a new interpreter: a fork would start with this process's memory
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                speed = pool.submit(measure_speed, Path(folder), number, threads).result()
            speeds.append(speed)
            console.say(
                f"{number} pictures, {threads} thread(s): inspection {speed.rate:.0f} images/s a core, decoding alone "
                f"{speed.decode_rate:.0f}, ratio {speed.ratio:.3f}; duplicates {speed.duplicates_seconds:.1f} s; "
                f"peak {speed.peak_mb:.1f} MiB"
            )
        more = pictures[-1] - pictures[0]
        if more:
            growth = 1024 * (speeds[-1].peak_mb - speeds[0].peak_mb) / more
            console.say(f"memory: {growth:.2f} KiB a picture from the first to the last")
    return speeds


def measure_speed(folder: Path, pictures: int, threads: int) -> Speed:
    """Decode and look at the files of a folder block by block in turn, named again until there are so many rows."""
    table = table_of(folder, pictures)
    decode_seconds = seconds = 0.0
    measured = None
    _decode(table.take(np.arange(min(pictures, 50))), threads)  # warms up
    for start in range(0, pictures, BLOCK):
        part = table.take(np.arange(start, min(start + BLOCK, pictures)))
        begun = time.process_time()
        _decode(part, threads)
        decoded = time.process_time()
        seen = measure_pictures(part, channels=3, threads=threads)
        seconds += time.process_time() - decoded
        decode_seconds += decoded - begun
        measured = seen if measured is None else measured.joined(seen)
    assert measured is not None
    begun = time.process_time()
    find_duplicates(table.files, measured, None, channels=3)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return Speed(
        pictures,
        rate=pictures / seconds,
        decode_rate=pictures / decode_seconds,
        peak_mb=int(peak.split()[1]) / 1024,
        duplicates_seconds=time.process_time() - begun,
    )


def write_pictures(folder: Path, number: int) -> None:
    """So many different JPEGs of soft shapes with grain, 512 x 512 pixels."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 5, (2 * SIDE_PX, 2 * SIDE_PX, 3)).astype(np.int16)
    for row in range(number):
        seeds = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        soft = cv2.resize(seeds, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        top, left = rng.integers(0, SIDE_PX, 2)
        image = np.clip(soft + grain[top : top + SIDE_PX, left : left + SIDE_PX], 0, 255).astype(np.uint8)
        with atomic_path(folder / f"{row:05d}.jpg") as path:
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def table_of(folder: Path, pictures: int) -> Table:
    """So many rows on the files of a folder, which are named again where there are fewer."""
    files = np.array([[os.fsencode(path)] for path in sorted(folder.glob("*.jpg"))])
    rows = np.arange(pictures)
    return Table(rows.astype(str), files[rows % len(files)], None, pd.DataFrame(index=rows))


def _decode(table: Table, threads: int) -> None:
    def decode(row: int) -> None:
        decode_image([os.fsdecode(name) for name in table.files[row]], channels=3)

    with ThreadPool(threads) as pool:
        for _ in pool.imap(decode, range(len(table)), chunksize=4):
            pass
