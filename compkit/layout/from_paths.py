"""Labels that no table holds: a folder for each class, or the class as a part of file names."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from compkit.competition.paths import split_suffix
from compkit.layout.folds import TEST_WORDS, TRAIN_WORDS, VALID_WORDS
from compkit.layout.pictures import Pictures

JOINTS = (".", "_", "-", " ")
LOOKED_AT = 5000  # names of one folder


@dataclass
class PathLabels:
    """A way to read labels from paths.

    Attributes:
        train_images: the folder of class folders, or a pattern with {label}.
        classes: what is read.
        folder: that all these pictures lie below.
        count: of the pictures.
        why: the evidence.
        parts: with {part} in the pattern: the folders whose pictures are labelled, training first.
        rows: which texts of a name in the pattern are taken; {} for all.
        groups: names in the pattern whose texts repeat, such as a patient.
        rivals: other patterns that read other classes from the same names.
    """

    train_images: str
    classes: set[str]
    folder: str
    count: int
    why: str
    parts: tuple[str, ...] = ()
    rows: dict[str, list[str]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)

    @property
    def in_names(self) -> bool:
        """The class stands in file names."""
        return "{label}" in self.train_images and not self.parts and not self.rows


def class_folders(pictures: Pictures) -> list[PathLabels]:
    """Every folder whose sub-folders may be classes, those of most pictures first.

    >>> from pathlib import Path
    >>> from compkit.layout.scan import Folder, Listing
    >>> folders = {path: Folder(path, ["1.png", "2.png"]) for path in ("train/cat", "train/dog", "test")}
    >>> [(one.train_images, sorted(one.classes)) for one in class_folders(Pictures(Listing(Path("x"), folders)))]
    [('train', ['cat', 'dog'])]
    """
    children: dict[str, set[str]] = defaultdict(set)
    for folder in pictures.folders:
        parts = folder.split("/") if folder else []
        for depth in range(len(parts)):
            children["/".join(parts[:depth])].add(parts[depth])
    found = []
    for parent, names in children.items():
        below = f"{parent}/" if parent else ""
        if (
            len(names) < 2
            or parent in pictures.folders
            or any(f"{below}{name}" in children for name in names)
        ):
            continue  # pictures or further folders beside them
        if _are_parts(names):
            continue
        count = sum(len(pictures.folders[f"{below}{name}"]) for name in names)
        why = f"{len(names)} sub-folders with {count} pictures, and no table names these"
        found.append(PathLabels(parent or ".", names, parent, count, why))
    return sorted(found, key=lambda one: (-one.count, one.folder))


def merge_parts(found: Sequence[PathLabels]) -> tuple[PathLabels | None, PathLabels | None]:
    """Training folders and an official validation folder of the same classes as one.

    Returns:
        The folders to learn from, and a labelled test folder; None where there is none.
    """
    if not found:
        return None, None
    roles: dict[str, PathLabels] = {}
    for one in found:
        if one.classes <= found[0].classes:
            roles.setdefault(_part(one.folder), one)
    tests = roles.get("test")
    train, valid = roles.get("train"), roles.get("valid")
    if train is None or valid is None:
        first = train or next((one for one in found if one is not tests), found[0])
        return first, tests if tests is not first else None
    parent, _, name = train.folder.rpartition("/")
    other_parent, _, other = valid.folder.rpartition("/")
    if parent != other_parent:
        return train, tests
    before = f"{parent}/" if parent else ""
    why = f"{name}/ and {other}/ have the same class folders: {other} is an official validation part"
    merged = PathLabels(
        f"{before}{{part}}/{{label}}/{{id}}",
        train.classes,
        parent,
        train.count + valid.count,
        why,
        (name, other),
    )
    return merged, tests


def without_tests(found: Sequence[PathLabels], ids: Iterable[str], pictures: Pictures) -> list[PathLabels]:
    """Those ways that do not read labels of the pictures to predict, whose folder may lie beside class folders.

    Args:
        found: ways to read labels.
        ids: of pictures to predict.
        pictures: all there are.
    """
    hits = [paths for id_ in ids if (paths := pictures.find(id_))]
    kept = []
    for one in found:
        inside = [paths for paths in hits if all(is_below(path, one.folder) for path in paths)]
        if not inside:
            kept.append(one)
            continue
        before = f"{one.folder}/" if one.folder else ""
        tested = {path.removeprefix(before).split("/")[0] for paths in inside for path in paths}
        classes = one.classes - tested
        if not one.in_names and len(classes) >= 2 and len(tested) == 1:
            rest = sum(pictures.count_below(f"{before}{name}") for name in classes)
            why = (
                f"{len(classes)} sub-folders with {rest} pictures; {before}{tested.pop()} is to be predicted"
            )
            pattern, rows = f"{before}{{label}}/{{id}}", {"label": sorted(classes)}
            kept.append(PathLabels(pattern, classes, one.folder, rest, why, (), rows))
    return kept


def classes_in_names(pictures: Pictures, known: Collection[str]) -> list[PathLabels]:
    """Folders whose file names hold a class: `cat.17.jpg`, `p03_benign.png`.

    Args:
        pictures: all there are.
        known: texts of the sample submission; classes among them are evidence.

    >>> from pathlib import Path
    >>> from compkit.layout.scan import Folder, Listing
    >>> names = [f"{kind}.{number}.jpg" for kind in ("cat", "dog") for number in range(6)]
    >>> classes_in_names(Pictures(Listing(Path("x"), {"train": Folder("train", names)})), [])[0].train_images
    'train/{label}.{number}.jpg'
    """
    found = []
    for folder, names in pictures.folders.items():
        ways = _ways(folder, names[:LOOKED_AT], set(known))
        if ways:
            best, *rest = ways
            best.rivals = [one.train_images for one in rest if one.classes != best.classes]
            best.count = len(names)
            found.append(best)
    return sorted(found, key=lambda one: -one.count)


def _ways(folder: str, names: Sequence[str], known: set[str]) -> list[PathLabels]:
    """Every way to read a class from the names of one folder, the likeliest first."""
    stems, suffixes = zip(*(split_suffix(name) for name in names), strict=True)
    ending = suffixes[0] if len(set(suffixes)) == 1 else ""
    scored = []
    for joint in JOINTS:
        rows = [stem.split(joint) for stem in stems]
        if min(map(len, rows)) < 2:
            continue
        widths = set(map(len, rows))
        splits = _even(rows) if len(widths) == 1 else _uneven(rows, joint)
        for place, columns in splits:
            labels = Counter(columns[place])
            if not 2 <= len(labels) <= max(2, len(rows) / 4) or min(labels.values()) < 2:
                continue
            texts = set(labels)
            if _are_parts(texts):
                continue
            if not (
                texts & known
                or all(re.search(r"[^\W\d]", text) and not re.search(r"\d", text) for text in texts)
            ):
                continue
            parts, groups = _part_names(columns, place)
            text = joint.join(f"{{{part}}}" for part in parts) + ending
            pattern = f"{folder}/{text}" if folder else text
            why = f"names in {folder or 'the folder'} hold one of {len(texts)} words, such as {names[0]}"
            scored.append(
                (bool(texts & known), PathLabels(pattern, texts, folder, len(rows), why, (), {}, groups))
            )
    scored.sort(key=lambda one: (-one[0], len(one[1].classes)))
    return [one for _, one in scored]


def _even(rows: Sequence[list[str]]) -> list[tuple[int, list[list[str]]]]:
    """Names of always as many parts: each of them may be the class."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [(place, columns) for place in range(len(columns))]


def _uneven(rows: Sequence[list[str]], joint: str) -> list[tuple[int, list[list[str]]]]:
    """Names whose class may hold the joint too: all but the last part, as a pattern reads it."""
    last = [[joint.join(row[:-1]) for row in rows], [row[-1] for row in rows]]
    return [(0, last)]


def _part_names(columns: Sequence[list[str]], place: int) -> tuple[list[str], list[str]]:
    """What the parts of a name are called, and which of them repeat."""
    names, groups = [], []
    for position, column in enumerate(columns):
        unique = len(set(column))
        if position == place:
            names.append("label")
        elif 3 <= unique < 0.9 * len(column) and not _counts_on(column, columns[place]):
            names.append("group" if "group" not in names else f"group{position}")
            groups.append(names[-1])
        else:
            names.append("number" if "number" not in names else f"number{position}")
    return names, groups


def _counts_on(column: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether digits are but the running number within each class: cat.0, dog.0, cat.1."""
    return all(text.isdigit() for text in column) and len(set(zip(column, labels, strict=True))) == len(
        column
    )


def is_below(path: str, folder: str) -> bool:
    """Whether a relative path lies in or below a folder.

    >>> is_below("train/cat/1.png", "train"), is_below("training/1.png", "train"), is_below("1.png", "")
    (True, False, True)
    """
    return folder in ("", ".", path) or path.startswith(f"{folder}/")


def _are_parts(names: Collection[str]) -> bool:
    """Whether all sub-folders are called like train, val and test, which no class is."""
    return all(_part(name) for name in names)


def _part(folder: str) -> str:
    """train, valid or test, if the folder's name says so; else ""."""
    words = set(re.split(r"[\W_\d]+", folder.rsplit("/", 1)[-1].casefold()))
    for part, known in (("train", TRAIN_WORDS), ("valid", VALID_WORDS), ("test", TEST_WORDS)):
        if words & known:
            return part
    return ""
