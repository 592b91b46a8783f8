"""digits: which digit is it? One of ten classes, the pictures as they are, 8x8."""

import pandas as pd

from compkit.demo.contest import DIGITS, Contest, draws, zero_padded_ids
from compkit.demo.source import load_source, split_source

SEED = 1


def make_digits() -> Contest:
    """1437 training and 360 test pictures, each of one digit."""
    sources, digits = load_source()
    train, test = split_source(digits)
    train_ids, test_ids = zero_padded_ids(draws(SEED), len(train), len(test))
    return Contest(
        train=pd.DataFrame({"id": train_ids, "label": digits[train].astype(str)}),
        solution=pd.DataFrame({"id": test_ids, "label": digits[test].astype(str)}),
        images=dict(zip(train_ids + test_ids, sources[[*train, *test]], strict=True)),
        placeholder="0",
    )


def parse_digit(cell: str) -> str:
    """The class in a cell.

    >>> parse_digit("7")
    '7'
    """
    if cell not in DIGITS:
        raise ValueError(f"got {cell!r}; expected one digit from 0 to 9")
    return cell


def accuracy(solution: list[str], submission: list[str]) -> float:
    """Share of the pictures whose class is right.

    >>> accuracy(["1", "2"], ["1", "3"])
    0.5
    """
    return sum(truth == given for truth, given in zip(solution, submission, strict=True)) / len(solution)
