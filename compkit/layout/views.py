"""Tables whose rows have pictures, with the columns that further tables add to them."""

from dataclasses import dataclass, field

import pandas as pd

from compkit.layout.hits import Pattern
from compkit.layout.ids import find_patterns
from compkit.layout.labels import is_boxes, is_run_lengths
from compkit.layout.long_form import LongForm, class_column_form, split_cells
from compkit.layout.pictures import Pictures
from compkit.layout.tables import Source


@dataclass
class View:
    """A table of pictures.

    Attributes:
        source: the table as it stands.
        table: with the columns of the joined tables.
        joins: path of each joined table: the column that both share.
        origin: path of the joined table that a column comes from.
        keys: the columns that name pictures and how, the best first.
        long: how its rows are images and classes; None when a row is a picture.
        id_column: the column of the ids, where another one names the pictures.
    """

    source: Source
    table: Source
    keys: dict[str, list[Pattern]]
    joins: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    long: LongForm | None = None
    id_column: str | None = None

    @property
    def key(self) -> str:
        """The column that names the pictures best."""
        return next(iter(self.keys))

    @property
    def ids(self) -> pd.Series:
        """The picture of each row, as the key column says it, or what stands for it where that is not enough."""
        if self.long is not None:
            return self.long.ids
        return self.source.frame[self.key if self.id_column is None else self.id_column]

    @property
    def has_a_picture_a_row(self) -> bool:
        """Every row is of another picture."""
        return self.long is None and (self.id_column is not None or self.source.column(self.key).is_unique)


def make_views(sources: list[Source], pictures: Pictures) -> list[View]:
    """The tables that name pictures, each joined with those that say more about its rows."""
    views = [view for source in sources if (view := _view(source, pictures)) is not None]
    for view in views:
        _join(view, [source for source in sources if source is not view.source])
    return views


def _view(source: Source, pictures: Pictures) -> View | None:
    keys = picture_keys(source, pictures)
    long = None
    if not keys:
        for name in source.names:
            if not source.column(name).is_unique or source.column(name).is_number:
                continue
            long = split_cells(source.frame[name], lambda cell: bool(pictures.find(cell)))
            if long is not None:
                images = pd.DataFrame({name: long.ids})
                keys = {name: find_patterns(images, name, pictures)}
                break
    elif not source.column(next(iter(keys))).is_unique:
        key, patterns = next(iter(keys.items()))
        others = [name for name in source.names if name != key and f"{{{name}}}" in patterns[0].text]
        unique = [column.name for column in source.others() if column.is_unique]
        if others and unique:  # the number of a frame and the name of its video
            return View(source, source, keys, id_column=unique[0])
        long = class_column_form(source, key)
    return View(source, source, keys, long=long) if keys else None


def picture_keys(source: Source, pictures: Pictures) -> dict[str, list[Pattern]]:
    """The columns that name pictures, and how, those of the most pictures first."""
    for search in (False, True):
        scored = []
        for column in source.others():
            if len(column.distinct) < 2 or (column.is_number and not column.is_whole):
                continue
            if is_run_lengths(column) or is_boxes(column):
                continue
            if search and len(column.distinct) < len(source) / 2:
                continue
            patterns = find_patterns(source.frame, column.name, pictures, search)
            if patterns:
                several = 0.99 if patterns[0].many else 1
                score = len(column.distinct) * patterns[0].share * several
                scored.append((score, column.is_unique, not column.is_number, column.name, patterns))
        if scored:
            scored.sort(key=lambda one: one[:3], reverse=True)
            most = scored[0][0]
            return {name: patterns for score, *_, name, patterns in scored if score >= 0.5 * most}
    return {}


def _join(view: View, others: list[Source]) -> None:
    """Add the columns of tables that say something once about each row, by a column that both call the same."""
    frame, own = view.table.frame, set(view.source.names)
    for other in others:
        if set(other.names) == own:
            continue  # another version of the same table
        for name in other.names:
            if name not in view.source.names or len(other.names) < 2 or not other.column(name).is_unique:
                continue
            cells = view.source.column(name)
            if (
                len(cells.distinct) < 2
                or cells.missing
                or not set(cells.distinct) <= set(other.column(name).distinct)
            ):
                continue
            added = [column for column in other.names if column not in frame.columns]
            if added:
                rest = other.frame[[name, *added]]
                frame = frame.merge(rest, on=name, how="left")
                view.joins[other.path] = name
                view.origin |= dict.fromkeys(added, other.path)
            break
    view.table = Source(view.source.path, frame, view.source.has_header, view.source.separator)
