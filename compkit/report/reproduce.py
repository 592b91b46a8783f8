"""The chapter on how to repeat a run: command, what sets it apart, seeds and data, environment, configuration."""

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from compkit.report.changes import Settings, leaves, read_settings, setting_counts, started
from compkit.report.records import RunRecord
from compkit.report.section import Listing, Section, Table
from compkit.results import OutOfFold

MAX_LISTING = 100_000  # characters of a text shown


def reproduce(run: RunRecord) -> Section:
    """Command, difference to the parent, environment and the whole configuration."""
    command = shlex.join(["python", run.environment.get("command", "train.py"), *run.overrides])
    values = _flat(run.environment)
    rows = [[name, value] for name, value in values if "\n" not in value]
    own = read_settings(run.folder)
    texts = [Listing(name, _short(value), folded=True) for name, value in values if "\n" in value]
    tables = [
        Table("Seeds and data", ["what", "value"], _identity(run, own)),
        *_differences(run, own),
        *([Table("Environment", ["what", "value"], rows)] if rows else []),
    ]
    return Section(
        "reproduce",
        "Reproduce",
        tables=tables,
        listings=[
            Listing("Command", command),
            Listing("Configuration, resolved (config.yaml)", _short(run.config), folded=True),
            *texts,
        ],
    )


def data_hash(oof: OutOfFold) -> str:
    """What tells whether two runs learned from the same labels: SHA-256 of ids and targets in the order of ids.

    >>> from compkit.types import Task
    >>> ids, targets = np.array(["b", "a"]), np.array([1, 0])
    >>> one = OutOfFold(Task.MULTICLASS, ids, np.zeros(2), targets, np.ones((2, 2)), ("x", "y"))
    >>> other = OutOfFold(Task.MULTICLASS, ids[::-1], np.ones(2), targets[::-1], np.zeros((2, 2)), ("x", "y"))
    >>> data_hash(one) == data_hash(other)
    True
    """
    order = np.argsort(oof.ids.astype(str), kind="stable")
    lines = [f"{oof.ids[at]},{np.atleast_1d(oof.targets[at]).tolist()}\n" for at in order]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parent_of(folder: Path, own: Settings) -> Path | None:
    """The run that another is held against: the first it was made of, else the oldest trained one beside it.

    Only the first lines of the others are read: there may be hundreds. None for the oldest run itself.
    """
    folder = folder.resolve()
    made_of = [folder.parent / name for name in own.made_of]
    if found := [run for run in made_of if (run / "config.yaml").is_file()]:
        return found[0]
    if own.kind != "trained":
        return None
    trained = [
        path.parent
        for path in folder.parent.glob("*/config.yaml")
        if "\nmade:" not in path.read_text(encoding="utf-8", errors="replace")
    ]
    oldest = min(trained, key=lambda run: (started(run), run.name))
    return None if oldest == folder else oldest


def _identity(run: RunRecord, own: Settings | None) -> list[list[object]]:
    """Seeds and hashes, which say what must be the same for the same result."""
    config = {} if own is None else own.config
    rows: list[list[object]] = [[key, str(config[key])] for key in ("seed", "fold_seed") if key in config]
    if "fold_hash" in run.metrics:
        rows.append(["folds (fold hash)", str(run.metrics["fold_hash"])])
    if run.oof is not None:
        rows.append(["ids and targets (SHA-256)", data_hash(run.oof)])
    return rows or [["seeds", "not known"]]


def _differences(run: RunRecord, own: Settings | None) -> list[Table]:
    """Every setting in which config.yaml differs from the parent's; no table without a parent."""
    parent = None if own is None else parent_of(run.folder, own)
    theirs = None if parent is None else read_settings(parent)
    if own is None or parent is None or theirs is None:
        return []
    mine, before = dict(leaves(own.config)), dict(leaves(theirs.config))
    rows: list[list[object]] = [
        [key, _text(mine, key), _text(before, key)]
        for key in dict.fromkeys([*mine, *before])
        if mine.get(key) != before.get(key) and setting_counts(key)
    ]
    title = f"Settings that differ from {parent.name}"
    return [Table(title, ["setting", "here", parent.name], rows or [["none", "", ""]])]


def _text(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "not there"


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value if isinstance(value, str) else json.dumps(value)))
    return rows


def _short(text: str) -> str:
    left_out = len(text) - MAX_LISTING
    return text if left_out <= 0 else f"{text[:MAX_LISTING]}\n({left_out} more characters left out)"
