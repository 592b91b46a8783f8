"""From the id of a row to the files of its picture, inside the competition's folder and nowhere else."""

import functools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.table import first_few

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".npy")
COLUMN = re.compile(r"\{([^{}]+)\}")  # {id}, {patient} ... in a pattern


def as_pattern(pattern: str) -> str:
    """A pattern without a column names a folder, whose files are the ids.

    >>> as_pattern("train"), as_pattern("train/{id}.png")
    ('train/{id}', 'train/{id}.png')
    """
    return pattern if COLUMN.search(pattern) else os.path.join(pattern, "{id}")


def image_folder(pattern: str) -> str:
    """The folder that all files of a pattern lie below.

    >>> image_folder("train/{patient}/img_{id}.png")
    'train'
    """
    return os.path.dirname(as_pattern(pattern).split("{")[0])


def find_files(
    root: Path,
    pattern: str,
    frame: pd.DataFrame,
    ids: np.ndarray,
    key: str,
    channel_files: Sequence[str] = (),
) -> np.ndarray:
    """The files of every row, each checked to exist; a folder is listed once, not asked per file.

    A pattern without an extension finds `train/7` itself or else `train/7.png`, `train/7.JPG`, ...
    Symbolic links are followed: data often lies on another disk.

    Args:
        root: the competition's folder; no cell of the CSV can lead out of it.
        pattern: relative to root; {id} is the id, {name} a column of the frame.
        frame: the CSV, [N] rows.
        ids: str [N].
        key: the key that holds the pattern, for messages.
        channel_files: what is inserted before the extension for each channel's own file.

    Returns:
        Absolute paths as bytes, [N, F]; F is 1 or the number of channel files.

    Raises:
        FileNotFoundError: images are missing; all are counted, the first ten named.
        ValueError: an unknown column in the pattern, a path that leaves root, or two files that fit.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.png").touch()
    >>> find_files(folder, "{id}.png", pd.DataFrame(), np.array(["a"]), "competition.train_images").shape
    (1, 1)
    """
    pattern = as_pattern(pattern)
    top = os.path.abspath(root)
    guess_suffix = os.path.splitext(pattern)[1].lower() not in IMAGE_SUFFIXES
    list_once = functools.cache(list_folder)
    found: list[list[str]] = []
    missing: list[tuple[str, str]] = []
    for id_, filled in zip(ids.tolist(), fill_pattern(pattern, frame, ids, key), strict=True):
        stem, suffix = split_suffix(_inside(top, filled, id_, pattern, key))
        files: list[str] = []
        for channel in channel_files or ("",):
            wanted = f"{stem}{channel}{suffix}"
            fitting = _fitting_files(wanted, list_once(os.path.dirname(wanted)), guess_suffix)
            if len(fitting) > 1:
                raise ValueError(
                    f"{key}: id {id_!r} fits several files: {first_few(fitting)}; expected one. Add the "
                    f"extension, e.g. {key}='{pattern}{split_suffix(fitting[0])[1]}'."
                )
            if not fitting:
                missing.append((id_, wanted))
            files += fitting
        found.append(files)
    if missing:
        raise FileNotFoundError(_missing_message(missing, len(ids), top, pattern, key, guess_suffix))
    return np.array([[os.fsencode(file) for file in files] for files in found])


def fill_pattern(pattern: str, frame: pd.DataFrame, ids: np.ndarray, key: str) -> list[str]:
    """The pattern with the cells of each row put in, [N].

    Raises:
        ValueError: the pattern names a column that the frame lacks.

    >>> key = "competition.train_images"
    >>> fill_pattern("{site}/{id}.png", pd.DataFrame({"site": ["x"]}), np.array(["1"]), key)
    ['x/1.png']
    """
    pieces = COLUMN.split(pattern)  # text, column, text, column, ..., text
    paths = [pieces[0]] * len(ids)
    for column, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if column != "id" and column not in frame.columns:
            raise ValueError(
                f"{key}: {pattern!r} names column {column!r}, but there are only 'id' (the id) and "
                f"{first_few(frame.columns, 40)}. Set {key}, e.g. {key}='train/{{id}}.png'."
            )
        cells = (ids if column == "id" else frame[column]).tolist()
        paths = [f"{path}{cell}{text}" for path, cell in zip(paths, cells, strict=True)]
    return paths


def split_suffix(path: str) -> tuple[str, str]:
    """Take a known picture extension off; any other dot belongs to the name.

    >>> split_suffix("a/scan.v2.PNG"), split_suffix("a/scan.v2")
    (('a/scan.v2', '.PNG'), ('a/scan.v2', ''))
    """
    stem, suffix = os.path.splitext(path)
    return (stem, suffix) if suffix.lower() in IMAGE_SUFFIXES else (path, "")


def list_folder(folder: str) -> tuple[set[str], dict[str, list[str]]]:
    """The file names of a folder, and the picture extensions of each stem; both empty if it is missing."""
    names: set[str] = set()
    suffixes_of: dict[str, list[str]] = defaultdict(list)
    try:
        with os.scandir(folder) as entries:
            names.update(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return names, suffixes_of
    for name in sorted(names):
        stem, suffix = split_suffix(name)
        if suffix:
            suffixes_of[stem].append(suffix)
    return names, suffixes_of


def _inside(top: str, filled: str, id_: str, pattern: str, key: str) -> str:
    """The absolute path of a filled pattern, which must not leave the competition's folder."""
    path = os.path.normpath(os.path.join(top, filled))
    if not path.startswith(os.path.join(top, "")):
        raise ValueError(
            f"{key}: id {id_!r} leads to {path}, outside {top}; expected the values of "
            f"{first_few(COLUMN.findall(pattern))} in {pattern!r} to stay inside competition.path. Correct "
            "that row of the CSV."
        )
    return path


def _fitting_files(
    wanted: str, listing: tuple[set[str], dict[str, list[str]]], guess_suffix: bool
) -> list[str]:
    """The wanted file itself, or else those that only add a picture's extension to it."""
    names, suffixes_of = listing
    name = os.path.basename(wanted)
    if name in names:
        return [wanted]
    return [f"{wanted}{suffix}" for suffix in suffixes_of.get(name, ())] if guess_suffix else []


def _missing_message(
    missing: list[tuple[str, str]], count: int, top: str, pattern: str, key: str, guess_suffix: bool
) -> str:
    """Name what was looked for and what lies there instead."""
    ending = f" (also with {', '.join(IMAGE_SUFFIXES)})" if guess_suffix else ""
    tried = "; ".join(f"id {id_!r}: {os.path.relpath(path, top)}" for id_, path in missing[:10])
    folder = os.path.dirname(missing[0][1])
    names = sorted(list_folder(folder)[0])
    holds = f"holds {first_few(names, 3) or 'no files'}" if os.path.isdir(folder) else "does not exist"
    return (
        f"{top}: {len(missing)} files of {count} images are missing. Tried {tried}{ending}; the folder "
        f"{folder} {holds}. Set {key}, now {pattern!r}, so that it fits, e.g. {key}='train/{{id}}.jpg'."
    )
