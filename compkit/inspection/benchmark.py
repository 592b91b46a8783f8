"""How fast pictures are inspected, next to decoding them alone, and what memory that takes."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from compkit.engine import Console
from compkit.files import atomic_path
from compkit.inspection.duplicates import find_duplicates
from compkit.inspection.measure import Measured, measure_pictures
from compkit.types import Table

DIFFERENT = 200  # files; more rows than that name them again
SIDE_PX = 512
JPEG_QUALITY = 92  # files of some 80 kB, as cameras and competitions have


class Speed(NamedTuple):
    """What an inspection costs; rates in images a second and core."""

    rate: float
    decode_rate: float
    growth_mb: float  # of the process's memory while it looked, beyond the first pictures

    @property
    def ratio(self) -> float:
        """Rate next to decoding alone, in the same pass; 1 would be an inspection that costs nothing."""
        return self.rate / self.decode_rate


def benchmark_inspection(pictures: int, threads: int = 1) -> Speed:
    """Print the rate of the decoding pass over so many JPEGs of 512 px, that of decoding alone, and the memory.

    Args:
        pictures: rows of the table; 20 000 take a minute on a core.
        threads: decoding at a time; rates are for each core.
    """
    with Console() as console, tempfile.TemporaryDirectory() as folder:
        table = made_up_table(Path(folder), pictures)
        measure_pictures(table.take(np.arange(min(pictures, DIFFERENT))), 3, threads=threads)  # warms up
        before = _resident_mb()
        measured = measure_pictures(table, 3, threads=threads)
        speed = Speed(measured.rate, measured.decode_rate, _resident_mb() - before)
        console.say(
            f"{pictures} JPEGs of {SIDE_PX} x {SIDE_PX}: inspection {speed.rate:.0f} images/s a core, decoding alone "
            f"{speed.decode_rate:.0f}, ratio {speed.ratio:.3f}; memory grew by {speed.growth_mb:.1f} MB"
        )
        groups = len(np.unique(find_duplicates(*_first(table, measured), None, channels=3).groups))
        console.say(
            f"{min(pictures, DIFFERENT)} different pictures: {groups} groups of duplicates, each alone"
        )
    return speed


def made_up_table(folder: Path, pictures: int) -> Table:
    """So many rows on 200 JPEGs of soft shapes with grain, 512 x 512 pixels."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(min(pictures, DIFFERENT)):
        soft = cv2.resize(
            rng.integers(0, 256, (24, 24, 3), dtype=np.uint8),
            (SIDE_PX, SIDE_PX),
            interpolation=cv2.INTER_CUBIC,
        )
        grain = rng.normal(0, 5, soft.shape)
        with atomic_path(folder / f"{number}.jpg") as path:
            image = np.clip(soft + grain, 0, 255).astype(np.uint8)
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        files.append([os.fsencode(folder / f"{number}.jpg")])
    rows = np.arange(pictures)
    return Table(rows.astype(str), np.array(files)[rows % len(files)], None, pd.DataFrame(index=rows))


def _first(table: Table, measured: Measured) -> tuple[np.ndarray, Measured]:
    """Files and measurements of the rows that name a file for the first time."""
    rows = np.arange(min(len(table), DIFFERENT))
    return table.files[rows], measured.take(rows)


def _resident_mb() -> float:
    """Memory of this process now; on Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
