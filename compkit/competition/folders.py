"""Pictures that no CSV lists: all of a folder, or a sub-folder for each class."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.paths import (
    COLUMN,
    IMAGE_SUFFIXES,
    as_pattern,
    find_files,
    image_folder,
    split_suffix,
)
from compkit.competition.table import first_few
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
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        for name in names:
            stem, suffix = split_suffix(os.path.relpath(os.path.join(parent, name), folder))
            channel = channel_files[0] if channel_files else ""
            if suffix and not name.startswith(".") and stem.endswith(channel):
                images.append(f"{stem.removesuffix(channel)}{suffix}".replace(os.sep, "/"))
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
    text, *rest = COLUMN.split(pattern)
    if set(rest[::2]) != {"id"}:
        raise ValueError(
            f"{key}: {pattern!r} names columns, but no CSV lists these images; expected {{id}} alone. Set "
            "competition.test_table to the CSV that has the columns."
        )
    fit = re.compile(
        "(?P<id>.+)".join(map(re.escape, [text, rest[1]])) + "".join(map(_repeat_id, rest[3::2]))
    )
    folder = image_folder(pattern)
    images = [os.path.join(folder, name) for name in list_images(root / folder, key, channel_files)]
    matches = [fit.fullmatch(image) for image in images]
    strangers = [image for image, match in zip(images, matches, strict=True) if match is None]
    if strangers:
        raise ValueError(
            f"{key}: {len(strangers)} of {len(images)} images in {root / folder} do not fit {pattern!r}: "
            f"{first_few(strangers)}. Set {key}={os.path.join(folder, '{id}')} to take all, or move them "
            "away."
        )
    return np.array([match["id"] for match in matches if match])


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
    return Table(ids, find_files(folder, "{id}", frame, ids, key, channel_files), None, frame)


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


def _repeat_id(text: str) -> str:
    """What follows a further {id} of a pattern, after the id itself."""
    return f"(?P=id){re.escape(text)}"
