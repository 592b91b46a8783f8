"""Does anything but the picture's content tell the label? Then a network learns that, and fails on other pictures."""

import numpy as np
import pandas as pd

from compkit.competition import Competition
from compkit.findings import Finding, Status
from compkit.inspection.features import (
    MOST_COLUMNS,
    borders,
    colours,
    looks,
    metadata_names,
    outside_families,
)
from compkit.inspection.probe import NONE, Skill, neighbour_skill, probe, probe_each_class
from compkit.pictures.measure import Measured
from compkit.pictures.similar import chance_agreement, labels_agree
from compkit.types import Table, Task

OUTSIDE = 0.3  # skill from which what is no content is told as a shortcut
COLOUR = 0.8  # skill of the mean colour, the edges or sharpness; ripe fruit is red for a good reason
ALONE = 0.8  # skill in telling one of several classes from all others
MENTIONED = 0.1  # skill that is worth knowing
NAMED = 5  # columns in a message
AHEAD = 0.15  # what a file's size must tell beyond brightness, contrast and sharpness, which it follows
REMEDY = {
    "picture size": "bring all pictures to one size and shape before training, and see whether the score stays",
    "file size": "look how the files of the classes were made; save them anew in one format and quality",
    "file format": "save all pictures anew in one format; if classes come from different sources, split by source "
    "(competition.group_column)",
    "file metadata": "look which cameras, programs or comments differ by class (exiftool); networks do not see them, "
    "but sources that differ there differ in pixels too: split by source (competition.group_column)",
    "row order": "look how the table was made: rows taken one after the other share more than the label; split by time "
    "or session (competition.time_column, competition.group_column)",
    "file name": "nothing here reads names, but pictures named alike were often taken alike: split by that part of the "
    "name (competition.group_column)",
    "border": "look at the edges of the pictures (contact sheets): crop frames, bars and paddings that differ by "
    "class, in train and test",
    "sharpness": "look at the contact sheets: if one class is blurred, noisy or enlarged, its pictures come from "
    "another source; split by it (competition.group_column), blur and noise all (augment=heavy)",
    "mean colour": "look at the contact sheets: if light or camera differ by class, use augment=color, "
    "and split by source (competition.group_column)",
}
OF_COLUMN = (
    "find out whether it is known before the picture is taken; if so, learn it beside the target (auxiliary), else "
    "beware of pictures that show it, and split by it (competition.group_column)"
)


def probe_shortcuts(
    table: Table, measured: Measured, competition: Competition, test: Table | None, groups: np.ndarray
) -> list[Finding]:
    """A finding for each family of columns: WARN where the label can be told from it, far above chance.

    Args:
        table, measured: the readable training rows.
        competition: which columns are ids and labels.
        test: where metadata must be found too; None without a test set.
        groups: rows that must not be torn apart, int64 [N].
    """

    def skill_of(columns: pd.DataFrame) -> Skill:
        return probe(columns, table.labels, competition.task, competition.classes, groups)

    def skill_of_one(columns: pd.DataFrame) -> Skill:
        return probe_each_class(columns, table.labels, competition.classes, groups)

    families = outside_families(table, measured, competition, test)
    skills = {name: skill_of(columns) for name, columns in families.items()}
    if "row order" in skills:
        skills["row order"] = max(skills["row order"], _neighbours(table, groups), key=lambda one: one.low)
    honest = skill_of(looks(measured)).value
    limits = dict.fromkeys(skills, OUTSIDE)
    limits["file size"] = max(OUTSIDE, honest + AHEAD)
    skills["mean colour"], limits["mean colour"] = skill_of(colours(measured)), COLOUR
    skills["border"], limits["border"] = skill_of(borders(measured)), COLOUR
    skills["sharpness"], limits["sharpness"] = skill_of(looks(measured)[["sharpness"]]), COLOUR
    found = {name: shortcut_finding(name, skill, limits[name]) for name, skill in skills.items()}
    if competition.task == Task.MULTICLASS and len(competition.classes) > 2:
        honest = skill_of_one(looks(measured)).value
        for name, columns in families.items():
            limit = max(ALONE, honest + AHEAD) if name == "file size" else ALONE
            one = shortcut_finding(name, skill_of_one(columns), limit)
            if one.status == Status.WARN and found[name].status != Status.WARN:
                found[name] = one
    left = metadata_names(table, test, competition)[MOST_COLUMNS:]
    return [*found.values(), *_left_out(left)]


def _left_out(names: list[str]) -> list[Finding]:
    """Columns that nobody looked at; nothing without any."""
    if not names:
        return []
    shown = ", ".join(names[:NAMED]) + " …" * (len(names) > NAMED)
    message = f"{len(names)} further columns of the tables were not looked at, only the first {MOST_COLUMNS}: {shown}"
    return [Finding("shortcut: further columns", Status.INFO, message, len(names))]


def shortcut_finding(name: str, skill: Skill, limit: float) -> Finding:
    """What a family's skill means.

    >>> shortcut_finding("file size", Skill(0.9, 0.01, "balanced accuracy 0.95, by chance 0.5", "bytes"), 0.3).status
    <Status.WARN: 'warn'>
    """
    check = f"shortcut: {name}"
    if skill == NONE:
        return Finding(check, Status.SKIP, "too few rows, groups or differing values to judge")
    expected = f"skill below {limit:.2f} (0 = chance, 1 = all that a tree of 8 leaves can tell)"
    evidence = {"skill": round(skill.value, 4), "error": round(skill.error, 4), "column": skill.column}
    if skill.low <= MENTIONED:
        return Finding(
            check, Status.PASS, f"{name} does not tell the label", skill.value, expected, evidence=evidence
        )
    message = f"{name} tells the label ({skill.column}: {skill.score})"
    if skill.low <= limit:
        return Finding(check, Status.INFO, f"{message}, a little", skill.value, expected, evidence=evidence)
    remedy = REMEDY.get(name, OF_COLUMN)
    return Finding(check, Status.WARN, message, skill.value, expected, f"{remedy}.", evidence)


def _neighbours(table: Table, groups: np.ndarray) -> Skill:
    """Whether rows beside each other have the same label; those of one group have it for a good reason."""
    one = np.flatnonzero(groups[1:] != groups[:-1])
    return neighbour_skill(labels_agree(table.labels, one, one + 1), chance_agreement(table.labels))
