"""How the rows of a table that may be the sample submission are written: its ids, and what it asks for each."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pandas as pd

from compkit.layout.long_form import class_column_form, split_cells
from compkit.layout.tables import Column, Source


@dataclass
class SampleForm:
    """A table read as a sample submission.

    Attributes:
        source: the table.
        id_column: says what a row is about.
        ids: the different images or subjects, in their order.
        names: what is asked for each: its value columns, or the classes of the long form.
        pattern: what a cell of the id column holds.
        class_column: of the long form that has one.
    """

    source: Source
    id_column: str
    ids: pd.Series
    names: list[str]
    pattern: str = "{id}"
    class_column: str | None = None

    @property
    def is_long(self) -> bool:
        """A row for each image and class."""
        return self.class_column is not None or "{class}" in self.pattern

    @property
    def values(self) -> list[Column]:
        """The columns to fill."""
        return self.source.others(self.id_column, self.class_column)

    @property
    def is_dummy(self) -> bool:
        """The columns to fill say the same in every row, as only a sample does."""
        return len(self.source) > 1 and all(len(column.distinct) <= 1 for column in self.values)


def read_form(
    source: Source,
    is_id: Callable[[str], bool],
    known: Collection[str] = (),
    is_picture: Callable[[str], bool] | None = None,
    wholes: Collection[str] = (),
) -> SampleForm | None:
    """Read a table as a sample submission; None when it cannot be one.

    Args:
        source: the table.
        is_id: whether a text names a picture, a folder of pictures, or a row of another table.
        known: names that may be classes, which tell where an id ends.
        is_picture: whether a text names a picture or a folder of pictures; None: as is_id.
        wholes: texts that stand for a subject or a picture in another table, and so hold no class.

    >>> frame = pd.DataFrame({"row": ["1_cat", "1_dog", "2_cat", "2_dog"], "value": ["0"] * 4})
    >>> form = read_form(Source("s.csv", frame), {"1", "2"}.__contains__)
    >>> form.pattern, form.ids.to_list(), form.names
    ('{id}_{class}', ['1', '2'], ['cat', 'dog'])
    """
    if len(source.names) < 2:
        return None
    unique = [name for name in source.names if source.column(name).is_unique]
    plain = max(unique, key=lambda name: _share(source.column(name), is_id), default=None)
    if plain is not None and _share(source.column(plain), is_picture or is_id) >= 0.5:
        return _wide(source, plain)
    if plain is not None and _share(source.column(plain), wholes.__contains__) >= 0.5:
        return _wide(source, plain)
    is_whole = plain is not None and _share(source.column(plain), is_id) >= 0.5
    for name in unique if len(source.names) == 2 else ():
        form = split_cells(source.frame[name], is_id, known)
        # ids that another table has as they are hold a class only where it is known
        if form is not None and (not is_whole or set(form.classes) <= set(known)):
            return SampleForm(source, name, form.ids.drop_duplicates(), form.classes, form.pattern)
    if plain is not None and is_whole:
        return _wide(source, plain)
    repeated = [name for name in source.names if not source.column(name).is_constant and name not in unique]
    for name in sorted(repeated, key=lambda name: -_share(source.column(name), is_id)):
        form = class_column_form(source, name)
        if form is not None and len(source.names) == 3 and _share(source.column(name), is_id) >= 0.5:
            ids = form.ids.drop_duplicates()
            return SampleForm(source, name, ids, form.classes, class_column=form.class_column)
    return _wide(source, plain) if plain is not None else None


def _wide(source: Source, id_column: str) -> SampleForm:
    names = [name for name in source.names if name != id_column]
    return SampleForm(source, id_column, source.frame[id_column], names)


def _share(column: Column, is_id: Callable[[str], bool]) -> float:
    """Part of the first cells that name something."""
    cells = column.distinct[:200]
    return sum(map(is_id, cells)) / max(1, len(cells))
