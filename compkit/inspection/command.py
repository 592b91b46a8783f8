"""Data inspection as a command: console, page, JSON and the groups of duplicates."""

from pathlib import Path

import numpy as np

from compkit.competition import Competition
from compkit.competition.row_groups import write_groups
from compkit.engine import Console, cpu_cores
from compkit.files import write_text
from compkit.findings import Finding, Status
from compkit.inspection.inspect import Inspection, inspect
from compkit.inspection.page import ORDER, inspection_page, inspection_record
from compkit.report import read_run
from compkit.results import OutOfFold
from compkit.run.folder import json_text
from compkit.run.plan import Plan
from compkit.types import Table


def inspect_data(plan: Plan, run: str | None, output: str | None, overwrite: bool) -> Path:
    """Look at all pictures and labels of a competition and write what was found.

    Args:
        plan: its competition, folds and limit are used; nothing is trained.
        run: folder of a run whose out-of-fold predictions tell suspicious labels; None looks for none.
        output: folder to write into; None is <output_dir>/<competition>/inspection.
        overwrite: write over an earlier inspection instead of into the next free folder.

    Returns:
        The page.

    Raises:
        FileNotFoundError, ValueError: tables or run cannot be read; nothing has been written.
    """
    with Console() as console:
        competition = plan.competition
        oof = None if run is None else read_predictions(Path(run).expanduser())
        if oof is not None:  # a table is read in no time, its pictures may take hours
            require_own_rows(oof, competition.read_train(plan.limit), str(run))
        parts = "train and test" if plan.predict_test and competition.test_images is not None else "train"
        console.say(f"{competition.name}: decoding every picture of {parts} once")
        with console.epoch(0, "decoding") as bar:
            found = inspect(plan, oof, cpu_cores(), progress=lambda done, total: bar.advance(1))
        folder = plan.folder.parent / "inspection" if output is None else Path(output).expanduser()
        page = write_inspection(found, competition, folder if overwrite else free_folder(folder))
        tell(found.findings, console)
        console.say(f"page: {page}")
    return page


def read_predictions(folder: Path) -> OutOfFold:
    """The out-of-fold predictions of a run.

    Raises:
        FileNotFoundError, ValueError: no run there, or one without.
    """
    oof = read_run(folder).oof
    if oof is None:
        raise ValueError(
            f"run={folder}: has no oof.parquet, which tells suspicious labels. Give a finished run, or leave run=null."
        )
    return oof


def require_own_rows(oof: OutOfFold, table: Table, run: str) -> None:
    """Refuse predictions for pictures that the training table does not have.

    Raises:
        ValueError: naming the first of them.
    """
    names = oof.ids if oof.pictures is None else oof.pictures
    strangers = np.setdiff1d(names.astype(str), table.ids)
    if len(strangers):
        raise ValueError(
            f"run={run}: {len(strangers)} of its pictures are no training rows here, such as {str(strangers[0])!r}. "
            "Give a run of this competition, with the same limit."
        )


def write_inspection(found: Inspection, competition: Competition, folder: Path) -> Path:
    """Write inspection.html, inspection.json and duplicate_groups.csv; returns the page."""
    html = inspection_page(found, competition)
    parts = np.repeat(["train", "test"], [len(found.table), len(found.ids) - len(found.table)])
    write_groups(folder / "duplicate_groups.csv", found.ids, parts, found.duplicates.groups)
    write_text(folder / "inspection.json", json_text(inspection_record(found, competition)))
    write_text(folder / "inspection.html", html)
    return folder / "inspection.html"


def free_folder(folder: Path) -> Path:
    """The folder itself, or with the first number behind its name that is not in use.

    >>> import tempfile
    >>> parent = Path(tempfile.mkdtemp())
    >>> (parent / "inspection").mkdir()
    >>> free_folder(parent / "inspection").name, free_folder(parent / "other").name
    ('inspection_2', 'other')
    """
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}_{number}")
    return free


def tell(findings: list[Finding], console: Console) -> None:
    """Print what to look at, worst first, then the names of what is in order."""
    for finding in sorted(findings, key=lambda one: ORDER.index(one.status)):
        line = f"{str(finding.status).upper()} {finding.check}: {finding.message}"
        if finding.status in (Status.FAIL, Status.WARN):
            console.warn(f"{line}\n  expected: {finding.expected or 'none'}\n  to do: {finding.remedy}")
        elif finding.status == Status.INFO:
            console.say(line)
    fine = [finding.check for finding in findings if finding.status == Status.PASS]
    skipped = [
        f"{finding.check} ({finding.message})" for finding in findings if finding.status == Status.SKIP
    ]
    console.say(f"in order: {', '.join(fine) or 'nothing'}")
    if skipped:
        console.say(f"skipped: {'; '.join(skipped)}")
