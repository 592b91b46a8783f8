"""What the sample submission asks for, found in the training table: columns, classes, names that differ."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from compkit.layout.labels import is_fraction, set_form
from compkit.layout.sample_form import SampleForm
from compkit.layout.tables import Column, Source

MANY_CLASSES = 20_000


@dataclass
class Relation:
    """Which columns of the training table hold what the sample asks for.

    Attributes:
        kind: columns (of the same names), classes (the names are cells of one column), value (one column, whose name
            training does not use), long (the classes of a training table in the long form), none.
        columns: the target columns; several for `value` are candidates, likeliest first.
        names: what the sample calls classes of other names.
        strength: 0 for none, to 3.
        why: the evidence.
        is_sure: no other column could be meant.
    """

    kind: str
    columns: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    strength: float = 0
    why: str = ""
    is_sure: bool = True


def relate(
    form: SampleForm,
    table: Source,
    labels: Sequence[Column],
    long_classes: Sequence[str],
    maps: Sequence[Source],
) -> Relation:
    """Find what a sample asks for.

    Args:
        form: the sample.
        table: the training table.
        labels: its columns that may be labels.
        long_classes: its classes when it is in the long form.
        maps: further tables, which may say the names of classes.
    """
    names = form.names
    if long_classes:
        mapping = match_names(list(long_classes), names)
        if mapping is not None:
            return Relation("long", [], _renamed(mapping), 3, "the classes of both tables' rows are the same")
    if set(names) <= set(table.names):
        where = form.source.path
        return Relation("columns", list(names), {}, 3, f"{where} has columns of the same names")
    if len(names) > 1 or form.is_long:
        found = _classes_of_columns(form, labels, maps)
        if found is not None:
            return found
        mapping = match_names([column.name for column in labels], names)
        if mapping is not None:
            return Relation(
                "columns", list(mapping), _renamed(mapping), 2, f"columns called like {names[:3]}"
            )
        return _longer_names([column.name for column in labels], names)
    return _one_value(form, labels, maps)


def _classes_of_columns(
    form: SampleForm, labels: Sequence[Column], maps: Sequence[Source]
) -> Relation | None:
    """The column whose cells are what the sample's columns are called."""
    best: Relation | None = None
    for column in labels:
        if not 2 <= len(column.distinct) <= MANY_CLASSES:
            continue
        for classes in _class_lists(column, form.names):
            mapping = match_names(classes, form.names) or mapped(classes, form.names, maps)
            if mapping is None and set(classes) < set(form.names) and len(classes) >= len(form.names) / 2:
                never = sorted(set(form.names) - set(classes))
                why = f"its cells are the names of {form.source.path}'s columns; no training row has {never[:3]}"
                best = best or Relation("classes", [column.name], {}, 2.5, why)
            if mapping is None:
                continue
            renamed = _renamed(mapping)
            why = f"its cells are the names of {form.source.path}'s columns"
            relation = Relation("classes", [column.name], renamed, 2 if renamed else 3, why)
            if best is None or relation.strength > best.strength:
                best = relation
    return best


def _class_lists(column: Column, names: Sequence[str]) -> list[list[str]]:
    """The classes of a column: its cells, or what they are made of."""
    form = set_form(column, names)
    return [column.distinct] if form is None else [form.classes, column.distinct]


def match_names(classes: Sequence[str], names: Sequence[str]) -> dict[str, str] | None:
    """What each class is called in the sample, where its names are classes, perhaps with text around them.

    Returns:
        The sample's name of each class that it has; None when some name is no class.

    >>> match_names(["0", "1", "2"], ["prob_1", "prob_0"])
    {'1': 'prob_1', '0': 'prob_0'}
    >>> match_names(["Polar Bear", "cat"], ["polar_bear", "cat"])
    {'Polar Bear': 'polar_bear', 'cat': 'cat'}
    >>> match_names(["cat", "dog"], ["x", "y"]) is None
    True
    """
    if set(names) <= set(classes):
        return {name: name for name in names}
    for plain in (str, str.casefold, _letters):
        own = {plain(name): name for name in classes}
        if len(own) < len(classes):
            continue
        for stripped in (list(names), _without_affixes(names)):
            if {plain(name) for name in stripped} <= set(own) and len(set(map(plain, stripped))) == len(
                names
            ):
                return {own[plain(bare)]: name for bare, name in zip(stripped, names, strict=True)}
    return None


def mapped(classes: Sequence[str], names: Sequence[str], maps: Sequence[Source]) -> dict[str, str] | None:
    """What each class is called in the sample, where a further table says so.

    >>> import pandas as pd
    >>> table = Source("names.csv", pd.DataFrame({"code": ["0", "1"], "name": ["cat", "dog"]}))
    >>> mapped(["0", "1"], ["dog", "cat"], [table])
    {'0': 'cat', '1': 'dog'}
    """
    for table in maps:
        for ours in table.others():
            if not ours.is_unique or not set(classes) <= set(ours.distinct):
                continue
            for theirs in table.others(ours.name):
                if theirs.is_unique and set(names) <= set(theirs.distinct):
                    pairs = dict(zip(ours.cells, theirs.cells, strict=True))
                    return {name: pairs[name] for name in classes if pairs[name] in names}
    return None


def _longer_names(columns: Sequence[str], names: Sequence[str]) -> Relation:
    """Columns that add the same text to each of the sample's names; asked about where several texts do.

    >>> _longer_names(["a_mean", "b_mean", "a_sd", "b_sd"], ["a", "b"]).columns
    ['a_mean', 'b_mean']
    """
    there = set(columns)
    ways = []
    for column in columns:
        if names[0] in column:
            before, _, behind = column.partition(names[0])
            if {f"{before}{name}{behind}" for name in names} <= there:
                ways.append((before, behind))
    if not ways:
        return Relation("none")
    before, behind = ways[0]
    own = {f"{before}{name}{behind}": name for name in names}
    why = f"columns called like {names[:3]} with {before or behind!r} added"
    return Relation("columns", list(own), _renamed(own), 2, why, is_sure=len(ways) == 1)


def _one_value(form: SampleForm, labels: Sequence[Column], maps: Sequence[Source]) -> Relation:
    """The label column that a single value column stands for, by its cells where the name says nothing."""
    value = form.values[0] if form.values else None
    if value is None:
        return Relation("none")
    for column in labels:
        if len(column.distinct) == 2 and value.name in column.distinct:
            return Relation("classes", [column.name], {}, 2, f"{value.name!r} is one of its two classes")
    flags = [column.name for column in labels if column.is_flag]
    if len(flags) > 1 and value.distinct and set(value.distinct) <= set(flags):
        frame = form_flags(labels, flags)
        sure = bool((frame.sum(axis=1) == 1).all())
        why = f"{form.source.path} says {value.distinct[0]!r}, which is a column"
        return Relation("columns", flags, {}, 2.5, why, is_sure=sure)
    scored = sorted(((_likeness(column, value), place, column) for place, column in enumerate(labels)),
                    key=lambda one: (-one[0], one[1]))  # fmt: skip
    if not scored:
        return Relation("none")
    best, _, column = scored[0]
    rest = [other.name for score, _, other in scored[1:] if score > best - 1.5]
    cells = ", ".join(map(repr, value.distinct[:3]))
    strength = 1.5 if best >= 3 else 1 if best > 0 else 0.5
    names = mapped(column.distinct, value.distinct, maps) if best < 0 else None
    renamed = {} if names is None else _renamed(names)
    why = f"{form.source.path} asks for {value.name!r} with cells like {cells}"
    return Relation("value", [column.name, *rest], renamed, strength, why, is_sure=not rest)


def form_flags(labels: Sequence[Column], names: Sequence[str]) -> pd.DataFrame:
    """The named columns of 0 and 1 as numbers."""
    chosen = {column.name: column.cells for column in labels if column.name in names}
    plain = pd.DataFrame(chosen).replace({"True": "1", "False": "0", "true": "1", "false": "0", "": None})
    return plain.astype("float64")


def _likeness(column: Column, value: Column) -> float:
    """How well a label column goes with the cells of the sample's value column."""
    score = 0.0
    form = set_form(column, ())
    tokens = set(column.distinct) | set(form.classes if form else ())
    parts = {part for cell in value.distinct[:50] for part in re.split(r"[ ,;|]+", cell)}
    if value.distinct and (set(value.distinct) <= tokens or parts <= tokens):
        score += 3
    if value.is_number and column.is_number:
        score += 1
        if is_fraction(value) and (column.is_flag or not column.is_whole):
            score += 1
    elif value.is_number and value.distinct:
        score -= 1
    elif column.is_number:
        score -= 3
    if difflib.SequenceMatcher(None, column.name.casefold(), value.name.casefold()).ratio() > 0.6:
        score += 1
    repeated = len(column.distinct) <= len(column.cells) / 2
    return score + (1 if repeated or (column.is_number and not column.is_whole) else -1)


def _without_affixes(names: Sequence[str]) -> list[str]:
    """Names without the text that all of them begin and end with.

    >>> _without_affixes(["p_cat_score", "p_cow_score"])
    ['cat', 'cow']
    """
    before = _common_start(names).rstrip("0123456789")
    before = before[: len(before) - len(re.split(r"[_\-. :]", before)[-1])] or before
    bare = [name[len(before) :] for name in names]
    behind = _common_start([name[::-1] for name in bare])[::-1]
    mark = re.search(r"[_\-. :]", behind)
    behind = behind[mark.start() :] if mark else ""
    return [name[: len(name) - len(behind)] if behind else name for name in bare]


def _common_start(names: Sequence[str]) -> str:
    """The letters that all names begin with."""
    low, high = min(names), max(names)
    same = next((place for place, letter in enumerate(low) if letter != high[place]), len(low))
    return low[:same]


def _letters(name: str) -> str:
    """A name as it is compared: without case, blanks and marks."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _renamed(mapping: dict[str, str]) -> dict[str, str]:
    """Only the names that differ."""
    return mapping if any(ours != theirs for ours, theirs in mapping.items()) else {}
