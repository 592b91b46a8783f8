"""Which unlabelled pictures a round learns from, and whose labels they get."""

import hashlib

import numpy as np


def split_into_parts(ids: np.ndarray, parts: int, seed: int = 0) -> np.ndarray:
    """The part of each unlabelled picture, int64 [U], 0 to parts - 1.

    It hangs on the picture's id and the seed alone, so that another order or further pictures change nothing.

    >>> split_into_parts(np.array(["a.png", "b.png", "c.png", "d.png"]), parts=2).tolist()
    [0, 0, 1, 0]
    """
    digests = (hashlib.sha256(f"{seed}:{id}".encode()).digest() for id in ids)
    return np.array([int.from_bytes(digest[:8], "big") % parts for digest in digests], dtype=np.int64)


def teachers_of_rounds(rounds: int, parts: int) -> list[dict[int, int]]:
    """For each round the parts it learns from, and for each of these the round whose models label it.

    Round 0 is the run that pseudo-labelling starts from: it knows no part. Each round but the last learns from one
    part, in turn, labelled by the round before, which learnt from another. The last round learns from all parts;
    the one that the round before has learnt from keeps the labels of the round before that. So no model ever labels
    a picture it has learnt from: it would only repeat what it was told.

    Args:
        rounds: number of rounds, at least 1.
        parts: number of parts, at least 2.

    Returns:
        A dict for each of the rounds 1, 2, …: part -> number of an earlier round.

    >>> teachers_of_rounds(rounds=3, parts=2)
    [{0: 0}, {1: 1}, {0: 2, 1: 1}]
    """
    assert rounds >= 1 and parts >= 2
    learnt: list[list[int]] = [[]]  # parts that each round has learnt from
    teachers = []
    for number in range(1, rounds + 1):
        chosen = list(range(parts)) if number == rounds else [(number - 1) % parts]
        teachers.append(
            {part: max(one for one in range(number) if part not in learnt[one]) for part in chosen}
        )
        learnt.append(chosen)
    return teachers
