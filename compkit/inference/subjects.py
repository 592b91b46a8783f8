"""What is said of a subject that several images show: the mean of what is said of each, or the largest."""

from collections.abc import Iterable, Iterator

import numpy as np

from compkit.types import Predictions


def first_rows(subjects: np.ndarray) -> np.ndarray:
    """The first row of each subject, int64 [S]; equal subjects stand side by side.

    >>> first_rows(np.array(["b", "b", "a"])).tolist()
    [0, 2]
    """
    return np.flatnonzero(np.r_[True, subjects[1:] != subjects[:-1]][: len(subjects)])


def average_rows(values: np.ndarray, subjects: np.ndarray, how: str) -> np.ndarray:
    """The mean (taken in float64), or the maximum, of each subject's rows.

    Args:
        values: float32 [N, C].
        subjects: str [N], equal ones side by side.
        how: mean or max.

    Returns:
        float32 [S, C], in the order of the subjects.

    >>> average_rows(np.float32([[1], [2], [5]]), np.array(["b", "b", "a"]), "mean").tolist()
    [[1.5], [5.0]]
    """
    first = first_rows(subjects)
    if not len(first):
        return values
    if how == "max":
        return np.maximum.reduceat(values, first, axis=0)
    counts = np.diff(np.r_[first, len(subjects)])
    sums = np.add.reduceat(values.astype(np.float64), first, axis=0)
    return (sums / counts[:, None]).astype(values.dtype)


def per_subject(
    targets: np.ndarray, values: np.ndarray, subjects: np.ndarray | None, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of subjects from those of their images; without subjects what was given.

    Args:
        targets: int64 [N], or float [N, C]; equal for all images of a subject.
        values: float32 [N, C].
        subjects: str [N], equal ones side by side, or None.
        how: mean or max.
    """
    if subjects is None:
        return targets, values
    return targets[first_rows(subjects)], average_rows(values, subjects, how)


def of_subjects(one: Predictions, how: str) -> Predictions:
    """Predictions of subjects from those of all their images; without subjects as they are.

    >>> one = Predictions(np.array(["1", "2"]), np.float32([[0.5], [1]]), np.array(["a", "a"]))
    >>> of_subjects(one, "max")
    Predictions(ids=array(['a'], dtype='<U1'), values=array([[1.]], dtype=float32), subjects=None)
    """
    if one.subjects is None:
        return one
    return Predictions(one.subjects[first_rows(one.subjects)], average_rows(one.values, one.subjects, how))


def average_subjects(parts: Iterable[Predictions], how: str) -> Iterator[Predictions]:
    """As `of_subjects`, of predictions that come in parts; a subject may straddle them.

    Only a part and the images of one subject are in memory.

    >>> parts = [
    ...     Predictions(np.array(["1", "2"]), np.float32([[0.5], [0.25]]), np.array(["a", "b"])),
    ...     Predictions(np.array(["3"]), np.float32([[0.75]]), np.array(["b"])),
    ... ]
    >>> [(part.ids.tolist(), part.values.tolist()) for part in average_subjects(parts, "mean")]
    [(['a'], [[0.5]]), (['b'], [[0.5]])]
    """
    held: Predictions | None = None  # the images of the last subject, of which more may come
    for part in parts:
        if part.subjects is None:
            yield part
            continue
        held = part if held is None else _join(held, part)
        assert held.subjects is not None
        last = first_rows(held.subjects)[-1]
        if last:
            yield of_subjects(_rows(held, slice(None, last)), how)
        held = _rows(held, slice(last, None))
    if held is not None:
        yield of_subjects(held, how)


def _join(one: Predictions, other: Predictions) -> Predictions:
    assert one.subjects is not None and other.subjects is not None
    return Predictions(
        np.concatenate([one.ids, other.ids]),
        np.concatenate([one.values, other.values]),
        np.concatenate([one.subjects, other.subjects]),
    )


def _rows(one: Predictions, rows: slice) -> Predictions:
    assert one.subjects is not None
    return Predictions(one.ids[rows], one.values[rows], one.subjects[rows])
