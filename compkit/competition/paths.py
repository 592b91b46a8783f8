"""From the id of a row to the files of its pictures, inside the competition's folder and nowhere else."""

import functools
import operator
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.competition.listing import Listing
from compkit.competition.patterns import (
    CHANNEL,
    IMAGE_SUFFIXES,
    Pattern,
    as_pattern,
    column_names,
    fill_pattern,
    parse_pattern,
    split_suffix,
)
from compkit.competition.table import first_few


class Pictures(NamedTuple):
    """The pictures of a table's rows, M of them, in the order of the rows.

    Attributes:
        rows: the row of each, int64 [M]; 0 to N - 1 unless a row may have several.
        ids: str [M]: the row's own, or `<id>/<name>` where a row may have several.
        files: absolute paths as bytes, [M, F]; F is 1 or the number of channel files.
    """

    rows: np.ndarray
    ids: np.ndarray
    files: np.ndarray


class _Wanted(NamedTuple):
    """Where the file of a row and channel is looked for."""

    folder: str  # absolute
    below: str  # what the path of its folder ends in, where `folder` is searched
    start: str  # of its name; all of it unless there is an end
    end: str | None

    @property
    def path(self) -> str:
        name = self.start if self.end is None else f"{self.start}*{self.end}"
        return os.path.join(self.folder, self.below, name)


def find_pictures(
    root: str | os.PathLike[str],
    pattern: str,
    frame: pd.DataFrame,
    ids: np.ndarray,
    key: str,
    channel_files: Sequence[str] = (),
) -> Pictures:
    """The files of every row, each checked to exist; a folder is listed once, not asked per file.

    A pattern without an extension finds `train/7` itself or else `train/7.png`, `train/7.JPG`, ... Symbolic links are
    followed: data often lies on another disk.

    Args:
        root: the competition's folder; no cell of the table can lead out of it.
        pattern: relative to root; {id} is the id, {name} a column of the frame, `**/` any folders, `*` any text.
        frame: the table, [N] rows.
        ids: str [N].
        key: the key that holds the pattern, for messages.
        channel_files: what each channel's own file has in place of {channel}, or else before its extension.

    Raises:
        FileNotFoundError: rows without a picture; all are counted, the first ten named.
        ValueError: a pattern that cannot be read or names an unknown column, a path that leaves root, two files that
            fit a row of one picture, or a picture that fits two rows of several.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("7_a.png", "7_b.png"):
    ...     open(os.path.join(folder, name), "w").close()
    >>> find_pictures(folder, "{id}_*.png", pd.DataFrame(), np.array(["7"]), "competition.train_images").ids
    array(['7/a.png', '7/b.png'], dtype='<U7')
    """
    top = os.path.abspath(root)
    parsed = parse_pattern(pattern, key)
    several, guess = parsed.after is not None, parsed.guesses_suffix
    wanted = [_wanted(top, parsed, channel, frame, ids, pattern, key) for channel in channel_files or (None,)]
    list_once = functools.cache(functools.partial(Listing, deep=parsed.deep))
    rows: list[int] = []
    names: list[str] = []
    files: list[list[str]] = []
    missing: list[tuple[str, str]] = []
    for row, (id_, *channels) in enumerate(zip(ids.tolist(), *wanted, strict=True)):
        found = [_files_of(one, list_once(one.folder), guess, id_, pattern, key) for one in channels]
        in_all = functools.reduce(operator.and_, (paths.keys() for paths in found))
        missing += [
            (id_, one.path)
            for one, paths in zip(channels, found, strict=True)
            if not paths or paths.keys() > in_all
        ]
        for middle in sorted(in_all):
            rows.append(row)
            names.append(f"{id_}/{middle}" if several else id_)
            files.append([paths[middle] for paths in found])
    if missing:
        raise FileNotFoundError(_missing_message(missing, len(ids), top, pattern, key, guess))
    pictures = Pictures(
        np.array(rows, dtype=np.int64),
        np.array(names),
        np.array([[os.fsencode(file) for file in row] for row in files]),
    )
    if several:
        _require_one_row(pictures, ids, pattern, key)
    return pictures


def _wanted(
    top: str, pattern: Pattern, channel: str | None, frame: pd.DataFrame, ids: np.ndarray, text: str, key: str
) -> Iterator[_Wanted]:
    """Where each row's file of a channel is looked for, inside the competition's folder."""
    head, before, after = (
        fill_pattern(part if channel is None else part.replace(CHANNEL, channel), frame, ids, key)
        for part in (pattern.head, pattern.before, pattern.after or "")
    )
    # without {channel} in the pattern, it stands before the extension
    inserted = channel if channel is not None and CHANNEL not in text else ""
    several = pattern.after is not None
    mark = "x" if several else ""  # for what `*` stands for: `train/7/` alone would lose its slash
    for id_, above, start, end in zip(ids.tolist(), head, before, after, strict=True):
        place, name = os.path.split(_inside(top, f"{above}{start}{mark}", id_, text, key))
        folder, below = place, ""
        if pattern.deep:
            folder = os.path.dirname(_inside(top, f"{above}x", id_, text, key))
            below = f"{place}/".removeprefix(f"{folder}/").rstrip("/")
        if several:
            yield _Wanted(folder, below, name[:-1], _insert(end, inserted))
        else:
            yield _Wanted(folder, below, _insert(name, inserted), None)


def _insert(name: str, channel: str) -> str:
    """The name, or the end of one, with a channel's suffix before its extension."""
    if not channel:
        return name
    stem, suffix = split_suffix(f"x{name}")  # `.png` alone would be no extension
    return f"{stem[1:]}{channel}{suffix}"


def _files_of(
    wanted: _Wanted, listing: Listing, guess_suffix: bool, id_: str, pattern: str, key: str
) -> dict[str, str]:
    """The files that fit a row, by what tells them apart: nothing where a row has one picture."""
    if wanted.end is not None:
        found = listing.matching(wanted.start, wanted.end, wanted.below, guess_suffix)
        return {middle: f"{wanted.folder}/{path}" for middle, path in found}
    paths = listing.named(wanted.start, wanted.below, guess_suffix)
    fitting = sorted(f"{wanted.folder}/{path}" for path in paths)
    if len(fitting) > 1:
        hint = f"Add the extension, e.g. {key}='{as_pattern(pattern)}{split_suffix(fitting[0])[1]}'"
        if len({os.path.basename(path) for path in fitting}) == 1:
            hint = "Name more of its folder"
        raise ValueError(
            f"{key}: id {id_!r} fits several files: {first_few(fitting)}; expected one. {hint}, or, where all are "
            "meant, set e.g. 'train/{id}/*.png'."
        )
    return {"": fitting[0]} if fitting else {}


def _require_one_row(pictures: Pictures, ids: np.ndarray, pattern: str, key: str) -> None:
    """Refuse a picture that fits two rows, as 12.png fits {id}*.png of rows 1 and 12."""
    _, first, count = np.unique(pictures.files[:, 0], return_index=True, return_counts=True)
    if (count > 1).any():
        file = pictures.files[first[count > 1][0], 0]
        both = ids[pictures.rows[pictures.files[:, 0] == file]].tolist()
        raise ValueError(
            f"{key}: {os.fsdecode(file)} fits {pattern!r} of the ids {first_few(both)}; expected one. Set {key} so "
            "that it says where the id ends, e.g. 'train/{id}_*.png'."
        )


def _inside(top: str, filled: str, id_: str, pattern: str, key: str) -> str:
    """The absolute path of a filled pattern, which must not leave the competition's folder."""
    path = os.path.normpath(filled if filled.startswith("/") else f"{top}/{filled}")
    if not path.startswith(f"{top}/"):
        raise ValueError(
            f"{key}: id {id_!r} leads to {path}, outside {top}; expected the values of "
            f"{first_few(column_names(pattern))} in {pattern!r} to stay inside competition.path. Correct "
            "that row of the table."
        )
    return path


def _missing_message(
    missing: list[tuple[str, str]], count: int, top: str, pattern: str, key: str, guess_suffix: bool
) -> str:
    """Name what was looked for and what lies there instead."""
    ending = f" (also with {', '.join(IMAGE_SUFFIXES)})" if guess_suffix else ""
    tried = "; ".join(f"id {id_!r}: {os.path.relpath(path, top)}" for id_, path in missing[:10])
    folder = os.path.dirname(missing[0][1])
    names = Listing(folder).names
    holds = f"holds {first_few(names, 3) or 'no files'}" if os.path.isdir(folder) else "does not exist"
    return (
        f"{top}: {len(missing)} files of {count} images are missing. Tried {tried}{ending}; the folder "
        f"{folder} {holds}. Set {key}, now {pattern!r}, so that it fits, e.g. {key}='train/{{id}}.jpg'."
    )
