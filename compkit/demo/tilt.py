"""tilt: by how many degrees is the digit turned? A number, on 32x32 pictures."""

import math

import numpy as np
import pandas as pd

from compkit.demo.contest import Contest, below, draws, shuffled, zero_padded_ids
from compkit.demo.source import load_source, split_source

SEED = 3
TRAIN, TEST = 1600, 400
UPRIGHT = (2, 3, 4, 5, 7)  # digits that show where up is; people slant a 1, and a 0 or 8 is nearly round
LARGEST = 450  # tenths of a degree, to both sides
SIDE = 32  # pixels
SCALE = 3  # pixels of the picture per pixel of the source
ONE = 1 << 16  # 1.0 in fixed point


def make_tilt() -> Contest:
    """1600 training and 400 test pictures; angles from -45 to 45 degrees, positive is counter-clockwise.

    The column `source` of train.csv names the digit that was turned, which occurs at several angles: an
    honest validation keeps them together, as the test pictures are made of other digits.
    """
    sources, digits = load_source()
    train, test = (rows[np.isin(digits[rows], UPRIGHT)] for rows in split_source(digits))
    rng = draws(SEED)
    train_ids, test_ids = zero_padded_ids(rng, TRAIN, TEST)
    train_rows, test_rows = np.resize(train, TRAIN), np.resize(test, TEST)  # each again and again
    train_rows, test_rows = train_rows[shuffled(rng, TRAIN)], test_rows[shuffled(rng, TEST)]
    tenths = [below(rng, 2 * LARGEST + 1) - LARGEST for _ in range(TRAIN + TEST)]
    pictures = [
        turn(sources[row], angle) for row, angle in zip([*train_rows, *test_rows], tenths, strict=True)
    ]
    angles = [f"{angle / 10:.1f}" for angle in tenths]
    return Contest(
        train=pd.DataFrame(
            {"id": train_ids, "angle": angles[:TRAIN], "source": [f"{row:04d}" for row in train_rows]}
        ),
        solution=pd.DataFrame({"id": test_ids, "angle": angles[TRAIN:]}),
        images=dict(zip(train_ids + test_ids, pictures, strict=True)),
        placeholder="0.0",
    )


def turn(source: np.ndarray, tenths: int) -> np.ndarray:
    """A digit enlarged threefold and turned counter-clockwise, black around, with bilinear interpolation.

    All arithmetic is on whole numbers, so every machine makes the same pixels; only sine and cosine are
    floats, and they are rounded to 1/65536.

    Args:
        source: uint8 [8, 8].
        tenths: tenths of a degree.

    Returns:
        uint8 [32, 32].
    """
    cos, sin = (round(function(math.radians(tenths / 10)) * ONE / SCALE) for function in (math.cos, math.sin))
    # twice the distance from the centre, which lies between pixels: coordinates are in 1 / (2 ONE) pixels
    offset = 2 * np.arange(SIDE) - (SIDE - 1)
    right, down = offset[None, :], offset[:, None]
    centre = (len(source) - 1) * ONE
    x, y = right * cos - down * sin + centre, right * sin + down * cos + centre
    (left, to_right), (top, to_bottom) = (np.divmod(place, 2 * ONE) for place in (x, y))
    padded = np.pad(source.astype(np.int64), 1)  # everything outside is the black border

    def pixels(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        last = len(padded) - 1
        return padded[np.clip(rows + 1, 0, last), np.clip(columns + 1, 0, last)]

    upper = pixels(top, left) * (2 * ONE - to_right) + pixels(top, left + 1) * to_right
    lower = pixels(top + 1, left) * (2 * ONE - to_right) + pixels(top + 1, left + 1) * to_right
    total = upper * (2 * ONE - to_bottom) + lower * to_bottom
    return ((total + 2 * ONE * ONE) // (4 * ONE * ONE)).astype(np.uint8)


def parse_angle(cell: str) -> float:
    """The number in a cell.

    >>> parse_angle("-12.5")
    -12.5
    """
    try:
        angle = float(cell)
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        raise ValueError(f"got {cell!r}; expected a finite number of degrees")
    return angle


def rmse(solution: list[float], submission: list[float]) -> float:
    """Root of the mean squared error, in degrees.

    >>> rmse([0.0, 0.0], [3.0, 3.0])
    3.0
    """
    squares = [(truth - given) ** 2 for truth, given in zip(solution, submission, strict=True)]
    return math.sqrt(math.fsum(squares) / len(squares))
