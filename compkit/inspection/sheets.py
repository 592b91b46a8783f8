"""Which pictures are shown, and why: some of each class, the extremes, duplicates, suspicious labels."""

import os
from collections.abc import Sequence

import numpy as np

from compkit.competition import Competition
from compkit.data import decode_image
from compkit.inspection.duplicate_findings import conflicting_edges
from compkit.inspection.inspect import Inspection
from compkit.inspection.summary import label_counts
from compkit.report.contact_sheet import visible
from compkit.report.pictures import thumbnail
from compkit.report.section import Picture, Section, number
from compkit.types import Task

EACH_CLASS, CLASSES = (
    3,
    16,
)  # pictures of a class, and classes; with all others below some 190 pictures on a page
TEST_SHOWN = 12
EXTREME = 4  # of each kind
GROUPS_SHOWN, CONFLICTS_SHOWN, ISSUES_SHOWN = 10, 10, 24


class Shelf:
    """Pictures of training and test rows, made small for the page.

    Args:
        found: the inspection; the training rows come first.
        competition: channels, depth and names of classes.
    """

    def __init__(self, found: Inspection, competition: Competition) -> None:
        self.found, self.competition = found, competition
        seen = [found.train_seen] + ([] if found.test_seen is None else [found.test_seen])
        self.readable = np.concatenate([one.readable for one in seen])

    def picture(self, row: int, facts: Sequence[tuple[str, str]]) -> Picture:
        """A row's thumbnail with its label and further facts."""
        name = str(self.found.ids[row])
        source = self._source(row) if self.readable[row] else None
        rows = len(self.found.table)
        label = ("label", self.label(row)) if row < rows else ("part", "test")
        return Picture(name, source, [label, *facts])

    def label(self, row: int) -> str:
        """The label of a training row in words."""
        return label_text(self.found.table.labels[row], self.competition)

    def _source(self, row: int) -> str:
        files = [os.fsdecode(name) for name in self.found.files[row]]
        image = decode_image(files, self.competition.channels, max_value=self.competition.max_value)
        return thumbnail(visible(image[np.newaxis])[0])


def label_text(label: np.ndarray, competition: Competition) -> str:
    """A class's name, the names of labels, or numbers."""
    classes = competition.classes
    if competition.task == Task.MULTICLASS:
        return str(classes[int(label)])
    if competition.task == Task.MULTILABEL:
        return ", ".join(name for name, value in zip(classes, label, strict=True) if value > 0.5) or "none"
    return ", ".join(number(float(value)) for value in label)


def class_sheet(found: Inspection, shelf: Shelf) -> Section:
    """A few pictures of each of the most frequent classes (regression: from low to high), and of test."""
    task, labels = shelf.competition.task, found.table.labels
    readable = np.flatnonzero(found.train_seen.readable)
    rng = np.random.default_rng(0)
    if task == Task.REGRESSION:
        order = readable[np.argsort(labels[readable, 0], kind="stable")]
        rows = order[np.unique(np.linspace(0, len(order) - 1, CLASSES).astype(int))].tolist()
    else:
        counts = label_counts(found.table, task, len(shelf.competition.classes))
        rows = []
        for place in np.argsort(-counts, kind="stable")[:CLASSES]:
            mask = labels[readable] == place if labels.ndim == 1 else labels[readable, place] > 0.5
            own = readable[mask]
            rows += rng.choice(own, min(EACH_CLASS, len(own)), replace=False).tolist()
    shown = [shelf.picture(row, []) for row in rows]
    if found.test_seen is not None:
        test = len(found.table) + np.flatnonzero(found.test_seen.readable)
        shown += [
            shelf.picture(row, [])
            for row in rng.choice(test, min(TEST_SHOWN, len(test)), replace=False).tolist()
        ]
    kinds = (
        "from the lowest to the highest value"
        if task == Task.REGRESSION
        else f"{EACH_CLASS} of each frequent class"
    )
    return Section(
        "sheet",
        "Contact sheet",
        [f"Training pictures, {kinds}, and test pictures; drawn at random."],
        pictures=shown,
    )


def extreme_sheet(found: Inspection, shelf: Shelf) -> Section:
    """The darkest, brightest, flattest, most blurred, largest and smallest training pictures."""
    seen = found.train_seen
    pixels = seen.height.astype(np.int64) * seen.width
    kinds = {
        "darkest": seen.brightness,
        "brightest": -seen.brightness,
        "least contrast": seen.contrast,
        "most blurred": seen.sharpness,
        "smallest": pixels,
        "largest": -pixels,
    }
    readable, shown = np.flatnonzero(seen.readable), []
    for kind, values in kinds.items():
        if np.ptp(values[readable]) == 0:
            continue
        for row in readable[np.argsort(values[readable], kind="stable")[:EXTREME]].tolist():
            facts = [
                ("shown as", kind),
                ("size", f"{seen.height[row]} x {seen.width[row]}"),
                ("brightness", number(float(seen.brightness[row]))),
                ("sharpness", number(float(seen.sharpness[row]))),
            ]
            shown.append(shelf.picture(row, facts))
    sentences = [
        "Sharpness is the variance of the Laplacian in the middle of a grey copy of at most 256 px: low when blurred."
    ]
    return Section("extremes", "Extremes", sentences, pictures=shown)


def duplicate_sheet(found: Inspection, shelf: Shelf) -> list[Section]:
    """Pairs with different labels, then a pair of other groups of duplicates; nothing without duplicates."""
    if not found.duplicates.edges:
        return []
    conflicts = conflicting_edges(found.duplicates, found.table.labels)
    known = set(conflicts)
    others = [edge for edge in found.duplicates.edges if edge not in known]
    # one pair of each group, those with test pictures first
    rows = len(found.table)
    others.sort(key=lambda edge: max(edge.one, edge.other) < rows)
    first = {int(found.duplicates.groups[edge.one]): edge for edge in reversed(others)}
    shown = []
    for edge, what in [
        *((edge, "different labels") for edge in conflicts[:CONFLICTS_SHOWN]),
        *((edge, "duplicates") for edge in list(first.values())[::-1][:GROUPS_SHOWN]),
    ]:
        how = "equal pixels" if edge.how == "exact" else f"{edge.how}, {edge.distance} bits apart"
        facts = [("group", str(found.duplicates.groups[edge.one])), (what, how)]
        shown += [shelf.picture(row, facts) for row in (edge.one, edge.other)]
    groups = np.bincount(found.duplicates.groups)
    sentence = (
        f"{int((groups > 1).sum())} groups of {int(groups[groups > 1].sum())} pictures, all in duplicate_groups.csv. "
        "Below, pairs side by side: those with different labels first, then one of each of the first groups."
    )
    return [Section("duplicates", "Duplicates", [sentence], pictures=shown)]


def issue_sheet(found: Inspection, shelf: Shelf) -> list[Section]:
    """The most suspicious labels: picture, given, predicted; nothing without a run."""
    if found.issues is None or found.oof is None or not found.issues.issues:
        return []
    oof, competition = found.oof, shelf.competition
    names = oof.ids if oof.pictures is None else oof.pictures
    row_of = {str(id): row for row, id in enumerate(found.table.ids)}
    shown = []
    for issue in found.issues.issues[:ISSUES_SHOWN]:
        given, said = (
            _said(value, issue.output, competition.task, oof.classes) for value in (issue.given, issue.found)
        )
        facts = [
            ("given", given),
            ("predicted", said),
            ("margin", number(issue.margin)),
            ("fold", str(oof.fold[issue.row])),
        ]
        shown.append(shelf.picture(row_of[str(names[issue.row])], facts))
    sentence = f"The {len(shown)} most suspicious of {len(found.issues.issues)}, worst first; inspection.json has all."
    return [Section("issues", "Suspicious labels", [sentence], pictures=shown)]


def _said(value: float, output: int, task: Task, classes: Sequence[str]) -> str:
    if task == Task.MULTICLASS:
        return str(classes[int(value)])
    if task == Task.MULTILABEL:
        return classes[output] if value > 0.5 else f"not {classes[output]}"
    return f"{classes[output]} {number(value)}"
