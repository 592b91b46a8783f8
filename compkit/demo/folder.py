"""The embedded competitions by name, and how they get onto the disk."""

import tempfile
from pathlib import Path

import pandas as pd

from compkit.demo.contest import Embedded
from compkit.demo.digits import accuracy, make_digits, parse_digit
from compkit.demo.mosaic import f1_samples, make_mosaic, parse_labels
from compkit.demo.png import encode_png
from compkit.demo.tilt import make_tilt, parse_angle, rmse
from compkit.files import write_text

EMBEDDED = {
    "digits": Embedded(make_digits, "label", parse_digit, "accuracy", accuracy),
    "mosaic": Embedded(make_mosaic, "labels", parse_labels, "f1_samples", f1_samples),
    "tilt": Embedded(make_tilt, "angle", parse_angle, "rmse", rmse),
}


def solution_path(name: str, data_dir: Path) -> Path:
    """Where the hidden solution of a competition lies, outside its folder."""
    return data_dir / "solutions" / f"{name}.csv"


def find_embedded(name: str) -> Embedded:
    """The embedded competition of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in EMBEDDED:
        raise ValueError(
            f"{name!r} is no embedded competition; expected one of {', '.join(EMBEDDED)}. "
            "Set e.g. competition=digits."
        )
    return EMBEDDED[name]


def ensure_competition(name: str, data_dir: Path) -> Path:
    """Make the competition in `data_dir/<name>` unless it is there already; returns that folder.

    Raises:
        ValueError: no such embedded competition.
        OSError: something else is in the folder, or it cannot be written.
    """
    folder, solution = data_dir / name, solution_path(name, data_dir)
    if not ((folder / "train.csv").is_file() and solution.is_file()):
        make_competition(name, folder, solution.parent)
    return folder


def make_competition(name: str, folder: Path, solution_folder: Path) -> None:
    """Write a competition as Kaggle would: train.csv, sample_submission.csv, train/ID.png, test/ID.png.

    The solution goes to `solution_folder/<name>.csv`. Every byte is the same each time and on every
    machine. The folder appears complete or not at all, and of several processes that make it at once
    the first one wins; a folder that is there already is left as it is.

    Args:
        name: a key of `EMBEDDED`.
        folder: the competition's new folder.
        solution_folder: a folder outside it.

    Raises:
        ValueError: no such embedded competition.
        OSError: something else is in the folder, or it cannot be written.
    """
    contest = find_embedded(name).make()
    folder.parent.mkdir(parents=True, exist_ok=True)
    # first of all: the folder is the sign to other processes that everything is there
    write_text(solution_folder / f"{name}.csv", as_csv(contest.solution))
    with tempfile.TemporaryDirectory(prefix=f".tmp-{name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / name
        for part, ids in (("train", contest.train["id"]), ("test", contest.solution["id"])):
            (new / part).mkdir(parents=True)
            for one in ids:
                (new / part / f"{one}.png").write_bytes(encode_png(contest.images[one]))
        sample = contest.solution.copy()
        sample.iloc[:, 1] = contest.placeholder
        write_text(new / "sample_submission.csv", as_csv(sample))
        write_text(new / "train.csv", as_csv(contest.train))
        try:
            new.rename(folder)
        except OSError as error:
            if not (folder / "train.csv").is_file():
                raise OSError(
                    f"{folder}: the embedded competition {name!r} goes there, but {error.strerror}; expected "
                    "no such folder, or an empty one. Move it away, or set data_dir to another folder."
                ) from error


def as_csv(table: pd.DataFrame) -> str:
    """A table of strings as CSV text, with the same line ends on every system.

    >>> as_csv(pd.DataFrame({"id": ["007"], "label": ["1"]}))
    'id,label\\n007,1\\n'
    """
    return table.to_csv(index=False, lineterminator="\n")
