"""What made-up downloads are built from: pictures that say who they are, tables in many hands, and what is true of them.

A picture's pixels hold its serial number, so a test needs no name, path or column to tell whether a row got the right
file and the right label.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

PICTURE, DECOY = 0, 7  # what a file shows; 1-4 are single channels of a picture

Label = str | frozenset[str] | dict[str, float]  # class, classes, or numbers by their names


@dataclass(frozen=True)
class Facts:
    """What is true of a download, whatever its files and columns are called.

    Attributes:
        task: multiclass, multilabel or regression; None when compkit cannot train on it.
        labels: of every labelled training picture, by its serial number.
        tests: serial numbers of the pictures of each id that is predicted; None: whichever ids stand for these.
        cells: of the sample submission (row, column, id, class); class None: the cell holds labels.
        sample: path of the sample submission; None when there is none.
        answers: right values of the keys that cannot be known, or not easily, and may be asked.
        must_ask: of each tuple one key has to be asked, as nothing in the folder tells its value.
        groups: what must not be torn apart, by serial number.
        folds: official folds by serial number; `valid` those that validate.
        time: the column that tells when.
        told: words (columns, files) that the output has to mention.
        channels: files a row.
        metric: one that suits the sample submission.
        unlabelled: serial numbers of training pictures without label.
        optional: labels of further pictures that may be trained on too.
        written: how the sample calls a class, where the labels are called otherwise.
    """

    task: str | None
    labels: dict[int, Label] = field(default_factory=dict)
    tests: dict[str, tuple[int, ...]] = field(default_factory=dict)
    cells: Sequence[tuple[int, str, str, str | None]] = ()
    sample: str | None = None
    answers: dict[str, object] = field(default_factory=dict)
    must_ask: Sequence[tuple[str, ...]] = ()
    groups: dict[int, str] | None = None
    folds: dict[int, str] | None = None
    valid: Sequence[str] = ()
    time: str | None = None
    told: Sequence[str] = ()
    channels: int = 1
    metric: str = "accuracy"
    unlabelled: Sequence[int] = ()
    optional: dict[int, Label] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)


def draw(serial: int, kind: int = PICTURE, side: int = 32, deep: bool = False) -> np.ndarray:
    """A grey picture of four flat quarters, an octal digit each: uint8 or uint16 [side, side].

    >>> read_serial(draw(83)), read_serial(draw(511, kind=3, side=16, deep=True))
    ((83, 0), (511, 3))
    """
    digits = np.array([[serial // 64, serial // 8 % 8], [serial % 8, kind]])
    half = side // 2
    levels = np.kron(digits * 32 + 16, np.ones((half, half), int))
    return (levels * 257).astype(np.uint16) if deep else levels.astype(np.uint8)


def read_serial(image: np.ndarray) -> tuple[int, int]:
    """Serial number and kind of a picture [H, W] or [H, W, C], of any size and depth."""
    plane = image if image.ndim == 2 else image[:, :, 1]
    plane = plane / 257 if plane.dtype == np.uint16 else plane
    height, width = plane.shape
    rows, columns = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    a, b, c, kind = (int(plane[y - 1 : y + 2, x - 1 : x + 2].mean()) // 32 for y in rows for x in columns)
    return a * 64 + b * 8 + c, kind


def read_file(path: str) -> tuple[int, int]:
    """Serial number and kind of a file."""
    return read_serial(np.load(path) if path.endswith(".npy") else cv2.imread(path, cv2.IMREAD_UNCHANGED))


class Download:
    """A folder filled as a competition's download might be; what may vary is drawn from the seed, 0 is plain.

    >>> Download(Path("nowhere"), seed=0).word("photo", "scan")
    'photo'
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.seed = root, seed
        self.rng = np.random.default_rng(seed)
        self._serials = iter(self.rng.permutation(np.arange(1, 512)).tolist())

    def word(self, *choices: str) -> str:
        """One of several names for the same thing."""
        return choices[0] if self.seed == 0 else str(self.rng.choice(choices))

    def codes(self, count: int, length: int = 8) -> list[str]:
        """Different random ids such as `k3f9a2b0`."""
        letters = list("abcdefghkmnprstw23456789")
        codes: set[str] = set()
        while len(codes) < count:
            codes.add("k" + "".join(self.rng.choice(letters, length - 1)))
        return list(self.rng.permutation(sorted(codes)))

    def labels(self, classes: Sequence[str], count: int) -> list[str]:
        """As many of each class, shuffled."""
        return list(self.rng.permutation([classes[place % len(classes)] for place in range(count)]))

    def sets(self, classes: Sequence[str], count: int) -> list[list[str]]:
        """For each row a third of the classes or so, the first rows with all, with none, with one."""
        rows = [[name for name in classes if self.rng.random() < 0.35] for _ in range(count - 3)]
        return [list(classes), [], [classes[0]], *rows]

    def serials(self, count: int) -> list[int]:
        return [next(self._serials) for _ in range(count)]

    def picture(
        self, path: str, serial: int, kind: int = PICTURE, side: int = 32, deep: bool = False
    ) -> None:
        """Write one; in colour unless it is a single channel or deep."""
        image = draw(serial, kind, side, deep)
        if kind in (PICTURE, DECOY) and not deep:
            image = np.dstack([np.clip(image.astype(int) + tint, 0, 255) for tint in (12, 0, -12)]).astype(
                np.uint8
            )
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, np.dstack([image, image[:, :, :1]]))
        else:
            assert cv2.imwrite(str(file), image), file

    def pictures(self, pattern: str, ids: Iterable[str], **how: object) -> dict[str, int]:
        """A picture for each id, at the pattern with {} for the id; their serial numbers by id."""
        ids = list(ids)
        serials = dict(zip(ids, self.serials(len(ids)), strict=True))
        for id_, serial in serials.items():
            self.picture(pattern.replace("{}", id_), serial, **how)  # type: ignore[arg-type]
        return serials

    def table(
        self,
        path: str,
        columns: Mapping[str, Sequence[object]],
        sep: str = ",",
        header: bool = True,
        extras: bool = False,
        shuffle: bool = True,
        encoding: str = "utf-8",
        newline: str = "\n",
    ) -> pd.DataFrame:
        """Write a table; other seeds shuffle rows and columns, and add columns of no use if `extras`."""
        frame = pd.DataFrame({name: list(cells) for name, cells in columns.items()})
        if self.seed and extras:
            frame["px_width"] = self.rng.choice([640, 1024, 2048], len(frame))
            frame["origin"] = "field"
        if self.seed and shuffle:
            order = self.rng.permutation(len(frame.columns)) if header else np.arange(len(frame.columns))
            frame = frame.iloc[self.rng.permutation(len(frame)), order]
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(file, sep=sep, header=header, index=False, encoding=encoding, lineterminator=newline)
        return frame

    def sample(
        self,
        path: str,
        key: str,
        ids: Iterable[str],
        columns: Mapping[str, str | None],
        dummy: object = 0.5,
        **how: object,
    ) -> dict[str, object]:
        """Write a sample submission whose columns stand for classes (None: for labels); the facts about it."""
        ids = list(self.rng.permutation(list(ids)))
        varied = self.seed % 2 == 1 and isinstance(dummy, float)
        self.table(
            path,
            {key: ids}
            | {
                name: self.rng.random(len(ids)).round(4) if varied else [dummy] * len(ids) for name in columns
            },
            shuffle=False,
            **how,
        )  # type: ignore[arg-type]
        cells = [(row, name, id_, of) for row, id_ in enumerate(ids) for name, of in columns.items()]
        return {"sample": path, "cells": cells}

    def json(self, path: str, content: object) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def by_serial(serials: Mapping[str, int], values: Iterable[object]) -> dict[int, object]:
    """Values of ids, in their order, as values of serial numbers."""
    return dict(zip(serials.values(), values, strict=True))


def one_each(serials: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Tests of which each id is one picture."""
    return {id_: (serial,) for id_, serial in serials.items()}
