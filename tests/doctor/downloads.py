"""Competitions as they come from somewhere, with something wrong in their tables or files, or nothing.

A planter is a function of a `Download`, which it changes in place; `competition_with` writes the result.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from compkit.demo.folder import EMBEDDED


@dataclass
class Download:
    """Tables and pictures before they are written.

    Attributes:
        table: the training table, cells of text.
        pictures: of the training rows, by id, uint8 [H, W] or [H, W, 3].
        test: of the test rows, by id.
        rng: what is random about a fault.
        kind: ending of the pictures' files: png, jpg or npy.
        files: content of files that are not simply a picture, by id.
        trailing: bytes behind the end of a picture's file, by id.
    """

    table: pd.DataFrame
    pictures: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    rng: np.random.Generator
    kind: str = "png"
    files: dict[str, bytes] = field(default_factory=dict)
    trailing: dict[str, bytes] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return self.table["id"].tolist()

    @property
    def labels(self) -> np.ndarray:
        """The digits as numbers."""
        return self.table["label"].to_numpy(dtype=int)

    def change(self, ids: list[str], change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Put changed pictures in the place of some."""
        self.pictures.update({id: change(self.pictures[id]) for id in ids})


Planter = Callable[[Download], None]


def embedded(name: str, rows: int | None, seed: int) -> Download:
    """An embedded competition, of which some training rows are kept."""
    contest, rng = EMBEDDED[name].make(), np.random.default_rng(seed)
    table = contest.train
    if rows is not None:
        table = table.iloc[np.sort(rng.permutation(len(table))[:rows])].reset_index(drop=True)
    images = contest.images
    return Download(
        table.copy(),
        {id: images[id] for id in table["id"]},
        {id: images[id] for id in contest.solution["id"]},
        rng,
    )


def competition_with(planter: Planter, competition: str, rows: int | None, folder: Path, seed: int) -> Path:
    """Write a download with a fault, unless it lies there; the folder appears whole or not at all."""
    if folder.is_dir():
        return folder
    download = embedded(competition, rows, seed)
    planter(download)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        _write(download, EMBEDDED[competition].target, new)
        shutil.move(new, folder)
    return folder


def _write(download: Download, target: str, folder: Path) -> None:
    for part, pictures in (("train", download.pictures), ("test", download.test)):
        (folder / part).mkdir(parents=True)
        for id, picture in pictures.items():
            content = download.files[id] if id in download.files else as_file(picture, download.kind)
            path = folder / part / f"{id}.{download.kind}"
            path.write_bytes(content + download.trailing.get(id, b""))
    download.table.to_csv(folder / "train.csv", index=False)
    sample = pd.DataFrame({"id": list(download.test), target: "0"})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def as_file(picture: np.ndarray, kind: str) -> bytes:
    """A picture as the bytes of a file."""
    if kind == "npy":
        with tempfile.TemporaryFile() as file:
            np.save(file, picture)
            file.seek(0)
            return file.read()
    if picture.ndim == 3:
        picture = picture[..., ::-1]
    return cv2.imencode(f".{kind}", picture)[1].tobytes()


# labels


def shuffled(download: Download) -> None:
    """Labels of other rows."""
    download.table["label"] = download.rng.permutation(download.table["label"].to_numpy())


def shifted(download: Download) -> None:
    """Labels one row too far down, as after a header was taken for a row."""
    download.table["label"] = np.roll(download.table["label"].to_numpy(), 1)


def wrong(download: Download) -> None:
    """Two of five labels replaced by any other class."""
    other = (download.labels + download.rng.integers(1, 10, len(download.table))) % 10
    keep = download.rng.random(len(download.table)) >= 0.4
    download.table["label"] = np.where(keep, download.labels, other).astype(str)


def other_column(download: Download) -> None:
    """The column that target_column names is another one; the label's is called otherwise."""
    download.table["digit"] = download.table["label"]
    download.table["label"] = download.rng.integers(0, 10, len(download.table)).astype(str)


def swapped_header(download: Download) -> None:
    """The names of two columns changed places."""
    download.table.columns = ["label", "id"]


def blanks(download: Download) -> None:
    """Half of a class has a blank behind its name."""
    is_late = (download.labels == 3) & (np.arange(len(download.table)) % 2 == 0)
    names = np.array(["zero", "one", "two", "cat", "four", "five", "six", "seven", "eight", "nine"])
    download.table["label"] = np.where(is_late, "cat ", names[download.labels])


def cases(download: Download) -> None:
    """Half of a class begins with a capital letter."""
    blanks(download)
    download.table["label"] = download.table["label"].replace("cat ", "Cat")


def two_kinds_of_number(download: Download) -> None:
    """Labels of some rows came from a table of floats."""
    from_floats = np.arange(len(download.table)) % 5 == 0
    download.table["label"] = np.where(from_floats, download.table["label"] + ".0", download.table["label"])


def conflicting_rows(download: Download) -> None:
    """Some rows stand there twice, with another label."""
    again = download.table.iloc[:5].copy()
    again["label"] = (again["label"].astype(int) + 1).astype(str)
    download.table = pd.concat([download.table, again], ignore_index=True)


def missing_labels(download: Download) -> None:
    """Some cells are empty."""
    download.table.loc[:4, "label"] = ""


def few(download: Download) -> None:
    """400 rows to validate on, and 40 to learn from."""
    download.table["part"] = (np.arange(len(download.table)) >= 400).astype(int)


def rare_class(download: Download) -> None:
    """A class with a single row."""
    download.table.loc[7, "label"] = "10"


def class_in_one_fold(download: Download) -> None:
    """Somebody's folds keep a class together."""
    folds = np.arange(len(download.table)) % 3
    download.table["part"] = np.where(download.labels == 4, 0, folds)


def imbalanced(download: Download) -> None:
    """Class 9 has an eighth of class 0."""
    keep = download.rng.random(len(download.table)) < 0.125 ** (download.labels / 9)
    download.table = download.table[keep].reset_index(drop=True)
    download.pictures = {id: download.pictures[id] for id in download.ids}


# files


def other_pictures(download: Download) -> None:
    """Ids name the pictures of other rows: files were sorted as text, ids as numbers."""
    names = download.rng.permutation(download.ids)
    download.pictures = dict(zip(download.ids, [download.pictures[id] for id in names], strict=True))


def truncated(download: Download) -> None:
    """The last half of a file is missing."""
    id = download.ids[5]
    content = as_file(large(download.pictures[id]), download.kind)
    download.files[id] = content[: len(content) // 2]


def empty_file(download: Download) -> None:
    """A file of no bytes."""
    download.files[download.ids[5]] = b""


def all_black(download: Download) -> None:
    """Pictures were lost when they were saved."""
    download.change(download.ids, np.zeros_like)


def one_picture(download: Download) -> None:
    """Every file holds the same picture."""
    first = download.pictures[download.ids[0]]
    download.change(download.ids, lambda picture: first)


def twelve_bits(download: Download) -> None:
    """Twelve bits in files of sixteen: white is a sixteenth of the range."""
    download.change(download.ids, lambda picture: picture.astype(np.uint16) * 16)


def eight_bits_in_sixteen(download: Download) -> None:
    """Values from 0 to 255 in files of sixteen bits, which look black."""
    download.change(download.ids, lambda picture: picture.astype(np.uint16))


def raw_floats(download: Download) -> None:
    """Floating-point pixels from 0 to 255, where the program expects 0 to 1."""
    download.kind = "npy"
    for pictures in (download.pictures, download.test):
        pictures.update({id: picture.astype(np.float32) for id, picture in pictures.items()})


def nan_pixels(download: Download) -> None:
    """A few pictures with pixels that are no numbers."""
    raw_floats(download)
    download.change(download.ids, lambda picture: picture / 255)
    for id in download.ids[:20]:
        download.pictures[id][2, 2] = np.nan


def large(picture: np.ndarray) -> np.ndarray:
    """Four times as high and wide."""
    return cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)


def one_pixel(download: Download) -> None:
    """A pixel tells the label."""
    for id, label in zip(download.ids, download.labels, strict=True):
        download.pictures[id] = large(download.pictures[id])
        download.pictures[id][0, 0] = 20 * label + 10


def grey_class(download: Download) -> None:
    """Pictures of one class are brighter than all others."""
    ids = [id for id, label in zip(download.ids, download.labels, strict=True) if label == 3]
    download.change(ids, lambda picture: picture // 2 + 120)


def coloured_by_class(download: Download) -> None:
    """The tint of a picture tells its label: each class has a camera of its own."""
    for id, label in zip(download.ids, download.labels, strict=True):
        tint = np.array([label % 3, label // 3 % 3, label // 9]) * 60
        picture = download.pictures[id].astype(int)[..., None] // 2 + tint
        download.pictures[id] = np.clip(picture, 0, 255).astype(np.uint8)


def one_class_turned(download: Download) -> None:
    """Pictures of one class lie on their side."""
    download.change(download.ids, lambda picture: cv2.resize(picture, (8, 12)))
    sevens = [id for id, label in zip(download.ids, download.labels, strict=True) if label == 7]
    download.change(sevens, lambda picture: np.ascontiguousarray(np.rot90(picture)))


def stamp_on_one_class(download: Download) -> None:
    """A stamp in a corner of all pictures of one class."""
    download.change(download.ids, large)
    stamped = [id for id, label in zip(download.ids, download.labels, strict=True) if label == 7]

    def stamp(picture: np.ndarray) -> np.ndarray:
        picture = picture.copy()
        picture[-3:, -6:] = 255
        return picture

    download.change(stamped, stamp)


def size_tells(download: Download) -> None:
    """The length of a file tells the label; its pixels do not."""
    for id, label in zip(download.ids, download.labels, strict=True):
        download.trailing[id] = bytes(500 * int(label))


def name_tells(download: Download) -> None:
    """Ids begin with the label."""
    names = {id: f"{label}{id}" for id, label in zip(download.ids, download.labels, strict=True)}
    download.table["id"] = [names[id] for id in download.ids]
    download.pictures = {names[id]: picture for id, picture in download.pictures.items()}


def order_tells(download: Download) -> None:
    """Rows come class by class."""
    download.table = download.table.sort_values("label", kind="stable", ignore_index=True)


def _copies(download: Download, rows: int, next_label: int) -> None:
    again = download.table.iloc[:rows].copy()
    again["id"] = [f"{id}b" for id in again["id"]]
    again["label"] = ((again["label"].astype(int) + next_label) % 10).astype(str)
    download.pictures.update({f"{id}b": download.pictures[id] for id in download.ids[:rows]})
    download.table = pd.concat([download.table, again], ignore_index=True)


def copies(download: Download) -> None:
    """A tenth of the pictures are there twice."""
    _copies(download, len(download.table) // 10, next_label=0)


def contradictions(download: Download) -> None:
    """All pictures of a class are there again, as another class."""
    download.table = download.table.sort_values(
        "label", kind="stable", ignore_index=True, key=lambda column: column != "6"
    )
    _copies(download, int((download.labels == 6).sum()), next_label=1)


def placeholders(download: Download) -> None:
    """A quarter of the pictures are "no picture here"."""
    board = np.zeros((8, 8), np.uint8)
    board[2:6, 1:7:2] = 180
    download.change(download.ids[::4], lambda picture: board)


def other_test(download: Download) -> None:
    """Test pictures are negatives, and blurred."""
    for id, picture in download.test.items():
        download.test[id] = cv2.GaussianBlur(255 - picture, (0, 0), 0.8)


def other_validation(download: Download) -> None:
    """Somebody's folds: pictures to validate on are negatives."""
    download.table["part"] = (np.arange(len(download.table)) >= len(download.table) // 3).astype(int)
    download.change(download.ids[: len(download.table) // 3], lambda picture: 255 - picture)


# numbers and sets of labels


def outlier(download: Download) -> None:
    """One target with a comma in the wrong place."""
    download.table.loc[11, "angle"] = "1000000000"


def constant(download: Download) -> None:
    """All targets are equal."""
    download.table["angle"] = "12.5"


def almost_constant(download: Download) -> None:
    """All targets but two are equal."""
    download.table["angle"] = np.where(np.arange(len(download.table)) < 2, "13.0", "12.5")


def shuffled_angles(download: Download) -> None:
    """Targets of other rows."""
    download.table["angle"] = download.rng.permutation(download.table["angle"].to_numpy())


def sentinel(download: Download) -> None:
    """A tenth of the targets are -9999, which stands for unknown."""
    download.table.loc[download.table.index % 10 == 0, "angle"] = "-9999"


def label_always_there(download: Download) -> None:
    """One label belongs to every picture."""
    column = download.table["labels"].str.split()
    download.table["labels"] = [" ".join(sorted({"0", *labels})) for labels in column]


def label_twice(download: Download) -> None:
    """Label 1 was copied from label 0."""
    column = [set(labels.split()) - {"1"} for labels in download.table["labels"]]
    download.table["labels"] = [" ".join(sorted(one | ({"1"} if "0" in one else set()))) for one in column]


def shuffled_sets(download: Download) -> None:
    """Label sets of other rows."""
    download.table["labels"] = download.rng.permutation(download.table["labels"].to_numpy())


# nothing wrong


def as_it_is(download: Download) -> None:
    """Nothing is changed."""


def five_channels(download: Download) -> None:
    """Pictures of five channels from 0 to 1."""
    download.kind = "npy"
    factors = np.array([1.0, 0.8, 0.6, 0.4, 0.2], np.float32) / 255
    for pictures in (download.pictures, download.test):
        pictures.update({id: picture[..., None] * factors for id, picture in pictures.items()})


def sixteen_bits(download: Download) -> None:
    """The whole range of sixteen bits."""
    for pictures in (download.pictures, download.test):
        pictures.update({id: picture.astype(np.uint16) * 257 for id, picture in pictures.items()})


def dark_floats(download: Download) -> None:
    """Floating-point pixels from 0 to 4000, which max_value says."""
    raw_floats(download)
    for pictures in (download.pictures, download.test):
        pictures.update({id: picture * np.float32(15.6) for id, picture in pictures.items()})


def coloured(download: Download) -> None:
    """Colours that have nothing to do with the label."""
    for id, picture in download.pictures.items():
        tint = download.rng.integers(120, 256, 3)
        download.pictures[id] = (picture[..., None] * tint // 255).astype(np.uint8)


def somebodys_folds(download: Download) -> None:
    """A column of folds."""
    download.table["part"] = np.arange(len(download.table)) % 3


def years(download: Download) -> None:
    """A column of time that has nothing to do with the label."""
    download.table["year"] = 2000 + download.rng.integers(0, 12, len(download.table))


def further_column(download: Download) -> None:
    """What else could be learnt beside the label."""
    download.table["is_round"] = np.isin(download.labels, (0, 6, 8, 9)).astype(int).astype(str)


def two_classes(download: Download) -> None:
    """Odd or even, by name."""
    download.table["label"] = np.where(download.labels % 2 == 1, "odd", "even")
