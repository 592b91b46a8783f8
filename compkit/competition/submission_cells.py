"""Predictions as the cells of a submission, and whether cells can be what was asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.submission_format import FORMAT_KEY
from compkit.competition.submission_rows import Rows
from compkit.competition.table import first_few
from compkit.types import Limits

ROUNDING = 1e-5  # by which a float32 mean of probabilities may leave 0 to 1
SUM_TOLERANCE = 1e-3  # by which the probabilities of exclusive classes may miss a sum of 1


def number_cells(values: np.ndarray) -> list[str]:
    """Numbers [R] as text, with the fewest digits that read back as the same float32 and never as 1e-05.

    >>> number_cells(np.float32([0.1, 1e-5, 2]))
    ['0.1', '0.00001', '2']
    """
    return [np.format_float_positional(value, trim="-") for value in values.astype(np.float32)]


def ranking_cells(values: np.ndarray, names: Sequence[str], separator: str, top_k: int) -> list[str]:
    """The names of the largest values of each row [N, C], best first, equal ones in the order of the names.

    >>> ranking_cells(np.array([[0.1, 0.5, 0.4]]), ["cat", "dog", "elk"], " ", top_k=2)
    ['dog elk']
    """
    best = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
    return [separator.join(names[place] for place in row) for row in best.tolist()]


def joined_cells(values: np.ndarray, names: Sequence[str], separator: str, empty_token: str) -> list[str]:
    """The names whose values [N, C] are above 0.5, or the token where none is.

    >>> joined_cells(np.array([[0.9, 0.7], [0.1, 0.5]]), ["cat", "dog"], " ", "none")
    ['cat dog', 'none']
    """
    chosen = [[names[place] for place in np.flatnonzero(row > 0.5).tolist()] for row in values]
    return [separator.join(row) if row else empty_token for row in chosen]


def as_judged(values: np.ndarray, limits: Limits) -> np.ndarray:
    """Regression values as the metric takes them: rounded to whole ones, a half to the even one, and clipped.

    >>> as_judged(np.array([-1.2, 1.5, 7.0]), Limits(0, 4, whole=True))
    array([0., 2., 4.])
    """
    return (np.rint(values) if limits.whole else values).clip(limits.lowest, limits.highest)


def as_probabilities(probs: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Probabilities [N, C] without what rounding added: a float32 mean of ones may be 1.0000001.

    Raises:
        ValueError: values further outside 0 to 1, by their ids [N].
    """
    wrong = ((probs < -ROUNDING) | (probs > 1 + ROUNDING)).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"predictions: {wrong.sum()} ids have values outside 0 to 1: {first_few(ids[wrong].tolist())}; "
            f"expected probabilities. Apply softmax or sigmoid to logits first, or set {FORMAT_KEY}."
        )
    return probs.clip(0, 1)


def wrong_numbers(cells: pd.Series, format: str, limits: Limits) -> tuple[np.ndarray, str]:
    """Which cells are no such number, bool [R], and what was expected."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy("float64")
    if format == "probabilities":
        return ~((numbers >= 0) & (numbers <= 1)), "a probability from 0 to 1"
    wrong = ~np.isfinite(numbers) | (numbers < limits.lowest) | (numbers > limits.highest)
    if limits.whole:
        wrong |= numbers != np.rint(numbers)
    kind = "a whole number" if limits.whole else "a finite number"
    bounded = np.isfinite(limits.lowest) or np.isfinite(limits.highest)
    return wrong, kind + (f" from {limits.lowest:g} to {limits.highest:g}" if bounded else "")


def wrong_names(
    cells: pd.Series, names: Sequence[str], separator: str | None, empty_token: str | None
) -> tuple[np.ndarray, str]:
    """Which cells are not different names joined by the separator, bool [R], and what was expected.

    Args:
        cells: text, [R].
        names: of the classes.
        separator: None for a single name in each cell.
        empty_token: stands for no name at all; None where there has to be one.
    """
    if separator is None:
        return ~cells.isin(list(names)).to_numpy(), f"one of {first_few(names)}"
    known = set(names)
    rows = [[] if cell == empty_token else cell.split(separator) for cell in cells]
    wrong = [not known.issuperset(row) or len(set(row)) < len(row) for row in rows]
    return np.array(wrong), f"different names among {first_few(names)}, joined by {separator!r}"


def require_sums(probs: np.ndarray, rows: Rows, num_classes: int, path: Path) -> None:
    """Refuse probabilities of exclusive classes that do not sum to 1, wherever all classes are asked for.

    Args:
        probs: a column a class, [R, K], or a row for each id and class, [R, 1].
        rows: what the rows are about.
        num_classes: C.
        path: where they stand, for the message.

    Raises:
        ValueError: with the first id.
    """
    ids, sums = rows.ids, probs.sum(axis=1)
    if rows.places is not None:
        of_ids = pd.Series(sums).groupby(rows.ids, sort=False)
        whole = of_ids.sum()[of_ids.size() == num_classes]
        ids, sums = whole.index.to_numpy(dtype=str), whole.to_numpy()
    elif probs.shape[1] < num_classes:
        return
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        raise ValueError(
            f"{path}: the probabilities of {wrong.sum()} ids do not sum to 1, first those of id "
            f"{str(ids[wrong][0])!r}: {sums[wrong][0]:.6g}; the metric compares exclusive classes. Divide them by "
            "their sum, or predict again without what changes single classes."
        )
