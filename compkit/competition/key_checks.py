"""Keys of a competition that cannot be meant: refused before anything is read."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from compkit.competition.fold_schemes import SCHEMES
from compkit.competition.patterns import CHANNEL, COLUMN, column_names, parse_pattern
from compkit.competition.submission_format import FORMATS
from compkit.competition.table import first_few
from compkit.types import Task

if TYPE_CHECKING:
    from compkit.competition.keys import CompetitionKeys


def check_keys(keys: "CompetitionKeys") -> None:
    """Refuse choices that there are not, numbers out of range, and keys that contradict each other.

    Raises:
        ValueError: naming the key.
    """
    require_choice("competition.fold_scheme", keys.fold_scheme, ("auto", *SCHEMES))
    require_choice("competition.submission_format", keys.submission_format, FORMATS)
    require_choice("competition.corrupt_images", keys.corrupt_images, ("error", "drop"))
    require_choice("competition.unlabelled", keys.unlabelled, ("error", "drop"))
    require_choice("competition.subject_average", keys.subject_average, ("mean", "max"))
    _check_pictures(keys)
    _check_labels(keys)
    _check_tables(keys)
    _check_ids(keys)
    _check_folds(keys)


def require_choice(key: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ValueError: naming them.
    """
    if value not in choices:
        raise ValueError(
            f"{key}={value}: expected one of {', '.join(choices)}. Set {key}={next(iter(choices))}."
        )


def reads_names(keys: "CompetitionKeys") -> bool:
    """Whether the training rows are read from the paths of pictures, beyond class folders."""
    return keys.train_table is None and column_names(keys.train_images) not in ([], ["id"])


def _check_pictures(keys: "CompetitionKeys") -> None:
    if keys.channels < 1:
        raise ValueError(
            f"competition.channels={keys.channels}: expected at least 1. Set 1 for grey, 3 for RGB."
        )
    if keys.channel_files and len(keys.channel_files) != keys.channels:
        raise ValueError(
            f"competition.channel_files: {len(keys.channel_files)} suffixes for {keys.channels} "
            f"channels; expected one a channel. Set competition.channels={len(keys.channel_files)}."
        )
    if keys.max_value is not None and not 0 < keys.max_value < float("inf"):
        raise ValueError(
            f"competition.max_value={keys.max_value}: expected a number above 0. Set the largest pixel value, or null."
        )
    parse_pattern(keys.train_images, "competition.train_images")
    if keys.test_images is not None:
        parse_pattern(keys.test_images, "competition.test_images")
    if keys.train_table is None and keys.channel_files and CHANNEL in keys.train_images:
        raise ValueError(
            f"competition.train_images={keys.train_images!r}: {CHANNEL} needs a table that lists the pictures, but "
            "competition.train_table=null. Set competition.train_table."
        )


def _check_labels(keys: "CompetitionKeys") -> None:
    if keys.separator == "":
        raise ValueError(
            "competition.separator='': expected at least one character. Set e.g. competition.separator=','."
        )
    for key, names in (("target_column", keys.target_columns), ("classes", keys.classes)):
        if len(set(names)) < len(names) or (key == "target_column" and not names):
            raise ValueError(
                f"competition.{key}: {first_few(names, 40)}; expected names that differ, at least one. "
                "Remove the repetitions."
            )
    if keys.train_table is None and not reads_names(keys):
        if keys.task != Task.MULTICLASS:
            raise ValueError(
                f"competition.train_table=null: class folders are for task=multiclass, not {keys.task}. Set "
                "competition.train_table to the table with the labels."
            )
        if not keys.one_target_column:
            raise ValueError(
                f"competition.target_column: {first_few(keys.target_columns)}, but class folders give one "
                "label an image. Set competition.target_column=label, or competition.train_table to a table."
            )
    names = list(keys.submission_names.values())
    if len(set(names)) < len(names):
        raise ValueError(
            f"competition.submission_names: {first_few(names, 40)}; expected another name for each class. Remove the "
            "repetitions."
        )
    strangers = [name for name in keys.submission_names if keys.classes and name not in keys.classes]
    if strangers:
        raise ValueError(
            f"competition.submission_names: {first_few(strangers)} are no competition.classes; expected only some of "
            f"{first_few(keys.classes)}. Write {{class: its name in the sample}}."
        )


def _check_tables(keys: "CompetitionKeys") -> None:
    lacking = {"test_table": ["test_rows", "test_join", "test_ids"]} if keys.test_table is None else {}
    if keys.train_table is None:
        lacking["train_table"] = ["train_join", "train_ids", "class_column"]
        if not reads_names(keys):
            lacking["train_table"].append("train_rows")
    for table, names in lacking.items():
        for name in names:
            if getattr(keys, name) not in (None, {}, "{id}"):
                raise ValueError(
                    f"competition.{name}={getattr(keys, name)}: is about competition.{table}, which is null. Set "
                    f"competition.{table}, or leave competition.{name} out."
                )


def _check_ids(keys: "CompetitionKeys") -> None:
    for part in ("train", "test", "sample"):
        pattern = getattr(keys, f"{part}_ids")
        names = [column[0] for column in COLUMN.finditer(pattern)]
        if sorted(names) not in (["{id}"], ["{class}", "{id}"]) or "}{" in pattern:
            raise ValueError(
                f"competition.{part}_ids={pattern!r}: expected {{id}} once, and at most one {{class}} with something "
                f"between them. Set e.g. competition.{part}_ids='{{id}}_{{class}}'."
            )
    for column, part in (("class_column", "train"), ("sample_class_column", "sample")):
        if getattr(keys, column) is not None and "{class}" in getattr(keys, f"{part}_ids"):
            raise ValueError(
                f"competition.{column}={getattr(keys, column)}: competition.{part}_ids says that the class stands in "
                "the id. Set one of the two."
            )
    is_long = keys.class_column is not None or "{class}" in keys.train_ids
    if is_long and not keys.one_target_column:
        raise ValueError(
            f"competition.target_column: {first_few(keys.target_columns)}; a table with a row for each class has one "
            "column of values. Set competition.target_column to it."
        )
    if keys.class_column in keys.target_columns and keys.task == Task.REGRESSION:
        raise ValueError(
            f"competition.class_column={keys.class_column}: is the target_column, but task=regression needs numbers. "
            "Set competition.target_column to the column of the values."
        )


def _check_folds(keys: "CompetitionKeys") -> None:
    if not 0 < keys.holdout_fraction < 1:
        raise ValueError(
            f"competition.holdout_fraction={keys.holdout_fraction}: expected between 0 and 1. Set e.g. 0.2."
        )
    folds = keys.validation_folds
    if folds is None:
        return
    if keys.fold_column is None or keys.fold_scheme not in ("auto", "predefined"):
        raise ValueError(
            f"competition.validation_folds={list(folds)}: needs competition.fold_column, and fold_scheme auto or "
            "predefined. Set competition.fold_column to the column that holds these values."
        )
    if not folds or len(set(folds)) < len(folds):
        raise ValueError(
            f"competition.validation_folds={list(folds)}: expected values that differ, at least one. Set e.g. "
            "competition.validation_folds=[val]."
        )
