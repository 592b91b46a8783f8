"""mosaic: which digits are in the picture? Any of ten labels, on 32x32 pictures of one to four digits."""

import numpy as np
import pandas as pd

from compkit.demo.contest import DIGITS, Contest, below, draws, shuffled, zero_padded_ids
from compkit.demo.source import load_source, split_source

SEED = 2
TRAIN, TEST = 1600, 400
SHEETS = 40  # of training digits; the pictures of one sheet share digits, no others do
CELL = 16  # pixels; a picture has 2x2 cells, a digit lies somewhere in its cell


def make_mosaic() -> Contest:
    """1600 training and 400 test pictures, labels separated by spaces.

    The column `sheet` of train.csv says which pictures share digits: an honest validation keeps a
    sheet together, as the test pictures are made of digits that occur in no training picture.
    """
    sources, digits = load_source()
    train, test = split_source(digits)
    rng = draws(SEED)
    train_ids, test_ids = zero_padded_ids(rng, TRAIN, TEST)
    sheets = np.array_split(train, SHEETS)
    sheet = [below(rng, SHEETS) for _ in range(TRAIN)]
    pools = [sheets[number] for number in sheet] + [test] * TEST
    pictures, labels = zip(*(compose_mosaic(sources, digits, pool, rng) for pool in pools), strict=True)
    return Contest(
        train=pd.DataFrame({"id": train_ids, "labels": labels[:TRAIN], "sheet": [f"{n:02d}" for n in sheet]}),
        solution=pd.DataFrame({"id": test_ids, "labels": labels[TRAIN:]}),
        images=dict(zip(train_ids + test_ids, pictures, strict=True)),
        placeholder="0",
    )


def compose_mosaic(
    sources: np.ndarray, digits: np.ndarray, pool: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """One picture of one to four digits that do not overlap.

    Args:
        sources: pictures of digits, uint8 [S, 8, 8].
        digits: the digit of each, int [S].
        pool: rows to choose from, with repetition, [P].
        rng: where, which and how many.

    Returns:
        The picture, uint8 [32, 32], and its digits in order, such as "0 3 7", each named once.
    """
    picture = np.zeros((2 * CELL, 2 * CELL), dtype=np.uint8)
    shown = set()
    size = sources.shape[-1]
    for cell in shuffled(rng, 4)[: 1 + below(rng, 4)]:
        row = pool[below(rng, len(pool))]
        top = CELL * (cell // 2) + below(rng, CELL - size + 1)
        left = CELL * (cell % 2) + below(rng, CELL - size + 1)
        picture[top : top + size, left : left + size] = sources[row]
        shown.add(str(digits[row]))
    return picture, " ".join(sorted(shown))


def parse_labels(cell: str) -> frozenset[str]:
    """The labels in a cell; an empty one has none.

    >>> sorted(parse_labels("3 1"))
    ['1', '3']
    """
    labels = cell.split()
    if not set(labels) <= set(DIGITS) or len(set(labels)) < len(labels):
        raise ValueError(f"got {cell!r}; expected digits from 0 to 9, each at most once, separated by spaces")
    return frozenset(labels)


def f1_samples(solution: list[frozenset[str]], submission: list[frozenset[str]]) -> float:
    """Mean over pictures of 2 * right / (labels there are + labels given); 0 where none is right.

    >>> f1_samples([frozenset("12"), frozenset("3")], [frozenset("1"), frozenset("3")])
    0.8333333333333333
    """
    each = [
        2 * len(truth & given) / max(len(truth) + len(given), 1)
        for truth, given in zip(solution, submission, strict=True)
    ]
    return sum(each) / len(each)
