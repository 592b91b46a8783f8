"""A run's folder as one HTML page that needs nothing but itself."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from compkit.files import write_text
from compkit.privacy import private
from compkit.report.errors import error_sections
from compkit.report.members import members
from compkit.report.pictures import ImageOf
from compkit.report.postprocess import postprocess
from compkit.report.records import read_run
from compkit.report.scores import curves, fold_scores, folds, reproduce, verdict
from compkit.report.section import Card, Section


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
    errors = [] if run.oof is None else error_sections(run.oof, image_of)
    sections = [
        fold_scores(run),
        *members(run),
        *postprocess(run),
        *curves(run),
        *errors,
        folds(run),
        reproduce(run),
    ]
    title = f"{run.folder.resolve().parent.name} / {run.folder.resolve().name}"
    path = run.folder / "report.html"
    write_text(path, render(title, verdict(run), sections, run.missing))
    return path


def render(title: str, cards: Sequence[Card], sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The page as HTML; every text is escaped, and none tells a key or the home folder.

    Args:
        title: name of the page.
        cards: numbers at the top.
        sections: chapters, in order.
        notes: what is missing, and why.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("page.html.j2")
    return private(template.render(title=title, cards=cards, sections=sections, notes=notes))
