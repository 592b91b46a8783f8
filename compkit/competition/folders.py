"""Pictures that no CSV lists: all of a folder, or a sub-folder for each class."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.listing import walk_files
from compkit.competition.paths import find_pictures
from compkit.competition.patterns import (
    CHANNEL,
    COLUMN,
    IMAGE_SUFFIXES,
    as_pattern,
    column_names,
    image_folder,
    parse_pattern,
    pattern_regex,
    split_suffix,
)
from compkit.competition.table import duplicates, first_few
from compkit.types import Table


def list_images(folder: Path, key: str, channel_files: Sequence[str] = ()) -> list[str]:
    """Every picture below a folder as a sorted relative path with forward slashes.

    Hidden files and folders, `__MACOSX` and files that are no pictures (Thumbs.db) are left out.
    With channel files a picture is listed once, without the channel's suffix.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a_red.png", "a_green.png", ".b_red.png"):
    ...     (folder / name).touch()
    >>> list_images(folder, "competition.test_images", ["_red", "_green"])
    ['a.png']
    """
    images = []
    channel = channel_files[0] if channel_files else ""
    for place, name in walk_files(str(folder)):
        stem, suffix = split_suffix(os.path.join(place, name))
        if suffix and stem.endswith(channel):
            images.append(f"{stem.removesuffix(channel)}{suffix}")
    if not images:
        what = "holds no picture" if folder.is_dir() else "no such folder"
        raise FileNotFoundError(
            f"{folder}: {what}; expected files ending in {', '.join(IMAGE_SUFFIXES)}. Set {key} to the "
            "folder that has them, relative to competition.path."
        )
    return sorted(images)


def ids_in_folder(root: Path, pattern: str, key: str, channel_files: Sequence[str] = ()) -> np.ndarray:
    """The ids of all pictures in a pattern's folder, for a test set that no CSV lists; str [N].

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: the pattern names other columns than {id}, or a picture does not fit it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "007.png").touch()
    >>> ids_in_folder(folder, "{id}.png", "competition.test_images").tolist()
    ['007']
    """
    pattern = as_pattern(pattern)
    if column_names(pattern.replace(CHANNEL, "") if channel_files else pattern) != ["id"]:
        raise ValueError(
            f"{key}: {pattern!r} names columns, but no table lists these images; expected {{id}} alone. Set "
            "competition.test_table to the table that has the columns."
        )
    if channel_files and CHANNEL in pattern:  # the pictures of one channel name all
        pattern, channel_files = pattern.replace(CHANNEL, channel_files[0]), ()
    images, matches = match_images(root, pattern, key, channel_files)
    found = np.array([match[1] for match in matches])
    if parse_pattern(pattern, key).after is not None:  # several pictures an id
        return np.unique(found)
    if repeated := duplicates(found):
        both = [image for image, id_ in zip(images, found.tolist(), strict=True) if id_ == repeated[0]]
        raise ValueError(
            f"{key}: {len(repeated)} ids name more than one image, first {first_few(both)}; expected one each. Set "
            f"{key}={os.path.join(image_folder(pattern), '{id}')}, whose ids say the folder too."
        )
    return found


def match_images(
    root: Path,
    pattern: str,
    key: str,
    channel_files: Sequence[str] = (),
    any_suffix: bool = False,
    parts: Sequence[str] = ("",),
) -> tuple[list[str], list[re.Match[str]]]:
    """Every picture of a pattern's folder, as a path relative to root, and what the pattern reads in it.

    Args:
        root: the competition's folder.
        pattern: whose names are read, as in `pattern_regex`.
        key: the key that holds the pattern, for messages.
        channel_files: as in `list_images`.
        any_suffix: as in `pattern_regex`.
        parts: folders of the pattern's folder to look into; others are not.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: a picture that does not fit the pattern.
    """
    folder = image_folder(pattern)
    fit = pattern_regex(pattern, column_names(pattern), any_suffix)
    images = [
        os.path.join(folder, part, name)
        for part in parts
        for name in list_images(root / folder / part, key, channel_files)
    ]
    matches = [fit.fullmatch(image) for image in images]
    strangers = [image for image, match in zip(images, matches, strict=True) if match is None]
    if strangers:
        raise ValueError(
            f"{key}: {len(strangers)} of {len(images)} images in {root / folder} do not fit {pattern!r}: "
            f"{first_few(strangers)}. Set {key}={os.path.join(folder, '{id}')} to take all, or move them "
            "away."
        )
    return images, [match for match in matches if match]


def read_folder(folder: Path, channel_files: Sequence[str] = (), key: str = "images") -> Table:
    """Every picture below a folder, without labels; the id is its path below the folder.

    Args:
        folder: relative to the working directory.
        channel_files: as competition.channel_files.
        key: that named the folder, for messages.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
    """
    ids = ids_in_folder(folder, "{id}", key, channel_files)
    frame = pd.DataFrame({"id": ids})
    return Table(ids, find_pictures(folder, "{id}", frame, ids, key, channel_files).files, None, frame)


def read_class_folders(
    root: Path, pattern: str, id_column: str, label_column: str, channel_files: Sequence[str] = ()
) -> pd.DataFrame:
    """The table of a training folder whose sub-folders are the classes.

    Returns:
        One row a picture: the id is its path below the folder (`cat/001.png`), the label the first
        part of it; a picture beside the sub-folders has the label "".

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: a class folder without a picture.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "train" / "cat").mkdir(parents=True)
    >>> (folder / "train" / "cat" / "1.png").touch()
    >>> read_class_folders(folder, "train", "id", "label").values.tolist()
    [['cat/1.png', 'cat']]
    """
    key = "competition.train_images"
    folder = root / image_folder(pattern)
    ids = list_images(folder, key, channel_files)
    labels = [id_.split("/")[0] if "/" in id_ else "" for id_ in ids]
    folders = {entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    empty = sorted(folders - {"__MACOSX"} - set(labels))
    if empty:
        raise ValueError(
            f"{folder}: class folders without a picture: {first_few(empty)}; expected files ending in "
            f"{', '.join(IMAGE_SUFFIXES)} in each. Remove the folder, convert its pictures, or set {key}."
        )
    return pd.DataFrame({id_column: ids, label_column: labels}, dtype=str)


def read_named_folders(
    root: Path,
    pattern: str,
    id_column: str,
    wanted: Mapping[str, Sequence[str]],
    channel_files: Sequence[str] = (),
) -> pd.DataFrame:
    """The table of a training folder whose paths tell the labels: a column for each name in the pattern's braces.

    Args:
        root: the competition's folder.
        pattern: such as `train/{label}.{number}.jpg`, read as in `pattern_regex`.
        id_column: that of the ids, which are paths below the pattern's folder; {id} is any text.
        wanted: cells by column: where the pattern's first folder is such a name, only those folders are looked into.
        channel_files: as in `list_images`.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
        ValueError: a picture that does not fit the pattern.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "cat.0.jpg").touch()
    >>> read_named_folders(folder, "{label}.{number}.jpg", "id", {}).to_dict("list")
    {'id': ['cat.0.jpg'], 'label': ['cat'], 'number': ['0']}
    """
    folder = image_folder(pattern)
    first = pattern.removeprefix(folder).lstrip("/").split("/")[0]
    parts = wanted.get(first[1:-1], [""]) if COLUMN.fullmatch(first) else [""]
    images, matches = match_images(
        root, pattern, "competition.train_images", channel_files, any_suffix=True, parts=parts
    )
    columns = {id_column: [os.path.relpath(image, folder or ".") for image in images]}
    for place, name in enumerate(column_names(pattern), start=1):
        if name not in ("id", id_column):
            columns[name] = [match[place] for match in matches]
    return pd.DataFrame(columns, dtype=str)
