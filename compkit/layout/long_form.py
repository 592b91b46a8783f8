"""Tables with a row for each image and class: `ID_1_cat,0.5`, or the class in a column of its own."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import pandas as pd

from compkit.layout.tables import Source

JOINTS = ("__", "_", "-", "|", ":", "/", ".", " ", "#", "@", "+")
TRIED = 400  # cells of which a split is judged before all are


class LongForm(NamedTuple):
    """How rows of images and classes are written.

    Attributes:
        ids: the image of each row.
        classes: the different classes, in the order of appearance.
        pattern: what a cell of the id column holds, `{id}` when the class has its own column.
        class_column: that column; None when the class stands in the id.
    """

    ids: pd.Series
    classes: list[str]
    pattern: str
    class_column: str | None


def split_cells(
    cells: pd.Series, is_image: Callable[[str], bool], known: Collection[str] = ()
) -> LongForm | None:
    """Take ids apart that hold the class too, where all images have the same classes.

    Args:
        cells: the ids, all different.
        is_image: whether a text names an image or subject.
        known: names of classes, which may hold the joint themselves.

    >>> form = split_cells(pd.Series(["a_1_cat", "a_1_big_dog", "a_2_cat", "a_2_big_dog"]), {"a_1", "a_2"}.__contains__)
    >>> form.pattern, form.classes
    ('{id}_{class}', ['cat', 'big_dog'])
    """
    if not len(cells):
        return None
    best: tuple[float, LongForm] | None = None
    for joint in JOINTS:
        first = cells.iloc[0].split(joint)
        for head in range(1, len(first)):
            for is_reversed in (False, True):
                form = _split_at(cells, joint, head, len(first) - head, is_reversed)
                if form is None:
                    continue
                ids = form.ids.drop_duplicates().head(50)
                score = sum(map(is_image, ids)) / len(ids) + 2 * (set(form.classes) <= set(known))
                if score > 0.5 and (best is None or score > best[0]):
                    best = score, form
    return best[1] if best else None


def _split_at(cells: pd.Series, joint: str, head: int, tail: int, is_reversed: bool) -> LongForm | None:
    """Split at a joint counted from one end; None unless every image has every class once.

    Counted from the left when the first part has always as many pieces, from the right when the second one has:
    either may hold the joint.
    """
    for place in (head, -tail):
        sample = pd.DataFrame(_parts(cells.head(TRIED), joint, place))
        if sample.isna().any(axis=None) or sample[0].nunique() == len(sample) == sample[1].nunique():
            continue
        sides = pd.DataFrame(_parts(cells, joint, place), index=cells.index)
        images, classes = (sides[1], sides[0]) if is_reversed else (sides[0], sides[1])
        count = classes.nunique()
        if sides.isna().any(axis=None) or min(count, images.nunique()) < 2:
            continue
        if count * images.nunique() != len(cells) or sides.duplicated().any():
            continue
        pattern = f"{{class}}{joint}{{id}}" if is_reversed else f"{{id}}{joint}{{class}}"
        return LongForm(images, classes.drop_duplicates().to_list(), pattern, None)
    return None


def _parts(cells: pd.Series, joint: str, place: int) -> list[tuple[str | None, str | None]]:
    """The two sides of the joint at a place, counted as a slice counts; None where a cell has too few."""
    sides: list[tuple[str | None, str | None]] = []
    for cell in cells:
        pieces = cell.split(joint)
        left, right = joint.join(pieces[:place]), joint.join(pieces[place:])
        sides.append((left, right) if left and right else (None, None))
    return sides


def split_known(cells: pd.Series, pattern: str, classes: Collection[str]) -> LongForm | None:
    """Take ids apart whose form and classes are known; None when a cell is of another form.

    >>> split_known(pd.Series(["a_1_cat", "a_1_big_dog"]), "{id}_{class}", ["cat", "big_dog"]).ids.to_list()
    ['a_1', 'a_1']
    """
    id_first = pattern.startswith("{id}")
    joint = pattern.removeprefix("{id}").removesuffix("{class}") if id_first else pattern[7:-4]
    marks = sorted(
        (f"{joint}{name}" if id_first else f"{name}{joint}" for name in classes), key=len, reverse=True
    )
    ids, found = [], []
    for cell in cells:
        mark = next(
            (one for one in marks if (cell.endswith(one) if id_first else cell.startswith(one))), None
        )
        if mark is None:
            return None
        ids.append(cell.removesuffix(mark) if id_first else cell.removeprefix(mark))
        found.append(mark.removeprefix(joint) if id_first else mark.removesuffix(joint))
    names = list(dict.fromkeys(found))
    return LongForm(pd.Series(ids, index=cells.index), names, pattern, None)


def class_column_form(source: Source, id_column: str) -> LongForm | None:
    """Rows of image, class and value: each image has each class once, in a column of few values.

    >>> frame = pd.DataFrame({"uid": list("aabb"), "kind": list("xyxy"), "value": list("0110")})
    >>> class_column_form(Source("t.csv", frame), "uid").class_column
    'kind'
    """
    ids = source.frame[id_column]
    images = ids.nunique()
    if images == len(ids):
        return None
    for column in source.others(id_column):
        count = len(column.distinct)
        if count < 2 or column.missing or count * images != len(ids):
            continue
        if not source.frame.duplicated([id_column, column.name]).any():
            return LongForm(ids, column.distinct, "{id}", column.name)
    return None
