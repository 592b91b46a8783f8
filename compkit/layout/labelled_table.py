"""A competition whose labels stand in a table: every key of its config."""

import re
from pathlib import Path

from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.folds import ask_groups_in_ids, decide_folds
from compkit.layout.images import Choice, ImageChooser
from compkit.layout.leaks import tell_leaks
from compkit.layout.long_form import split_known
from compkit.layout.own_test import find_own_test
from compkit.layout.pairs import label_columns
from compkit.layout.pictures import Pictures
from compkit.layout.pixels import decide_pixels
from compkit.layout.prove import prove
from compkit.layout.roles import Roles
from compkit.layout.rows_to_predict import ToPredict, decide_test, find_rows
from compkit.layout.submission import decide_submission
from compkit.layout.targets import Targets
from compkit.layout.views import View
from compkit.types import Task


def from_table(
    root: Path,
    pictures: Pictures,
    roles: Roles,
    task: Task | None,
    metric: str | None,
    found: Findings,
) -> None:
    """Write the keys of a competition with a training table."""
    train = roles.train
    assert train is not None
    found.set(
        "train_table", train.source.path, "names pictures and holds what the sample submission asks for"
    )
    _tell_rivals(roles, found)
    if not train.source.has_header:
        found.set("header", False, f"the first line of {train.source.path} is a row like the others")
    if train.source.separator != " ":
        found.set("separator", train.source.separator, "no item of the lists in the file holds it")
    _read_long_ids(train, roles)
    labels = label_columns(train, roles.test)
    Targets(train, roles.sample, roles.relation, labels, task, found).decide()
    targets = _targets(found)
    chooser = ImageChooser(root, pictures, found)
    rows = find_rows(roles, pictures)
    images = _train_images(train, roles, rows, pictures, chooser, found)
    own_test = find_own_test(train, roles, targets, found)
    decide_test(roles, train, rows, pictures, chooser, images, own_test, found)
    used = decide_folds(train, targets, roles.test, _taken(train, found), found)
    ask_groups_in_ids(train.ids, found)
    _joins(train, [*targets, *used, *_pattern_columns(found)], found)
    tell_leaks(train, roles, targets, found)
    decide_submission(roles, train, metric, found)
    if images is not None:
        decide_pixels(images, found)
    prove(found)


def _read_long_ids(train: View, roles: Roles) -> None:
    """Read ids that hold a class too as the sample submission does, where both have them."""
    sample = roles.sample
    if sample is None or "{class}" not in sample.pattern or sample.id_column not in train.source.names:
        return
    if sample.id_column != train.key:
        form = split_known(train.source.frame[sample.id_column], sample.pattern, sample.names)
        if form is not None:
            train.long, train.id_column = form, sample.id_column


def _targets(found: Findings) -> list[str]:
    """The target columns that were decided on."""
    columns = found.keys.get("target_column", [])
    return [columns] if isinstance(columns, str) else list(columns)  # type: ignore[call-overload]


def _train_images(
    train: View, roles: Roles, rows: ToPredict, pictures: Pictures, chooser: ImageChooser, found: Findings
) -> Choice | None:
    """id_column and train_images."""
    key = train.key
    same_names = bool(set(train.ids) & rows.names) and not rows.names <= set(train.ids) - _labelled(
        train, found
    )
    id_column = _id_column(train, roles)
    _ask_other_pictures(train, pictures, found)
    images = chooser.choose(train.keys[key], train.ids.nunique(), "train_images", rows.patterns, same_names)
    why = (
        "names the pictures" if id_column == key else f"differs in every row, and {key!r} names the pictures"
    )
    found.set("id_column", id_column, why)
    if images is None:
        found.ask("train_images", "No pattern leads from the rows to files.", [], BLOCKED)
        return None
    text = images.text if id_column == key else _with_column(images.text, key)
    if "train_images" not in found.keys:
        found.set("train_images", text, images.why)
    elif found.keys["train_images"] != BLOCKED:
        found.keys["train_images"] = text
    if images.cell != "{id}" and id_column == key:
        found.set("train_ids", images.cell, "the files have another ending than the cells say")
    if images.channel_files:
        found.keys.setdefault("channel_files", list(images.channel_files))
        found.evidence.setdefault("channel_files", images.why)
    return images


def _ask_other_pictures(train: View, pictures: Pictures, found: Findings) -> None:
    """Ask when two columns name different pictures of a row: compkit looks at one."""
    first = train.source.frame.iloc[0]
    own = set(pictures.find(first[train.key]))
    others = [
        name
        for name, patterns in train.keys.items()
        if name != train.key and not patterns[0].many and own and pictures.find(first[name])
        and not own & set(pictures.find(first[name]))
    ]  # fmt: skip
    if others:
        choices: list[tuple[object, str]] = [
            (_with_column(train.keys[name][0].text, name), f"the pictures of {name!r}")
            for name in (train.key, *others)
        ]
        text = (
            f"Each row names several pictures, in {[train.key, *others]}, of which compkit learns from one."
        )
        found.ask("train_images", text, choices, BLOCKED)


def _labelled(train: View, found: Findings) -> set[str]:
    """The pictures that have a label."""
    frame = train.table.frame
    known = [name for name in _targets(found) if name in frame.columns]
    if not known or len(frame) != len(train.ids):
        return set(train.ids)
    return set(train.ids[~frame[known].isin(("", "nan", "NaN")).all(axis=1).to_numpy()])


def _id_column(train: View, roles: Roles) -> str:
    """The column that names the pictures, or one beside it that the sample submission uses."""
    key = train.key
    if train.long is not None and train.id_column is not None:
        return train.id_column
    wanted = roles.sample.id_column if roles.sample is not None else None
    if wanted and wanted != key and wanted in train.source.names and train.source.column(wanted).is_unique:
        return wanted
    if train.id_column is not None:
        return train.id_column
    return key


def _with_column(text: str, column: str) -> str:
    """A pattern with a column's own name for {id}."""
    return text.replace("{id}", f"{{{column}}}").replace("{id:", f"{{{column}:")


def _tell_rivals(roles: Roles, found: Findings) -> None:
    """Ask when other tables could be the training table as well."""
    assert roles.train is not None
    own = roles.train.source
    if not roles.rivals or any(question.key == "train_table" for question in found.questions):
        return
    choices: list[tuple[object, str]] = [(own.path, f"{len(own)} rows")]
    rows = {view.source.path: len(view.source) for view in roles.rivals}
    choices += [(path, f"{count} rows") for path, count in rows.items()]
    found.ask("train_table", "Several tables hold labels of pictures.", choices, own.path)


def _taken(train: View, found: Findings) -> set[str]:
    """Columns that have a part already."""
    taken = set(train.keys) | {str(found.keys.get("id_column"))}
    for key in ("class_column", "subject_column"):
        if found.keys.get(key):
            taken.add(str(found.keys[key]))
    return taken


def _pattern_columns(found: Findings) -> list[str]:
    """Columns that the training pattern is filled with."""
    return [name for name in re.findall(r"\{([^{}:]+)", str(found.keys.get("train_images"))) if name != "id"]


def _joins(train: View, used: list[str], found: Findings) -> None:
    """The tables whose columns are used."""
    rows = found.keys.get("train_rows")
    names = [*used, *(rows if isinstance(rows, dict) else ()), str(found.keys.get("subject_column"))]
    paths = {train.origin[name] for name in names if name in train.origin}
    if paths:
        joins = {path: train.joins[path] for path in sorted(paths)}
        found.set("train_join", joins, "further tables with a row for each of ours")
