"""The parts that a page is made of, before they become HTML, and how numbers are written in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup


class Card(NamedTuple):
    """One number of the verdict at the top of a page."""

    title: str
    value: str
    about: str
    light: str = ""  # "good", "look", "bad" or "unknown" for a coloured edge; the words must say the same


class Action(NamedTuple):
    """Something to do, named at the top of a page, and the section that says why."""

    name: str
    anchor: str
    text: str


class Figure(NamedTuple):
    """Charts side by side, with what they show in words."""

    caption: str
    charts: Sequence[Markup]
    folded: bool = False  # behind its caption until it is opened


class Table(NamedTuple):
    """Rows under headings; a cell that is no `str` is a number and aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    summary_rows: int = 0  # so many last rows sum up the ones above

    @property
    def long(self) -> bool:
        """Long tables are folded away until they are opened."""
        return len(self.rows) > 40


class Picture(NamedTuple):
    """An image with named facts below it."""

    name: str
    source: str | None  # data URI
    facts: Sequence[tuple[str, str]]


class Listing(NamedTuple):
    """A text to copy, such as a file."""

    title: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A chapter of a page: sentences, then figures, tables, pictures and listings."""

    anchor: str
    title: str
    sentences: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    listings: Sequence[Listing] = field(default=())


class Right(NamedTuple):
    """A cell of a number, aligned to the right also where it is blank."""

    text: str

    def __str__(self) -> str:
        return self.text


class Badge(str):
    """A word in a cell that is set off by a frame and a colour of its own.

    >>> Badge("WARN", "look").kind
    'look'
    """

    kind: str  # one of `Card.light`

    def __new__(cls, text: str, kind: str) -> "Badge":
        badge = super().__new__(cls, text)
        badge.kind = kind
        return badge


class Number(float):
    """A float that is written as a score is."""

    def __str__(self) -> str:
        return number(self)


def number(value: float | None) -> str:
    """Four decimals, or four digits where those would hide the value; n/a for what is not known.

    >>> number(0.98765), number(0.00012345), number(123456.7), number(None)
    ('0.9877', '0.0001234', '1.235e+05', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds in the units one would say.

    >>> duration(12.3), duration(200), duration(3900)
    ('12 s', '3 min 20 s', '1 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
