"""Files that the cells of a column name, and the pattern that all of these share."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

EXAMPLES = 12  # files of a pattern that are kept for a look
ENOUGH = 0.5  # share of cells with a picture from which a column is believed to name pictures
NEARLY_ALL = 0.98


@dataclass(frozen=True)
class Pattern:
    """One way from the cells of a column to files.

    Attributes:
        text: such as `train/{id}.png`; {id} stands for the column's cell.
        folder: the folder that all these files lie below, as far as it is the same for all.
        share: part of the looked-up cells that have a file.
        suffix: what stands between the cell and the extension, which channel files differ in.
        many: a cell has several pictures.
        ambiguous: for some cells several files fit.
        examples: some of the files.
        cell: what a cell of the column holds: "{id}", or "{id}.dcm" where the files have another ending.
    """

    text: str
    folder: str
    share: float
    suffix: str = ""
    many: bool = False
    ambiguous: bool = False
    examples: tuple[str, ...] = ()
    cell: str = "{id}"


class Hit(NamedTuple):
    """A file that a cell names."""

    row: int
    folders: tuple[str, ...]
    before: str
    width: int
    behind: str  # between the cell and the extension
    extension: str
    path: str


def spread(count: int, most: int) -> np.ndarray:
    """Positions spread evenly over `count` rows, at most so many."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def patterns_of(hits: Sequence[Hit], frame: pd.DataFrame, column: str, count: int) -> list[Pattern]:
    """The patterns of files that share depth and form of their names."""
    shapes: dict[tuple[object, ...], list[Hit]] = defaultdict(list)
    width_of = {  # 7 and 12 in 007 and 012 have one form, though only one of them needs as many zeros as the other
        (hit.before, hit.behind): max(one.width for one in hits if (one.before, one.behind) == hit[2:5:2])
        for hit in hits[:2000]
    }
    for hit in hits:
        width = hit.width or width_of.get((hit.before, hit.behind), 0)
        shapes[len(hit.folders), hit.before, width, hit.behind].append(hit._replace(width=width))
    found = []
    for shaped in shapes.values():
        share = len({hit.row for hit in shaped}) / count
        if share < ENOUGH:
            continue
        for prefix, group in _common_folders(shaped, share * count, frame, column):
            for extension, members in _by_extension(group):
                found.append(_pattern(prefix, members, extension, frame, column, count))
    return found


def _common_folders(
    hits: Sequence[Hit], rows: float, frame: pd.DataFrame, column: str
) -> list[tuple[tuple[str, ...], list[Hit]]]:
    """The deepest folders below which (nearly) all rows have a file, each with its files."""
    groups: list[tuple[tuple[str, ...], list[Hit]]] = [((), list(hits))]
    for depth in range(1, len(hits[0].folders) + 1):
        deeper: dict[tuple[str, ...], list[Hit]] = defaultdict(list)
        for hit in hits:
            deeper[hit.folders[:depth]].append(hit)
        whole = [
            (prefix, group)
            for prefix, group in deeper.items()
            if len({hit.row for hit in group}) >= NEARLY_ALL * rows
        ]
        if not whole:
            break
        everything = [hit for _, group in groups for hit in group]
        if len(whole) > 1 and len(groups) == 1 and _column_of_part(everything, depth - 1, frame, column):
            break  # each folder has all of these names, and a column says which one is meant
        groups = whole
    return groups


def _by_extension(hits: Sequence[Hit]) -> list[tuple[str, list[Hit]]]:
    """The files of each extension that all rows have; or all files, "" then."""
    rows = len({hit.row for hit in hits})
    found: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        found[hit.extension].append(hit)
    whole = [(name, group) for name, group in found.items() if len({hit.row for hit in group}) == rows]
    return whole or [("", list(hits))]


def _pattern(
    prefix: tuple[str, ...], hits: list[Hit], extension: str, frame: pd.DataFrame, column: str, count: int
) -> Pattern:
    """Name the folders between the common one and the file: by columns as far as there are some that say them."""
    parts = list(prefix)
    for depth in range(len(prefix), len(hits[0].folders)):
        named = _column_of_part(hits, depth, frame, column)
        if named is None:
            parts.append("**")
            break
        name, hits = named
        parts.append(name)
    first = hits[0]
    own = f"{{id:0{first.width}}}" if first.width else "{id}"
    text = "/".join([*parts, f"{first.before}{own}{first.behind}{extension}"])
    rows = Counter(hit.row for hit in hits)
    examples = tuple(hits[place].path for place in spread(len(hits), EXAMPLES))
    ambiguous = max(rows.values()) > 1
    return Pattern(text, "/".join(prefix), len(rows) / count, first.behind, False, ambiguous, examples)


def _column_of_part(
    hits: list[Hit], depth: int, frame: pd.DataFrame, column: str
) -> tuple[str, list[Hit]] | None:
    """The column whose cells are the folder at some depth, in braces, and the files that it leads to.

    The folder may add the same text to all cells: video_{video}.
    """
    rows = {hit.row for hit in hits}
    first = hits[0]
    for name in sorted(frame.columns, key=lambda name: name != column):
        cells = frame[name]
        parts = {hit.folders[depth] for hit in hits if hit.row == first.row}
        ways = {
            part.partition(cells[first.row])[::2]
            for part in parts
            if cells[first.row] and cells[first.row] in part
        }
        for before, behind in sorted(ways, key=lambda way: len("".join(way))):
            fitting = [hit for hit in hits if f"{before}{cells[hit.row]}{behind}" == hit.folders[depth]]
            is_said = not (before or behind) or len({cells[row] for row in rows}) > 1
            if {hit.row for hit in fitting} == rows and is_said:
                own = "{id}" if name == column else f"{{{name}}}"
                return f"{before}{own}{behind}", fitting
    return None


def many_patterns(hits: Sequence[Hit], count: int) -> list[Pattern]:
    """Several pictures a cell beside each other: `train/{id}_*.png`."""
    groups: dict[tuple[object, ...], list[Hit]] = defaultdict(list)
    for hit in hits:
        groups[hit.folders, hit.before, hit.width, hit.behind[:1]].append(hit)
    found = []
    for (folders, before, width, joint), group in groups.items():
        share = len({hit.row for hit in group}) / count
        behinds = {hit.behind for hit in group}
        if share < NEARLY_ALL or len(behinds) < 2 or not joint:
            continue
        rows = {hit.row for hit in group}
        if all({hit.row for hit in group if hit.behind == one} == rows for one in behinds):
            continue  # each of them has all: channels, or versions of one picture
        own = f"{{id:0{width}}}" if width else "{id}"
        extensions = {hit.extension for hit in group}
        ending = extensions.pop() if len(extensions) == 1 else ""
        folder = "/".join(folders)  # type: ignore[arg-type]
        text = "/".join([*folders, f"{before}{own}{joint}*{ending}"])  # type: ignore[misc]
        examples = tuple(group[place].path for place in spread(len(group), EXAMPLES))
        found.append(Pattern(text, folder, share, many=True, examples=examples))
    return found


def is_one_of(single: Pattern, several: Pattern) -> bool:
    """Whether a pattern's files are but the first of several that a cell has."""
    before, behind = several.text.split("*")
    return single.text.startswith(before) and single.text.endswith(behind)
