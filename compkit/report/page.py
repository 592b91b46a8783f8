"""A run's folder as one HTML page that needs nothing but itself."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from compkit.files import write_text
from compkit.privacy import private
from compkit.report.checks import actions, doctor_section, read_checks
from compkit.report.curves import curves
from compkit.report.data import data
from compkit.report.diagnosis import diagnosis
from compkit.report.errors import error_sections
from compkit.report.explained import explained_sections
from compkit.report.members import members
from compkit.report.pictures import ImageOf
from compkit.report.postprocess import postprocess
from compkit.report.probes import probe_sections
from compkit.report.records import read_run
from compkit.report.reproduce import reproduce
from compkit.report.scores import fold_scores, folds
from compkit.report.section import Action, Card, Section
from compkit.report.verdict import verdict


def write_report(folder: Path, image_of: ImageOf | None) -> Path:
    """Write report.html into a run's folder, from what the run has written so far.

    Args:
        folder: of the run, finished or not.
        image_of: the picture of an id, uint8 [H, W, 3], or None when there is none; None shows no
            pictures.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder is not a run's, or a file in it is not what a run writes.
    """
    run = read_run(folder)
    checked, of_data = read_checks(run.folder), data(run)
    before, of_curves = checked.doctor or [], checked.curves or []
    inside = probe_sections(run)
    sections = [
        fold_scores(run),
        *members(run),
        *postprocess(run),
        *doctor_section(checked, run.is_derived),
        of_data.section,
        *(one for one in inside if one.anchor == "seen"),
        *diagnosis(of_curves),
        *curves(run),
        *(one for one in inside if one.anchor != "seen"),
        *([] if run.oof is None else error_sections(run.oof, image_of, run.folds)),
        *explained_sections(run),
        folds(run),
        reproduce(run),
    ]
    first = actions([("doctor", before), ("diagnosis", of_curves), ("data", of_data.findings)])
    notes = [*run.missing, *checked.notes, *of_data.notes]
    title = f"{run.folder.resolve().parent.name} / {run.folder.resolve().name}"
    path = run.folder / "report.html"
    write_text(path, render(title, verdict(run, [*before, *of_curves]), sections, notes, first))
    return path


def render(
    title: str,
    cards: Sequence[Card],
    sections: Sequence[Section],
    notes: Sequence[str],
    todo: Sequence[Action] = (),
) -> str:
    """The page as HTML; every text is escaped, and none tells a key or the home folder.

    Args:
        title: name of the page.
        cards: numbers at the top.
        sections: chapters, in order.
        notes: what is missing, and why.
        todo: what to do first.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("page.html.j2")
    words = {"title": title, "cards": cards, "sections": sections, "notes": notes, "actions": todo}
    return private(template.render(words))


def require_own_page(path: Path, kind: str) -> None:
    """Refuse to write a page over a file that is none of its kind.

    Args:
        path: of the page.
        kind: last word of its title, such as "leaderboard".

    Raises:
        ValueError: it has another ending than .html, or is somebody's file.
    """
    if path.suffix != ".html":
        raise ValueError(f"html={path}: expected a name ending in .html. Set html={kind}.html.")
    if path.exists() and f"/ {kind}</title>" not in path.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"html={path}: exists, and is no {kind}. Set html= to another name.")
