"""What a config makes of a download, compared with the truth by the pixels alone; each function lists what is wrong."""

import os
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd

from compkit.competition import Competition
from compkit.competition.paths import IMAGE_SUFFIXES
from compkit.data import decode_image, is_deep
from compkit.types import Table

from .material import PICTURE, Facts, Label, read_file

NOT_OURS = ("metric", "metric_k", "image_size")  # no arguments of Competition


def wrong_rows(facts: Facts, keys: dict[str, object], asked: Iterable[str]) -> list[str]:
    """Training and test rows, groups, folds and times of a config, against what is true."""
    asked = set(asked)
    given = {name: value for name, value in keys.items() if name not in NOT_OURS}
    competition = Competition(**given)  # type: ignore[arg-type]
    train = competition.read_train()
    shown, wrong = serials_of(train, facts.channels)
    known = facts.labels | facts.optional
    if not set(facts.labels) <= set(shown) <= set(known) or len(set(shown)) < len(shown):
        return [*wrong, f"trains on pictures {sorted(shown)}, not on {sorted(facts.labels)}"]
    for row, serial in enumerate(shown):
        if not is_label(train.labels[row], known[serial], competition, facts.written):
            text = f"{train.ids[row]} is {known[serial]}, not {train.labels[row]} of {competition.classes}"
            return [*wrong, text]
    files = [os.fsdecode(file) for file in train.files[0]]
    try:  # as training will
        decode_image(
            files, competition.channels, is_deep(files, competition.max_value), competition.max_value
        )
    except ValueError as error:
        wrong.append(str(error))
    wrong += wrong_groups(facts, competition, train, shown, asked)
    wrong += wrong_folds(facts, competition, train, shown, asked)
    return wrong + wrong_tests(facts, competition)


def serials_of(table: Table, channels: int) -> tuple[list[int], list[str]]:
    """The picture of each row, and what is wrong with its files: decoys, channels that change their order."""
    files = [[read_file(os.fsdecode(file)) for file in row] for row in table.files]
    kinds = {tuple(kind for _, kind in row) for row in files}
    wrong = []
    if channels == 1 and kinds != {(PICTURE,)}:
        wrong.append(f"files are no pictures, or several a row: kinds {kinds}")
    if channels > 1 and (len(kinds) > 1 or sorted(*kinds) != list(range(1, channels + 1))):
        wrong.append(f"channels {kinds}, expected one order of {channels} for all")
    if any(len({serial for serial, _ in row}) > 1 for row in files):
        wrong.append("a row has channels of several pictures")
    return [row[0][0] for row in files], wrong


def is_label(target: np.ndarray, truth: Label, competition: Competition, written: dict[str, str]) -> bool:
    """Whether a row's target says what is true, by the class's name or by what the sample calls it."""
    classes = competition.classes
    if competition.task == "multiclass":
        return classes[int(target)] in (truth, written.get(str(truth)))
    if isinstance(truth, str) and competition.task == "regression":
        return float(target[0]) == float(truth)
    if isinstance(truth, str) and len(classes) == 1:
        return ("1" if target[0] > 0.5 else "0") == truth
    if isinstance(truth, dict):
        names = [*truth] if len(truth) == 1 else classes  # one number needs no name
        return len(target) == len(truth) and np.allclose(target, [truth[name] for name in names], rtol=1e-5)
    names = {truth} if isinstance(truth, str) else set(truth)
    return {name for name, value in zip(classes, target, strict=True) if value > 0.5} == names


def wrong_groups(
    facts: Facts, competition: Competition, train: Table, shown: list[int], asked: set[str]
) -> list[str]:
    """Whether the same rows stay together."""
    column = competition.group_column
    groups = train.frame[column].to_numpy(str) if column else train.subjects
    if asked & {"group_column", "subject_column"} and groups is None:
        return []
    found = set() if groups is None else parts_of(dict(zip(shown, groups.tolist(), strict=True)))
    wanted = set() if facts.groups is None else parts_of({one: facts.groups[one] for one in shown})
    return [] if found == wanted else [f"group_column={column}: {len(found)} groups, expected {len(wanted)}"]


def wrong_folds(
    facts: Facts, competition: Competition, train: Table, shown: list[int], asked: set[str]
) -> list[str]:
    """Whether official folds and times are used, and no others."""
    wrong = []
    if competition.time_column != facts.time and "time_column" not in asked:
        wrong.append(f"time_column={competition.time_column}, expected {facts.time}")
    column = competition.fold_column
    official = {facts.folds[serial] for serial in shown} if facts.folds else set()
    if (column is None) != (len(official) < 2) and "fold_column" not in asked:
        wrong.append(f"fold_column={column}")
    if column is not None and facts.folds is not None:
        given = dict(zip(shown, train.frame[column].tolist(), strict=True))
        if parts_of(given) != parts_of({serial: facts.folds[serial] for serial in shown}):
            wrong.append(f"fold_column={column} parts the rows otherwise")
        values = competition.validation_folds or sorted(set(given.values()) - {"train", "-1", ""})
        if sorted(map(str, values)) != sorted(facts.valid):
            wrong.append(f"validates on {values}, expected {facts.valid}")
    return wrong


def wrong_tests(facts: Facts, competition: Competition) -> list[str]:
    """Whether each id that is asked for stands for its pictures."""
    if competition.test_images is None:
        return ["no test set"] if facts.tests else []
    test = competition.read_test()
    shown, wrong = serials_of(test, facts.channels)
    found: dict[str, list[int]] = defaultdict(list)
    for name, serial in zip(test.ids if test.subjects is None else test.subjects, shown, strict=True):
        found[bare(name)].append(serial)
    got = {name: sorted(serials) for name, serials in found.items()}
    want = {bare(name): sorted(serials) for name, serials in facts.tests.items()}
    # without a sample nothing says how the ids are written
    same = got == want if facts.sample else sorted(got.values()) == sorted(want.values())
    return wrong if same else [*wrong, f"test ids stand for other pictures: {got}, expected {want}"]


def bare(name: str) -> str:
    """An id without the ending of a file, which a config may count to the id or to the pattern.

    >>> bare("a/s.1.v2.JPG"), bare("s.1.v2")
    ('a/s.1.v2', 's.1.v2')
    """
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, ".dcm") else str(name)


def parts_of(value_of: dict[int, object]) -> set[frozenset[int]]:
    """The sets of pictures that share a value."""
    parts = defaultdict(set)
    for serial, value in value_of.items():
        parts[value].add(serial)
    return {frozenset(part) for part in parts.values()}


def wrong_submission(
    facts: Facts, written: pd.DataFrame, sample: pd.DataFrame, test: pd.DataFrame
) -> list[str]:
    """A submission (text) against the sample (text) and the run's test.parquet, cell by cell."""
    values = {column for _, column, _, _ in facts.cells}
    if list(written.columns) != list(sample.columns) or len(written) != len(sample):
        return [
            f"columns {list(written.columns)}, rows {len(written)}; expected {list(sample.columns)}, {len(sample)}"
        ]
    wrong = [
        f"column {name} differs"
        for name in sample
        if name not in values and (written[name] != sample[name]).any()
    ]
    probs = test.set_index(test["id"].map(bare)).filter(regex="^pred_")
    probs.columns = probs.columns.str.removeprefix("pred_")
    for row, column, id_, name in facts.cells:
        cell, id_ = written.at[row, column], bare(id_)
        if name is None:
            right = is_answer(cell, probs.loc[id_], facts)
        else:
            value = probs.loc[id_, name] if name in probs else probs.loc[id_].item()
            right = np.isfinite(float(cell)) and abs(float(cell) - value) < 1e-4
        if not right:
            return [*wrong, f"row {row}, column {column}: {cell!r} for {dict(probs.loc[id_])}"]
    return wrong


def is_answer(cell: str, probs: pd.Series, facts: Facts) -> bool:
    """Whether a cell of labels follows from the probabilities of its row."""
    if facts.metric == "map_at_k":
        return cell.split(" ") == probs.sort_values(ascending=False, kind="stable").index[:5].tolist()
    if facts.task == "multilabel":
        names = [facts.written.get(name, name) for name in probs.index[probs > 0.5]]
        return any(cell == mark.join(names) for mark in " |,") if names else cell == facts.written.get("", "")
    best = probs.index[probs.argmax()]
    return cell == facts.written.get(best, best)
