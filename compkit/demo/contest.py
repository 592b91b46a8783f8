"""What an embedded competition consists of, and the random draws and ids all of them use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

DIGITS = tuple("0123456789")


class Contest(NamedTuple):
    """The content of a competition before it is written, every cell of its tables a string."""

    train: pd.DataFrame  # id, target, and perhaps a column of groups; [N]
    solution: pd.DataFrame  # id, target; [M]
    images: dict[str, np.ndarray]  # id -> uint8 [H, W], of train and test
    placeholder: str  # prediction that the sample submission shows


@dataclass(frozen=True)
class Embedded:
    """How a competition is made and how its submissions are scored."""

    make: Callable[[], Contest]
    target: str  # column that is predicted
    parse: Callable[[str], Any]  # a cell of that column to its value; ValueError says what was expected
    metric: str
    score: Callable[[list[Any], list[Any]], float]  # solution, submission, in the same order


def draws(seed: int) -> np.random.Generator:
    """A generator of which only `random()` is used: NumPy may change how the others draw.

    >>> round(draws(0).random(), 6)
    0.636962
    """
    return np.random.Generator(np.random.PCG64(seed))


def below(rng: np.random.Generator, limit: int) -> int:
    """A random whole number >= 0 and < limit.

    >>> rng = draws(0)
    >>> [below(rng, 10) for _ in range(5)]
    [6, 2, 0, 0, 8]
    """
    return int(rng.random() * limit)


def shuffled(rng: np.random.Generator, count: int) -> np.ndarray:
    """0 to count - 1 in random order, int64 [count].

    >>> shuffled(draws(0), 5)
    array([3, 2, 1, 0, 4])
    """
    return np.argsort(rng.random(count), kind="stable")


def zero_padded_ids(rng: np.random.Generator, train: int, test: int) -> tuple[list[str], list[str]]:
    """Ids of training and test pictures, sorted, drawn from one sequence so that a number tells nothing.

    Their leading zeros are a trap on purpose: read as numbers, the ids no longer name the files.

    >>> zero_padded_ids(draws(0), train=3, test=2)
    (['00001', '00002', '00003'], ['00000', '00004'])
    """
    order = shuffled(rng, train + test)
    return [f"{n:05d}" for n in sorted(order[:train])], [f"{n:05d}" for n in sorted(order[train:])]
