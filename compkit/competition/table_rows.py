"""The rows of a competition's tables as its keys say: chosen, their ids bare, joined with others, one an image."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from compkit.competition.folders import read_class_folders, read_named_folders
from compkit.competition.joined_table import join_table, keep_rows
from compkit.competition.key_checks import reads_names
from compkit.competition.keys import CompetitionKeys
from compkit.competition.long_ids import split_ids
from compkit.competition.long_table import first_rows
from compkit.competition.patterns import column_names, image_folder
from compkit.competition.table import read_ids, read_repeated_ids, read_table

CLASS = "{class}"  # column of the classes that stood in the ids; no table has one of this name


def train_rows(keys: CompetitionKeys) -> tuple[pd.DataFrame, Path]:
    """The training rows as text, several an image in the long form, and the table or folder they come from.

    Raises:
        FileNotFoundError: no such table or folder.
        ValueError: a table that cannot be read, or not as the keys say.
    """
    if keys.train_table is not None:
        source = keys.path / keys.train_table
        return _table_rows(keys, "train", source, keys.id_column, keys.train_ids, keys.given_classes), source
    source, target = keys.path / image_folder(keys.train_images), keys.target_columns[0]
    if not reads_names(keys):
        frame = read_class_folders(keys.path, keys.train_images, keys.id_column, target, keys.channel_files)
        return frame, source
    frame = read_named_folders(
        keys.path, keys.train_images, keys.id_column, keys.train_rows, keys.channel_files
    )
    return keep_rows(frame, keys.train_rows, source, "competition.train_rows"), source


def test_rows(keys: CompetitionKeys) -> tuple[pd.DataFrame, Path]:
    """The rows of test_table as text, one an id.

    Raises:
        FileNotFoundError: no such table.
        ValueError: a table that cannot be read, or not as the keys say.
    """
    source, column = keys.path / str(keys.test_table), keys.test_id_column
    frame = _table_rows(keys, "test", source, column, keys.test_ids, keys.classes)
    if CLASS in frame or keys.class_column in frame:  # further rows of an image only name its classes
        ids = read_repeated_ids(frame, column, source, "competition.test_id_column")
        frame = first_rows(frame, ids, used_columns(keys, str(keys.test_images)), source)
    read_ids(frame, column, source, "competition.test_id_column")
    return frame, source


def sample_rows(keys: CompetitionKeys) -> pd.DataFrame:
    """The rows of the sample submission as text, one an id and in its order.

    Raises:
        FileNotFoundError: no such sample.
        ValueError: a column or id is missing or repeated, or the ids do not look like sample_ids.
    """
    source, column = keys.path / str(keys.sample_submission), keys.sample_id_column
    frame = read_table(source, "competition.sample_submission")
    names = [keys.submission_names.get(name, name) for name in keys.classes]
    frame = _split_column(frame, column, keys.sample_ids, names, source, "sample")
    if CLASS in frame or keys.sample_class_column is not None:
        ids = read_repeated_ids(frame, column, source, "competition.sample_id_column")
        frame = first_rows(frame, ids, [], source)
    read_ids(frame, column, source, "competition.sample_id_column")
    return frame


def used_columns(keys: CompetitionKeys, pattern: str) -> list[str]:
    """Columns besides id and labels that a key or a pattern of pictures names."""
    of_keys = (keys.group_column, keys.time_column, keys.fold_column, keys.subject_column)
    return [*(name for name in of_keys if name is not None), *column_names(pattern)]


def _table_rows(
    keys: CompetitionKeys, part: str, source: Path, column: str, pattern: str, names: Sequence[str]
) -> pd.DataFrame:
    """The rows of train_table or test_table; their index counts lines below a header, for messages."""
    wanted, joins = getattr(keys, f"{part}_rows"), getattr(keys, f"{part}_join")
    frame = read_table(source, f"competition.{part}_table", keys.header, keys.separator)
    if not keys.header:
        frame.index = frame.index - 1
    # a joined table may have only the rows that are wanted, or be the one that tells which those are
    at_once = {name: cells for name, cells in wanted.items() if name in frame.columns or not joins}
    later = {name: cells for name, cells in wanted.items() if name not in at_once}
    frame = keep_rows(frame, at_once, source, f"competition.{part}_rows")
    frame = _split_column(frame, column, pattern, names, source, part)
    for other, shared in joins.items():
        key = f"competition.{part}_join"
        frame = join_table(frame, keys.path / other, shared, key, keys.header, keys.separator)
    return keep_rows(frame, later, source, f"competition.{part}_rows")


def _split_column(
    frame: pd.DataFrame, column: str, pattern: str, names: Sequence[str], source: Path, part: str
) -> pd.DataFrame:
    """The frame with bare ids in its id column, and their classes, where the cells have any, in CLASS."""
    if pattern == "{id}":
        return frame
    cells = read_repeated_ids(frame, column, source, f"competition.{part}_id_column")
    ids, classes = split_ids(cells, pattern, names, source, f"competition.{part}_ids")
    bare = {column: ids.astype(object)}
    return frame.assign(**bare if classes is None else bare | {CLASS: classes.astype(object)})
