"""How a cell of a table becomes the path of a picture: patterns found by looking cells up among the files."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from compkit.competition.paths import split_suffix
from compkit.layout.hits import (
    ENOUGH,
    EXAMPLES,
    NEARLY_ALL,
    Hit,
    Pattern,
    is_one_of,
    many_patterns,
    patterns_of,
    spread,
)
from compkit.layout.pictures import Pictures

SAMPLED = 300  # cells that are looked up; all of them are proved in the end
SEARCHED = 12  # cells that are searched inside names, which reads all of them


def find_patterns(frame: pd.DataFrame, column: str, pictures: Pictures, search: bool = True) -> list[Pattern]:
    """Every way from a column's cells to pictures, those of most cells first.

    Args:
        frame: a table, every cell text.
        column: its column that may name pictures.
        pictures: all there are.
        search: look inside names too (img_007.png for 7) when nothing is called exactly so; slow with many files.

    >>> from pathlib import Path
    >>> from compkit.layout.scan import Folder, Listing
    >>> pictures = Pictures(Listing(Path("x"), {"a/b": Folder("a/b", ["1.png"]), "a/c": Folder("a/c", ["2.png"])}))
    >>> frame = pd.DataFrame({"uid": ["1", "2"], "site": ["b", "c"]})
    >>> [pattern.text for pattern in find_patterns(frame, "uid", pictures)]
    ['a/{site}/{id}.png']
    """
    cells = frame[column].drop_duplicates()
    cells = cells[cells != ""]
    if not len(cells) or not pictures.count:
        return []
    if 1 < len(cells) < len(frame):  # 0.jpg of one folder and 0.jpg of another: each row counts
        cells = frame[column][frame[column] != ""]
    rows = cells.index[spread(len(cells), SAMPLED)]
    patterns = patterns_of(_exact_hits(frame.loc[rows, column], pictures), frame, column, len(rows))
    patterns = [one for one in patterns if one.share >= ENOUGH]
    patterns += _folder_patterns(frame, column, rows, pictures)
    if not patterns and (ending := common_ending(cells)):
        bare = frame.assign(**{column: frame[column].str.removesuffix(ending)})
        found = find_patterns(bare, column, pictures, search=False)
        return [replace(one, cell=f"{{id}}{ending}") for one in found]
    if search and not patterns:
        rows = cells.index[spread(len(cells), SEARCHED)]
        hits = _inner_hits(frame.loc[rows, column], pictures)
        many = many_patterns(hits, len(rows))
        single = patterns_of(hits, frame, column, len(rows))
        found = [*many, *(one for one in single if not any(is_one_of(one, several) for several in many))]
        patterns = [one for one in found if one.share >= NEARLY_ALL]
    return sorted(patterns, key=lambda one: (-one.share, one.many, one.ambiguous, one.text))


def common_ending(cells: pd.Series) -> str:
    """The extension that all cells have, of a picture or not; "" when they differ.

    >>> common_ending(pd.Series(["a.dcm", "b.dcm"]))
    '.dcm'
    """
    endings = {os.path.splitext(cell)[1] for cell in cells.head(SAMPLED)}
    ending = endings.pop() if len(endings) == 1 else ""
    is_word = re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{1,5}", ending) is not None
    return ending if is_word and bool(cells.str.endswith(ending).all()) else ""


def _exact_hits(cells: pd.Series, pictures: Pictures) -> list[Hit]:
    """Files whose name, or the end of whose path, is the cell."""
    hits = []
    for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True):
        cell = cell.strip().removeprefix("./")
        for path in pictures.find(cell):
            stem, extension = split_suffix(path)
            head, extension = (path, "") if path.endswith(cell) else (stem, extension)
            folders = head[: len(head) - len(cell)].rstrip("/")
            hits.append(Hit(row, tuple(folders.split("/")) if folders else (), "", 0, "", extension, path))
    return hits


def _inner_hits(cells: pd.Series, pictures: Pictures) -> list[Hit]:
    """Files whose name holds the cell."""
    hits = []
    for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True):
        for path, folder, before, width, behind in pictures.find_inside(cell.strip()):
            stem, extension = split_suffix(behind)
            folders = tuple(folder.split("/")) if folder else ()
            hits.append(Hit(row, folders, before, width, stem, extension, path))
    return hits


def _folder_patterns(
    frame: pd.DataFrame, column: str, rows: Iterable[int], pictures: Pictures
) -> list[Pattern]:
    """Cells that name a folder of pictures: `train/{id}/*.png`."""
    parents: dict[str, dict[int, str]] = defaultdict(dict)
    rows = list(rows)
    for row in rows:
        cell = str(frame.at[row, column]).strip().strip("/")
        for path in pictures.by_folder_name.get(cell.rsplit("/", 1)[-1], ()):
            if path == cell or path.endswith(f"/{cell}"):
                parents[path[: len(path) - len(cell)]][row] = path
    found = []
    for parent, paths in parents.items():
        share = len(paths) / len(rows)
        if share < ENOUGH or len(paths) < 2:
            continue
        found += _inside_folders(parent, list(paths.values()), share, pictures)
    return found


def _inside_folders(parent: str, folders: list[str], share: float, pictures: Pictures) -> list[Pattern]:
    """What a row's own folder holds: files of the same names in each, or any number of pictures."""
    names = [set(pictures.folders.get(folder, ())) for folder in folders]
    common = set.intersection(*names)
    top, shown = parent.rstrip("/"), folders[:EXAMPLES]
    if common and all(one == common for one in names):
        return [
            Pattern(
                f"{parent}{{id}}/{name}",
                top,
                share,
                suffix=split_suffix(name)[0],
                examples=tuple(f"{folder}/{name}" for folder in shown),
            )
            for name in sorted(common)
        ]
    extensions = {split_suffix(name)[1] for one in names for name in one}
    ending = extensions.pop() if len(extensions) == 1 else ""
    depth = "" if all(names) else "**/"
    examples = tuple(next(iter(pictures.below(folder))) for folder in shown)
    return [Pattern(f"{parent}{{id}}/{depth}*{ending}", top, share, many=True, examples=examples)]


def channels_of(patterns: Sequence[Pattern]) -> list[list[Pattern]]:
    """Patterns that differ in one part alone, each a family: perhaps the channels of one picture.

    >>> red, green = (Pattern(f"train/{{id}}_{name}.png", "train", 1.0, f"_{name}") for name in ("red", "green"))
    >>> [[one.suffix for one in family] for family in channels_of([red, green])]
    [['_red', '_green']]
    """
    families: dict[str, list[Pattern]] = defaultdict(list)
    for pattern in patterns:
        if pattern.many:
            continue
        if pattern.suffix:
            stem, extension = split_suffix(pattern.text)
            families[f"{stem.removesuffix(pattern.suffix)}\n{extension}"].append(pattern)
        elif pattern.folder:
            parent, _, name = pattern.folder.rpartition("/")
            rest = pattern.text.removeprefix(pattern.folder)
            families[f"{parent}\n\n{rest}"].append(replace(pattern, suffix=f"\n{name}"))
    return [family for family in families.values() if len(family) > 1]
