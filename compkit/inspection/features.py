"""What can be known of a picture without looking at what it shows, as columns in families that say where from."""

import os
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from compkit.competition import Competition
from compkit.competition.patterns import split_suffix
from compkit.pictures.measure import Measured
from compkit.types import Table, Task

CHARACTERS = 3  # from both ends of a file's name
NUMBERS = 3  # runs of digits in it
LONGEST = 18  # digits of such a number that count
FEW = 50  # a text column with more different cells is no category
NAMED = 200  # classes looked for in file names
MOST_COLUMNS = 50  # of a table, the first ones; each costs some trees
LARGEST = 1e30  # of a cell: trees take numbers of 32 bits, and no infinite ones


def outside_families(
    table: Table, measured: Measured, competition: Competition, test: Table | None
) -> dict[str, pd.DataFrame]:
    """Families of columns that say nothing of what a picture shows, [N, …] each.

    The order and the names are left out where the labels were read from paths: there they are no accident.
    """
    families = {
        "picture size": picture_sizes(measured),
        "file size": pd.DataFrame({"bytes": measured.file_bytes.astype(float)}),
        "file format": file_formats(measured),
        "file metadata": file_metadata(measured),
    }
    if competition.train_table is not None:
        families["row order"] = row_order(len(table), len(competition.classes))
        families["file name"] = file_names(table, competition.classes, competition.task)
    families |= metadata_columns(table, test, competition)
    return families


def picture_sizes(measured: Measured) -> pd.DataFrame:
    """Height, width and their quotient."""
    height, width = measured.height.astype(float), measured.width.astype(float)
    return pd.DataFrame({"height": height, "width": width, "aspect": width / np.maximum(height, 1)})


def file_formats(measured: Measured) -> pd.DataFrame:
    """What the files' headers say."""
    codes = np.unique(measured.formats, return_inverse=True)[1]
    columns = {
        "format": codes,
        "bits": measured.bits,
        "channels": measured.stored_channels,
        "transparency": measured.has_alpha,
        "orientation": measured.orientation,
        "JPEG quantisation": measured.quantisation,
        "animated": measured.is_animated,
    }
    return pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in columns.items()})


def file_metadata(measured: Measured) -> pd.DataFrame:
    """How much the files hold beside pixels, and, where few kinds of it occur, which kind."""
    columns = {"bytes of metadata": measured.metadata_bytes.astype(float)}
    kinds, codes = np.unique(measured.metadata, return_inverse=True)
    if len(kinds) <= FEW:
        columns["kind of metadata"] = codes.astype(float)
    return pd.DataFrame(columns)


def row_order(rows: int, classes: int) -> pd.DataFrame:
    """Where a row stands, and where in turns of as many rows as there are classes."""
    place = np.arange(rows)
    return pd.DataFrame({"position": place, "position in turns": place % max(2, classes)}, dtype=float)


def file_names(table: Table, classes: Sequence[str], task: Task) -> pd.DataFrame:
    """Numbers, length, first and last characters of each file's name, and the class that it names.

    >>> table = Table(np.array(["a"]), np.array([[b"train/cat_07.png"]]), None)
    >>> file_names(table, ("dog", "cat"), Task.MULTICLASS)[["number 1", "length", "class in name"]].to_numpy().tolist()
    [[7.0, 6.0, 1.0]]
    """
    stems = [split_suffix(os.path.basename(os.fsdecode(files[0])))[0] for files in table.files]
    columns: dict[str, list[float]] = {"length": [len(stem) for stem in stems]}
    runs = [re.findall(r"\d+", stem) for stem in stems]
    for number in range(min(NUMBERS, max((len(run) for run in runs), default=0))):
        text = [run[number][-LONGEST:] if number < len(run) else "-1" for run in runs]
        columns[f"number {number + 1}"] = [float(one) for one in text]
        columns[f"last digit of number {number + 1}"] = [float(one[-1]) for one in text]
    for place in [*range(CHARACTERS), *range(-CHARACTERS, 0)]:
        name = f"character {place + 1}" if place >= 0 else f"character {-place} from the end"
        inside = [-len(stem) <= place < len(stem) for stem in stems]
        columns[name] = [ord(stem[place]) if there else -1 for stem, there in zip(stems, inside, strict=True)]
    if task != Task.REGRESSION:
        columns["class in name"] = _class_in_name(stems, classes)
    return pd.DataFrame(columns, dtype=float)


def _class_in_name(stems: Sequence[str], classes: Sequence[str]) -> list[float]:
    """The number of the longest class that a name holds as a word of its own; -1 without one."""
    words = {name.lower(): place for place, name in enumerate(classes[:NAMED]) if name}
    either = "|".join(re.escape(name) for name in sorted(words, key=len, reverse=True))
    if not either:
        return [-1.0] * len(stems)
    word = re.compile(rf"(?<![^\W_])({either})(?![^\W_])")
    found = (word.search(stem.lower()) for stem in stems)
    return [-1.0 if match is None else float(words[match[1]]) for match in found]


def metadata_columns(table: Table, test: Table | None, competition: Competition) -> dict[str, pd.DataFrame]:
    """The first columns that training and test rows have, each a family of its own.

    Numbers stay numbers, categories become whole numbers, and other text how long it is.
    """
    names = metadata_names(table, test, competition)[:MOST_COLUMNS]
    return {f"column {name}": pd.DataFrame({name: as_numbers(table.frame[name])}) for name in names}


def metadata_names(table: Table, test: Table | None, competition: Competition) -> list[str]:
    """Names of the columns that training and test rows have; ids, groups and labels are none."""
    if test is None:
        return []
    used = used_columns(competition)
    return [str(name) for name in table.frame if name in test.frame and name not in used]


def used_columns(competition: Competition) -> set[str | None]:
    """Columns that are ids, labels, groups, times, folds or choose rows."""
    return {
        competition.id_column,
        competition.test_id_column,
        competition.sample_id_column,
        *competition.target_columns,
        competition.class_column,
        competition.subject_column,
        competition.group_column,
        competition.time_column,
        competition.fold_column,
        *competition.train_rows,
        *competition.test_rows,
    }


def as_numbers(column: pd.Series) -> np.ndarray:
    """A column of cells as float [N], none beyond ±1e30; empty cells are -1 among categories, the least of numbers.

    >>> as_numbers(pd.Series(["1", "2.5", ""])).tolist(), as_numbers(pd.Series(["b", "a", "b"])).tolist()
    ([1.0, 2.5, 0.0], [1.0, 0.0, 1.0])
    """
    if not pd.api.types.is_string_dtype(column) and column.dtype != object:
        values = column.astype("int64") if column.dtype.kind == "M" else column
        return np.clip(values.to_numpy(float), -LARGEST, LARGEST)
    text = column.astype(str).str.strip()
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
    if numbers.notna().sum() == (text != "").sum() and numbers.notna().any():
        return np.clip(numbers.fillna(numbers.min() - 1).to_numpy(float), -LARGEST, LARGEST)
    if text.nunique() > FEW:
        return text.str.len().to_numpy(float)
    return (pd.Categorical(text).codes - (text == "").to_numpy()).astype(float)


def looks(measured: Measured) -> pd.DataFrame:
    """Brightness, contrast and sharpness: what makes a compressed file large for an honest reason."""
    return pd.DataFrame(
        {
            "brightness": measured.brightness.astype(float),
            "contrast": measured.contrast.astype(float),
            "sharpness": measured.sharpness.astype(float),
        }
    )


def colours(measured: Measured) -> pd.DataFrame:
    """The mean of each channel."""
    return pd.DataFrame(
        {f"mean of channel {channel}": mean.astype(float) for channel, mean in enumerate(measured.mean.T)}
    )


def borders(measured: Measured) -> pd.DataFrame:
    """The mean of each channel over the outermost rows and columns, and how far it lies from the picture's mean."""
    columns = {}
    for channel, (border, mean) in enumerate(zip(measured.border.T, measured.mean.T, strict=True)):
        columns[f"border of channel {channel}"] = border.astype(float)
        columns[f"border of channel {channel} against the mean"] = (border - mean).astype(float)
    return pd.DataFrame(columns)
