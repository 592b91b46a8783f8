"""The labels of the training rows: of wide and long tables, and of those rows that have one."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.keys import CompetitionKeys
from compkit.competition.labels import Labels, encode_labels, unlabelled_rows
from compkit.competition.long_table import JOINT, class_sets, class_values, first_rows, require_one_class
from compkit.competition.table import first_few, read_repeated_ids, require_column
from compkit.competition.table_rows import CLASS, used_columns
from compkit.types import Task

log = logging.getLogger(__name__)


def read_labels(keys: CompetitionKeys, frame: pd.DataFrame, source: Path) -> tuple[pd.DataFrame, Labels]:
    """The frame with a row an image, without the columns that made it long, and its labels.

    Raises:
        ValueError: a column is missing, rows of an image contradict each other, or a label is not what the task needs.
    """
    for column in keys.target_columns:
        require_column(frame, column, source, "competition.target_column")
    ids = read_repeated_ids(frame, keys.id_column, source, "competition.id_column")
    cells, is_one_column, separator = frame[keys.target_columns], keys.one_target_column, keys.separator
    class_column = CLASS if CLASS in frame else keys.class_column
    if class_column is not None:
        require_column(frame, class_column, source, "competition.class_column")
        classes = frame[class_column].to_numpy(dtype=str)
        if class_column in keys.target_columns:
            sets, separator = class_sets(ids, classes, keys.empty_token), JOINT
            if keys.task == Task.MULTICLASS:
                require_one_class(sets, list(dict.fromkeys(ids.tolist())), source)
            cells = pd.DataFrame({class_column: sets}, dtype=str)
        else:
            values = frame[keys.target_columns[0]].to_numpy(dtype=str)
            cells, is_one_column = class_values(ids, classes, values, source), False
        frame = frame.drop(columns=list({class_column, *keys.target_columns}))
        frame = first_rows(frame, ids, used_columns(keys, keys.train_images), source)
        ids = frame[keys.id_column].to_numpy(dtype=str)
    labels = encode_labels(
        cells, ids, keys.task, is_one_column, keys.given_classes, separator, keys.empty_token, source
    )
    return frame, labels


def labelled_rows(keys: CompetitionKeys, targets: np.ndarray, ids: np.ndarray, source: Path) -> np.ndarray:
    """Positions of the rows that have a label; that some have none must be allowed.

    Raises:
        ValueError: no row has one, or some have none and `unlabelled` is error.
    """
    missing = unlabelled_rows(targets)
    if missing.all():
        raise ValueError(
            f"{source}: no row has a label in {first_few(keys.target_columns, 40)}; expected some. Set "
            "competition.target_column to the column that has them."
        )
    if missing.any() and keys.unlabelled == "error":
        raise ValueError(
            f"{source}: {missing.sum()} rows have no label (empty or nan), ids "
            f"{first_few(ids[missing].tolist())}; expected one in each. Set competition.unlabelled=drop "
            "to train without these rows."
        )
    if missing.any():
        log.warning("%s: dropped %d of %d rows, which have no label", source, missing.sum(), len(ids))
    return np.flatnonzero(~missing)
