"""The rows to predict, from a test table, the sample submission or a folder; several pictures may be one row."""

from dataclasses import dataclass

import pandas as pd

from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.hits import Pattern
from compkit.layout.ids import find_patterns
from compkit.layout.images import Choice, ImageChooser
from compkit.layout.long_form import split_known
from compkit.layout.pictures import Pictures
from compkit.layout.roles import Roles
from compkit.layout.tables import Source
from compkit.layout.views import View, picture_keys


@dataclass
class ToPredict:
    """The rows to predict, as a table or the sample submission names them.

    Attributes:
        key: the column that names their pictures; None when none does.
        patterns: the ways from it to files.
        names: its different cells.
    """

    key: str | None
    patterns: list[Pattern]
    names: set[str]


def find_rows(roles: Roles, pictures: Pictures) -> ToPredict:
    """What names the pictures to predict."""
    if roles.test is not None:
        keys = picture_keys(roles.test, pictures)
        key = next(iter(keys), None)
        return (
            ToPredict(None, [], set())
            if key is None
            else ToPredict(key, keys[key], set(roles.test.column(key).distinct))
        )
    if roles.sample is None:
        return ToPredict(None, [], set())
    key = roles.sample.id_column
    frame = pd.DataFrame({key: roles.sample.ids.to_numpy()}, dtype=str)
    return ToPredict(key, find_patterns(frame, key, pictures), set(frame[key]))


def decide_test(
    roles: Roles,
    train: View | None,
    rows: ToPredict,
    pictures: Pictures,
    chooser: ImageChooser,
    images: Choice | None,
    own_test: bool,
    found: Findings,
) -> None:
    """Write test_table, test_images, the id columns and subject_column."""
    if roles.sample is not None:
        _sample_ids(roles, found)
    else:
        found.set("sample_submission", None, "no table looks like a sample submission")
    if own_test:
        assert train is not None
        found.set("test_images", str(found.keys["train_images"]), "test pictures lie as the training ones do")
        return
    if roles.test is None and roles.sample is None:
        _from_folder(train, pictures, images, found)
        return
    own = set() if train is None else set(train.ids)
    patterns = () if train is None else train.keys[train.key]
    names = len(rows.names)
    choice = chooser.choose(rows.patterns, names, "test_images", patterns, bool(own & rows.names), images)
    if roles.test is not None:
        _from_table(roles, train, rows, choice, found)
    else:
        _from_sample(roles, train, choice, found)
    if roles.sample is not None and found.keys.get("test_images"):
        _tell_hidden(roles, pictures, found)


def _sample_ids(roles: Roles, found: Findings) -> None:
    """Where the sample submission lies and how it is written."""
    sample = roles.sample
    assert sample is not None
    dummy = (
        "says the same in every row"
        if sample.is_dummy
        else "has what is asked for, of other rows than training"
    )
    found.set("sample_submission", sample.source.path, dummy)
    if sample.pattern != "{id}":
        found.set("sample_ids", sample.pattern, f"a row for each id and each of {len(sample.names)} classes")
    if sample.class_column is not None:
        found.set("sample_class_column", sample.class_column, "a row for each id and class")
    if sample.id_column != found.keys.get("id_column"):
        found.set("sample_id_column", sample.id_column, "the sample submission's ids")


def _from_table(
    roles: Roles, train: View | None, rows: ToPredict, choice: Choice | None, found: Findings
) -> None:
    """Test rows of a table, which the sample submission's ids name directly or as subjects."""
    test, sample = roles.test, roles.sample
    assert test is not None
    key = rows.key
    wanted = set(sample.ids) if sample is not None else set()
    if sample is not None and "{class}" in sample.pattern and sample.id_column in test.names:
        form = split_known(test.frame[sample.id_column], sample.pattern, sample.names)
        if form is not None:
            found.set("test_table", test.path, "holds the ids of the sample submission")
            found.set("test_ids", sample.pattern, "as in the sample submission")
            if sample.id_column != found.keys.get("id_column"):
                found.set("test_id_column", sample.id_column, f"the ids of {test.path}")
            _write_images(choice, key, sample.id_column, "test_ids", found)
            return
    named = [column.name for column in test.others() if wanted and set(column.distinct) >= wanted]
    # of columns that hold the same, the one that names pictures
    id_column = next((name for name in named if name == key), named[0] if named else key)
    if id_column is None:
        found.ask("test_table", f"{test.path} names no pictures.", [], BLOCKED)
        return
    found.set(
        "test_table",
        test.path,
        "holds the ids of the sample submission" if named else "names the test pictures",
    )
    if not test.column(id_column).is_unique and key is not None:
        _subject(id_column, train, test, found)
        id_column = key
    if id_column != found.keys.get("id_column"):
        found.set("test_id_column", id_column, f"the ids of {test.path}")
    if sample is not None and sample.id_column != id_column:
        found.set("sample_id_column", sample.id_column, "the sample submission's ids")
    _write_images(choice, key, id_column, "test_ids", found)


def _from_sample(roles: Roles, train: View | None, choice: Choice | None, found: Findings) -> None:
    """Test rows that only the sample submission names."""
    sample = roles.sample
    assert sample is not None
    found.set("test_table", None, "the sample submission lists the test rows")
    if (
        choice is not None
        and choice.many
        and train is not None
        and not str(found.keys.get("train_images")).count("*")
    ):
        column = _subject_of_pattern(train, sample.id_column, found)
        if column is not None:
            _subject(column, train, None, found)
    _write_images(choice, sample.id_column, sample.id_column, "sample_ids", found)


def _subject_of_pattern(train: View, wanted: str, found: Findings) -> str | None:
    """The training column that names what the sample submission's rows are about."""
    if wanted in train.table.names:
        return wanted
    parts = [name for name in train.table.names if f"{{{name}}}" in str(found.keys.get("train_images"))]
    return parts[0] if parts else None


def _subject(column: str, train: View | None, test: Source | None, found: Findings) -> None:
    """Several pictures for each row of the submission."""
    if train is not None and column in train.table.names:
        found.set("subject_column", column, "the sample submission has one row for several pictures")
        return
    names = [] if train is None else train.table.names
    choices: list[tuple[object, str]] = [(name, "a column of the training table") for name in names]
    text = f"The sample submission has a row for each {column!r}, which training has no column of."
    found.ask("subject_column", text, choices, BLOCKED)


def _from_folder(train: View | None, pictures: Pictures, images: Choice | None, found: Findings) -> None:
    """Test pictures that nothing lists: those that training does not use, if they lie in one folder."""
    folder = images.folder if images is not None else str(found.keys.get("train_images"))
    rest = other_folders(pictures, folder)
    used = set() if train is None else set(train.ids)
    found.set("test_table", None, "no table lists test rows")
    if not rest:
        found.set("test_images", None, "all pictures lie with the training ones: there is no test set")
        return
    if len(rest) == 1 and not used & {
        name.rsplit(".", 1)[0] for name in pictures.folders.get(rest[0], ())[:100]
    }:
        found.set("test_images", rest[0], f"{pictures.count_below(rest[0])} pictures that no table names")
        return
    choices: list[tuple[object, str]] = [(one, f"{pictures.count_below(one)} pictures") for one in rest]
    choices.append((None, "there is no test set"))
    found.ask(
        "test_images", "Which folder holds the pictures to predict? No table says it.", choices, rest[0]
    )


def other_folders(pictures: Pictures, used: str) -> list[str]:
    """The highest folders with pictures outside the used one, those of most pictures first.

    >>> from pathlib import Path
    >>> from compkit.layout.scan import Folder, Listing
    >>> folders = {path: Folder(path, ["1.png"]) for path in ("train/a", "train/b", "test/x", "test/y")}
    >>> other_folders(Pictures(Listing(Path("x"), folders)), "train")
    ['test']
    """
    used = "" if used == "." else used
    if not used:
        return []
    found: set[str] = set()
    for folder in pictures.folders:
        if folder == used or folder.startswith(f"{used}/"):
            continue
        parts = folder.split("/")
        depth = 1
        while used.startswith("/".join(parts[:depth]) + "/") and depth < len(parts):
            depth += 1
        top = "/".join(parts[:depth])
        found.add(folder if used.startswith(f"{top}/") else top)
    return sorted(found, key=lambda folder: (-pictures.count_below(folder), folder))


def _write_images(
    choice: Choice | None, key: str | None, id_column: str, ids_key: str, found: Findings
) -> None:
    """test_images, with the name of the column that fills it where that is not the id."""
    if choice is None:
        found.ask("test_images", "No pattern leads from the test rows to files.", [], BLOCKED)
        return
    text = choice.text
    if choice.cell != "{id}":
        found.set(ids_key, choice.cell, "the files have another ending than the cells say")
    if key != id_column:
        text = text.replace("{id}", f"{{{key}}}").replace("{id:", f"{{{key}:")
    if any(question.key == "test_images" for question in found.questions):
        found.keys["test_images"] = text
    else:
        found.set("test_images", text, choice.why)


def _tell_hidden(roles: Roles, pictures: Pictures, found: Findings) -> None:
    """A folder with more test pictures than the sample has rows, or the other way round."""
    sample = roles.sample
    assert sample is not None
    text = str(found.keys["test_images"])
    folder = text.split("{")[0].rpartition("/")[0]
    if not folder or "*" in text or found.keys.get("channel_files") or found.keys.get("subject_column"):
        return
    count, train = pictures.count_below(folder), str(found.keys.get("train_images"))
    if count > len(sample.ids) and not train.startswith(f"{folder}/"):
        found.note(
            f"{folder} holds {count} pictures, the sample submission {len(sample.ids)} rows: the others are not "
            "predicted. If the sample is but an example of a larger hidden one, the run there has that one's rows"
        )
