"""The findings as a page of conf/competition: every key with its evidence, every question at its key."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from compkit.competition import Competition
from compkit.files import write_text
from compkit.layout.findings import BLOCKED, Findings

MARK = "Written by scripts/init.py"
ALWAYS = (
    "name", "path", "train_table", "test_table", "sample_submission", "id_column", "target_column", "train_images",
    "test_images", "channels",
)  # fmt: skip
PARTS = {
    "": ("name", "path"),
    "tables, relative to path": (
        "train_table", "test_table", "sample_submission", "header", "id_column", "test_id_column", "sample_id_column",
        "target_column", "separator", "empty_token", "classes", "unlabelled",
    ),
    "which rows, and how they are written": (
        "train_rows", "test_rows", "train_join", "test_join", "train_ids", "test_ids", "sample_ids", "class_column",
        "sample_class_column", "subject_column", "subject_average",
    ),
    "pictures, relative to path": (
        "train_images", "test_images", "channels", "channel_files", "max_value", "corrupt_images",
    ),
    "validation": (
        "fold_scheme", "group_column", "time_column", "fold_column", "validation_folds", "holdout_fraction",
    ),
    "submission": ("submission_format", "submission_names"),
}  # fmt: skip
WIDTH = 118


def config_text(found: Findings, command: str) -> str:
    """The page.

    Args:
        found: what was found out.
        command: that wrote it, for its head.
    """
    keys = found.keys
    head = [
        "# @package _global_",
        *_comment(f"The competition {keys['name']}: {keys['task']}. {MARK}; change whatever is wrong."),
        f"#   {command}",
        f"# Train on it:   python train.py competition={keys['name']}",
        "defaults:",
        "  - folder",
        "  - _self_",
        *_question_lines(found, "task", "  "),
        f"  - override /task: {keys['task']}{_why(found, 'task')}",
        *_question_lines(found, "metric", "  "),
        f"  - override /metric: {keys['metric']}{_why(found, 'metric')}",
        "",
        "competition:",
    ]
    lines: list[str] = []
    shown = set(ALWAYS) | {question.key for question in found.questions} | _not_default(keys)
    for title, names in PARTS.items():
        chosen = [name for name in names if name in keys and name in shown]
        if chosen and title:
            lines += ["", f"  # {title}"]
        for name in chosen:
            lines += _question_lines(found, name, "  ")
            lines += _key_lines(name, keys[name], found)
    tail = ["", f"image_size: {found.image_size}  # pixels; larger shows more and takes longer"]
    if found.metric_k is not None:
        tail += ["metric:", f"  k: {found.metric_k}  # classes in a cell of the sample submission"]
    return "\n".join([*head, *lines, *tail]) + "\n"


def write_config(found: Findings, path: Path, command: str, overwrite: bool) -> None:
    """Write the page, unless that would replace one that a person made.

    Raises:
        ValueError: the file exists, and overwrite is false or somebody else has written it.
    """
    if path.exists():
        ours = MARK in path.read_text(encoding="utf-8")
        if not (overwrite and ours):
            told = (
                "Set overwrite=true, or another name="
                if ours
                else "It was not written by this command. Set another name="
            )
            raise ValueError(f"{path}: exists already. {told}…")
    text = config_text(found, command)
    _require_same(found, text)
    write_text(path, text)


def yaml_value(value: object) -> str:
    """A value on one line of YAML, that OmegaConf reads back as it is.

    >>> yaml_value(["cat", "1e3", "no"]), yaml_value("{id}.png"), yaml_value(None), yaml_value({"split": ["val"]})
    ('[cat, "1e3", "no"]', '"{id}.png"', 'null', '{split: [val]}')
    """
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w./]*(?:[ -][\w./]+)*", value, flags=re.ASCII) is not None
        reserved = value.casefold() in (
            "null",
            "true",
            "false",
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "nan",
            "inf",
        )
        if (plain and not reserved) or value == BLOCKED:
            return value
        return json.dumps(value.replace("${", "\\${"), ensure_ascii=False)
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{yaml_value(str(name))}: {yaml_value(one)}" for name, one in value.items())
            + "}"
        )
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(yaml_value, value)) + "]"
    return json.dumps(value)


def _key_lines(name: str, value: object, found: Findings) -> list[str]:
    """A key, its value and why; a list too long for a line below each other."""
    text = f"  {name}: {yaml_value(value)}"
    why = _why(found, name)
    if len(text) + len(why) <= WIDTH or not why:
        return [text + why]
    return [*_comment(why.strip("# "), "  "), text]


def _why(found: Findings, key: str) -> str:
    """The evidence as a comment behind a key; nothing where a question stands above it."""
    if any(question.key == key for question in found.questions):
        return ""
    return f"  # {' '.join(found.evidence.get(key, '').split())}"


def _question_lines(found: Findings, key: str, indent: str) -> list[str]:
    """The questions about a key, above it."""
    lines: list[str] = []
    for question in found.questions:
        if question.key == key:
            lines += _comment(f"question: {question.text}", indent)
            for value, evidence in question.choices:
                lines += _comment(f"  {yaml_value(value)}: {evidence}", indent)
    return lines


def _comment(text: str, indent: str = "") -> list[str]:
    """Text as comment lines of limited width."""
    lead = len(text) - len(text.lstrip())
    lines, line = [], ""
    for word in text.split():
        if line and len(indent) + 2 + lead + len(line) + len(word) > WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return [f"{indent}# {' ' * lead}{one}" for one in [*lines, line] if one]


def _not_default(keys: Mapping[str, object]) -> set[str]:
    """The keys whose value differs from the one in folder.yaml."""
    defaults = {name: one.default for name, one in inspect.signature(Competition).parameters.items()}
    return {
        name
        for name, value in keys.items()
        if name in defaults and value != defaults[name] and (value or defaults[name])
    }


def _require_same(found: Findings, text: str) -> None:
    """The page says what was found."""
    read = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    assert isinstance(read, dict)
    for name, value in read["competition"].items():
        wanted = found.keys[name]
        if isinstance(wanted, str):
            wanted = wanted.replace("${", "\\${")
        assert value == wanted or wanted == BLOCKED or "${" in str(wanted), (name, value, wanted)
