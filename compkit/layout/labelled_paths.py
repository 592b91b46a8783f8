"""A competition whose labels stand in paths: every key of its config."""

from pathlib import Path

from compkit.layout.findings import Findings
from compkit.layout.from_paths import PathLabels, class_folders, classes_in_names, merge_parts, without_tests
from compkit.layout.images import Choice, ImageChooser
from compkit.layout.looks import look_at
from compkit.layout.metrics import decide_metric
from compkit.layout.pictures import Pictures
from compkit.layout.pixels import decide_pixels
from compkit.layout.prove import prove
from compkit.layout.relate import match_names
from compkit.layout.roles import Roles
from compkit.layout.rows_to_predict import decide_test, find_rows
from compkit.layout.sample_form import SampleForm
from compkit.layout.submission import ask_names, decide_submission
from compkit.layout.tables import Column
from compkit.types import Task


def from_paths(
    root: Path, pictures: Pictures, roles: Roles, task: Task | None, metric: str | None, found: Findings
) -> None:
    """Write the keys of a competition without a training table.

    Raises:
        ValueError: neither folders nor file names say classes.
    """
    if task not in (None, Task.MULTICLASS):
        raise ValueError(
            f"task={task}: no table of labels was found, and folders or file names give one class a picture. Set "
            "competition=folder and its keys by hand."
        )
    labels, tests = _choose(root, pictures, roles.sample, found)
    found.set("task", "multiclass", "one class a picture")
    found.set("train_table", None, "no table holds labels of the pictures")
    found.set("train_images", labels.train_images, labels.why)
    found.set("id_column", "id", "the path below the folder")
    found.set("target_column", "label", "read from the path")
    if labels.rivals:
        choices: list[tuple[object, str]] = [
            (one, "reads other classes") for one in (labels.train_images, *labels.rivals)
        ]
        found.ask("train_images", "Which part of the file names is the class?", choices, labels.train_images)
    if labels.parts:
        part, valid = labels.parts
        found.set("train_rows", {"part": [part, valid]}, "both have labels")
        found.set("fold_column", "part", f"{valid} is an official validation part")
        found.set("validation_folds", [valid], f"{valid} is an official validation part")
    if labels.rows:
        found.set("train_rows", labels.rows, "the other folder is to be predicted")
    if labels.groups:
        group = labels.groups[0]
        choices = [(group, "the same in several names"), (None, "test pictures share it with training")]
        found.ask(
            "group_column",
            "A part of the file names repeats: is it what several pictures show?",
            choices,
            group,
        )
    chooser = ImageChooser(root, pictures, found)
    examples = [
        path
        for path in pictures.below(labels.folder)
        if not labels.parts or f"/{labels.parts[0]}/" in f"/{path}"
    ]
    looks = look_at(root, examples)
    images = Choice(
        labels.train_images, labels.folder if labels.folder else ".", (), looks, False, 1.0, labels.why
    )
    if roles.sample is None and tests is not None:
        found.set("sample_submission", None, "no table looks like a sample submission")
        found.set("test_images", tests.folder, "an official test part, in class folders too")
        found.note(f"the pictures of {tests.folder} have labels in their folders, which are not used")
    else:
        decide_test(roles, None, find_rows(roles, pictures), pictures, chooser, images, False, found)
    _submission(roles, labels, metric, found)
    decide_pixels(images, found)
    prove(found)


def _choose(
    root: Path, pictures: Pictures, sample: SampleForm | None, found: Findings
) -> tuple[PathLabels, PathLabels | None]:
    """The class folders, or else the file names, that hold the labels; and a labelled test folder."""
    known = (
        set()
        if sample is None
        else {cell for column in sample.values for cell in column.distinct} | set(sample.names)
    )
    folders = class_folders(pictures)
    if sample is not None:  # folders of test pictures are no classes
        folders = without_tests(folders, sample.ids, pictures)
    fitting = [
        one
        for one in folders
        if match_names(sorted(one.classes), sorted(known & one.classes)) and known & one.classes
    ]
    folders = fitting or folders
    merged, tests = merge_parts(folders)
    names = classes_in_names(pictures, known)
    if sample is not None:
        names = without_tests(names, sample.ids, pictures)
    if merged is not None and (not names or len(merged.classes & known) >= len(names[0].classes & known)):
        rivals = [one for one in folders if one.folder and not (one.classes <= merged.classes)]
        if rivals and not fitting:
            choices: list[tuple[object, str]] = [(one.train_images, one.why) for one in (merged, *rivals[:5])]
            found.ask(
                "train_images",
                "Several folders have sub-folders that may be classes.",
                choices,
                merged.train_images,
            )
        return merged, tests
    if names:
        return names[0], None
    raise ValueError(
        f"{root}: {pictures.count} pictures, but no table that names them and their labels, no sub-folders that could "
        "be classes, and no class in file names. Set competition=folder and its keys by hand."
    )


def _submission(roles: Roles, labels: PathLabels, metric: str | None, found: Findings) -> None:
    """The sample's names of the classes, and the metric."""
    sample = roles.sample
    classes = sorted(labels.classes)
    if sample is not None and len(sample.names) > 1:
        mapping = match_names(classes, sample.names)
        if mapping is not None and any(ours != theirs for ours, theirs in mapping.items()):
            found.set("submission_names", mapping, "the sample submission's names of the classes")
    if sample is not None and len(sample.names) == 1 and sample.values:
        _one_column(sample.values[0], classes, found)
    if sample is None:
        decide_metric(Task.MULTICLASS, "accuracy", metric, found)
        return
    decide_submission(roles, None, metric, found)


def _one_column(value: Column, classes: list[str], found: Findings) -> None:
    """One value a row: a class's name, its number, or a probability of one of two."""
    if value.name in classes or (value.distinct and set(value.distinct) <= set(classes)):
        return
    if len(classes) == 2 and value.is_number:
        found.ask(
            "classes",
            f"Which class's probability does {value.name!r} hold? The last one's.",
            [(classes, f"of {classes[1]!r}"), (classes[::-1], f"of {classes[0]!r}")],
            classes,
        )
        found.set("submission_format", "probabilities", "one number for two classes")
        return
    ask_names(value, classes, found)
