"""What the cells of one column could mean as labels: names, sets of names, grades, numbers, masks, boxes."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from compkit.layout.tables import Column

SEPARATORS = ("|", ";", ", ", ",", " ")
LOOKED_AT = 20_000  # distinct cells; sets of labels have few
FEW_GRADES = 30


class SetForm(NamedTuple):
    """Cells that hold several names.

    Attributes:
        separator: between the names.
        classes: the names, sorted.
        empty_token: a cell that stands alone wherever it stands, and so probably means "none"; "" if there is none.
        is_sure: the cells allow no other reading.
    """

    separator: str
    classes: list[str]
    empty_token: str
    is_sure: bool


def set_form(column: Column, wanted: Collection[str] = ()) -> SetForm | None:
    """How a column's cells are split into several names; None when each is one name.

    Names of several words and sets of names look alike. Sets show by names that stand alone in some cells and together
    in others, and by more combinations than names.

    Args:
        column: the labels.
        wanted: the classes that the sample submission names, which settle the question.

    >>> import pandas as pd
    >>> set_form(Column("x", pd.Series(["a b", "a", "b c", "c"]))).classes
    ['a', 'b', 'c']
    >>> set_form(Column("x", pd.Series(["red fox", "red deer", "otter"]))) is None
    True
    """
    cells = [cell.strip() for cell in column.distinct[:LOOKED_AT]]
    if column.is_number or set(cells) <= set(wanted):
        return None
    for separator in SEPARATORS:
        rows = [[part.strip() for part in cell.split(separator) if part.strip()] for cell in cells]
        if max(map(len, rows), default=0) < 2:
            continue
        atoms = _atoms(cells, rows, wanted)
        sets = [[cell] if cell in atoms else row for cell, row in zip(cells, rows, strict=True)]
        form = _judge(sets, atoms, separator, wanted)
        if form is not None:
            return form
    return None


def _atoms(cells: Sequence[str], rows: Sequence[Sequence[str]], wanted: Collection[str]) -> set[str]:
    """Cells of several words of which none stands anywhere else: `no finding`."""
    counts = Counter(name for row in rows for name in set(row))
    return {
        cell
        for cell, row in zip(cells, rows, strict=True)
        if len(row) > 1 and not set(row) & set(wanted) and all(counts[name] == 1 for name in row)
    }


def _judge(
    sets: Sequence[Sequence[str]], atoms: set[str], separator: str, wanted: Collection[str]
) -> SetForm | None:
    """Whether cells split like this are sets of names."""
    counts = Counter(name for row in sets for name in row)
    several = [row for row in sets if len(row) > 1]
    if not several or any(len(set(row)) < len(row) for row in sets):
        return None
    together = {name for row in several for name in row}
    alone = {row[0] for row in sets if len(row) == 1}
    recombined = np.mean([count > 1 for count in counts.values()])
    known = bool(wanted) and set(counts) - alone | together <= set(wanted)
    lonely = sorted(alone - together - set(wanted))
    empty = lonely[0] if len(lonely) == 1 and together & alone and len(together) > 1 else ""
    is_sure = known or bool(len(alone & together) >= len(together) / 2 and recombined >= 0.5)
    if not is_sure and (len(sets) <= len(counts) or recombined < 0.4) and separator in (" ", ", ", ","):
        return None  # as many names as cells: names of several words
    return SetForm(separator, sorted(counts), empty, is_sure)


def is_run_lengths(column: Column) -> bool:
    """Whether cells are masks as run lengths: pairs of start and length, starts rising.

    >>> import pandas as pd
    >>> is_run_lengths(Column("x", pd.Series(["1 3 10 5", "", "7 2 20 4 31 1"])))
    True
    """
    rows = [_whole_numbers(cell) for cell in column.distinct[:200]]
    longer = [row for row in rows if len(row) >= 4]
    if len(longer) < max(1, 0.5 * len(rows)):
        return False
    return all(
        len(row) % 2 == 0 and all(low < high for low, high in zip(row[::2], row[2::2], strict=False))
        for row in longer
    )


def is_boxes(column: Column) -> bool:
    """Whether cells are boxes: `[34, 50, 20, 20]`, or groups of class, confidence and four numbers.

    >>> import pandas as pd
    >>> is_boxes(Column("x", pd.Series(["[34.0, 5.0, 20.0, 21.0]", "[3, 5, 20, 21]"])))
    True
    """
    cells = column.distinct[:200]
    bracketed = [cell for cell in cells if re.fullmatch(r"[\[(\s]*(-?[\d.]+[,\s]+){3}-?[\d.]+[\])\s]*", cell)]
    if len(cells) and len(bracketed) == len(cells):
        return True
    groups = [re.findall(r"-?\d+(?:\.\d+)?", cell) for cell in cells]
    return bool(cells) and all(
        len(group) in (5, 6, 10, 12, 15, 18) and re.fullmatch(r"[\w\s.\-]+", cell) is not None
        for group, cell in zip(groups, cells, strict=True)
    )


def _whole_numbers(cell: str) -> list[int]:
    parts = cell.split()
    return [int(part) for part in parts] if all(part.isdigit() and len(part) < 10 for part in parts) else []


def is_fraction(column: Column) -> bool:
    """Numbers from 0 to 1, some of them between: probabilities.

    >>> import pandas as pd
    >>> is_fraction(Column("x", pd.Series(["0.5", "0.5"]))), is_fraction(Column("x", pd.Series(["0", "1"])))
    (True, False)
    """
    numbers = column.numbers
    return (
        numbers is not None
        and bool(((numbers >= 0) & (numbers <= 1)).all())
        and bool((numbers % 1 != 0).any())
    )


def is_contiguous(column: Column) -> bool:
    """Whole numbers without a gap from 0 or 1 on, as classes are numbered.

    >>> import pandas as pd
    >>> is_contiguous(Column("x", pd.Series(["2", "0", "1"])))
    True
    """
    if not column.is_whole:
        return False
    numbers = np.unique(column.numbers)  # type: ignore[arg-type]
    return bool(numbers[0] in (0, 1) and len(numbers) == numbers[-1] - numbers[0] + 1)
