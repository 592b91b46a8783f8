"""What a pattern such as `train/{id}.png` says: the columns it is filled with, and where it leaves a file open."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.competition.table import first_few

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".npy")
COLUMN = re.compile(r"\{([^{}]+?)(?::0(\d+))?\}")  # {id}, {patient}, {id:06} ... in a pattern
CHANNEL = "{channel}"  # where an entry of channel_files goes


class Pattern(NamedTuple):
    """A pattern taken apart; each part may have columns in braces.

    Attributes:
        head: the folder that `**/` searches; "" without one.
        deep: whether there is a `**/`.
        before: what follows, up to `*` or the end.
        after: what follows `*`; None where one row has one picture.
    """

    head: str
    deep: bool
    before: str
    after: str | None

    @property
    def guesses_suffix(self) -> bool:
        """Whether any extension of a picture may follow."""
        return not split_suffix(f"x{self.before if self.after is None else self.after}")[
            1
        ]  # `.png` is all ending


def parse_pattern(pattern: str, key: str) -> Pattern:
    """Take a pattern apart.

    Raises:
        ValueError: `*` elsewhere than once in the file's name, or `**` elsewhere than once between folders.

    >>> parse_pattern("train/**/{id}_*.png", "competition.train_images")
    Pattern(head='train/', deep=True, before='{id}_', after='.png')
    """
    text = as_pattern(pattern)
    bare = COLUMN.sub(lambda column: "x" * len(column[0]), text)  # of the same length
    start = bare.find("**/")
    deep = start == 0 or (start > 0 and bare[start - 1] == "/")
    rest = start + 3 if deep else 0
    star = bare.find("*", rest)
    if bare.count("*", rest) > 1 or (star >= 0 and "/" in bare[star:]):
        raise ValueError(
            f"{key}: {pattern!r}; expected at most one * in the name of the file, and one **/ between folders. Set "
            f"e.g. {key}='train/{{id}}/*.png', or 'train/**/{{id}}.png'."
        )
    head = text[:start] if deep else ""
    if star < 0:
        return Pattern(head, deep, text[rest:], None)
    return Pattern(head, deep, text[rest:star], text[star + 1 :])


def as_pattern(pattern: str) -> str:
    """A pattern without a column names a folder, whose files are the ids.

    >>> as_pattern("train"), as_pattern("train/{id}.png")
    ('train/{id}', 'train/{id}.png')
    """
    return pattern if COLUMN.search(pattern) else os.path.join(pattern, "{id}")


def image_folder(pattern: str) -> str:
    """The folder that all files of a pattern lie below.

    >>> image_folder("train/{patient}/img_{id}.png"), image_folder("train/**/{id}.png")
    ('train', 'train')
    """
    return os.path.dirname(re.split(r"[{*]", as_pattern(pattern), maxsplit=1)[0])


def column_names(pattern: str) -> list[str]:
    """The names in braces, each once.

    >>> column_names("{site}/{id:06}_{site}.png")
    ['site', 'id']
    """
    return list(dict.fromkeys(column[1] for column in COLUMN.finditer(pattern)))


def fill_pattern(pattern: str, frame: pd.DataFrame, ids: np.ndarray, key: str) -> list[str]:
    """The pattern with the cells of each row put in, [N].

    Raises:
        ValueError: the pattern names a column that the frame lacks.

    >>> key = "competition.train_images"
    >>> fill_pattern("{site}/{id:03}.png", pd.DataFrame({"site": ["x"]}), np.array(["1"]), key)
    ['x/001.png']
    """
    text, *pieces = COLUMN.split(pattern)  # text, column, width, text, column, width, ..., text
    paths = [text] * len(ids)
    for column, width, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        if column != "id" and column not in frame.columns:
            raise ValueError(
                f"{key}: {pattern!r} names column {column!r}, but there are only 'id' (the id) and "
                f"{first_few(frame.columns, 40)}. Set {key}, e.g. {key}='train/{{id}}.png'."
            )
        cells = (ids if column == "id" else frame[column]).tolist()
        if width:
            cells = [cell.zfill(int(width)) for cell in cells]
        paths = [f"{path}{cell}{text}" for path, cell in zip(paths, cells, strict=True)]
    return paths


def pattern_regex(pattern: str, names: Sequence[str], any_suffix: bool = False) -> re.Pattern[str]:
    """What reads the names in braces back from a path.

    The groups of a match come in that order. A name takes as much text as fits, within one folder; without `**/` an
    {id} takes folders too. What stands in braces a second time is the same text.

    Args:
        pattern: with `**/` and `*` as in `parse_pattern`, where `*` is any text.
        names: those to read, as `column_names` lists them.
        any_suffix: whether a picture's extension follows where the pattern has none.

    >>> pattern_regex("{label}_{n}.png", ["label", "n"]).fullmatch("great_dane_12.png").groups()
    ('great_dane', '12')
    """
    text = as_pattern(pattern)
    pieces, seen, last = [], set(), 0
    for column in COLUMN.finditer(text):
        pieces.append(_escape(text[last : column.start()]))
        place, last = names.index(column[1]) + 1, column.end()
        some = ".+" if column[1] == "id" and "**/" not in text else "[^/]+"
        pieces.append(rf"(?P=g{place})" if column[1] in seen else rf"(?P<g{place}>{some})")
        seen.add(column[1])
    pieces.append(_escape(text[last:]))
    if any_suffix and not split_suffix(text)[1]:
        pieces.append(f"(?i:{'|'.join(map(re.escape, IMAGE_SUFFIXES))})")
    return re.compile("".join(pieces))


def split_suffix(path: str) -> tuple[str, str]:
    """Take a known picture extension off; any other dot belongs to the name.

    >>> split_suffix("a/scan.v2.PNG"), split_suffix("a/scan.v2")
    (('a/scan.v2', '.PNG'), ('a/scan.v2', ''))
    """
    stem, suffix = os.path.splitext(path)
    return (stem, suffix) if suffix.lower() in IMAGE_SUFFIXES else (path, "")


def _escape(text: str) -> str:
    """Plain text of a pattern for a regular expression."""
    return re.escape(text).replace(re.escape("**/"), "(?:.*/)?").replace(re.escape("*"), "[^/]*")
