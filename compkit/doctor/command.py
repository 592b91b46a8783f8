"""The doctor as a command: every check of a run that has not begun."""

from collections.abc import Sequence
from pathlib import Path

from compkit.diagnosis import RULE_NAMES
from compkit.doctor.examine import choose_checks, examine
from compkit.doctor.page import doctor_page, record, say, show
from compkit.doctor.proofs import PROOFS
from compkit.doctor.registry import CHECKS
from compkit.engine import Console
from compkit.files import write_text
from compkit.findings import Status, worst
from compkit.ranges import positive
from compkit.run.folder import json_text
from compkit.run.plan import Plan
from compkit.run.trial import open_trial

PARTS = (
    *(f"initial_loss.{part}" for part in ("loss", "exact", "output", "built", "terms", "regulariser")),
    *(f"gradients.{part}" for part in ("loss", "network", "regulariser")),
    "zeroed.labels",
)
# single findings that doctor.skip takes: of proofs, of parts of checks, and of a training's curves and probes
FINDING_NAMES = (*(f"proofs.{proof.name}" for proof in PROOFS), *PARTS, *RULE_NAMES)


def doctor(plan: Plan, only: Sequence[str], minutes: float) -> bool:
    """Run the checks on the run's first fold, say and write what they found.

    Args:
        plan: the run; nothing of it is written or trained on.
        only: names of checks; empty is all that doctor.skip leaves.
        minutes: that all may take.

    Returns:
        Whether no check failed.

    Raises:
        ValueError: an unknown name, or minutes not above 0; what is wrong with the run's keys or data.
    """
    seconds = 60 * positive("doctor.minutes", minutes, "5")
    checks = choose_checks(CHECKS, FINDING_NAMES, only, plan.doctor.skip)
    title = f"{plan.competition.name} / {plan.name}"
    with Console() as console:
        with open_trial(plan, console) as trial:
            console.say(f"{title}: {len(checks)} checks in up to {minutes:g} minutes")
            examined = examine(trial, checks, seconds, lambda one: say(one, console))
        show(examined, console)
        folder = free_folder(plan.folder.parent / "doctor" / plan.name)
        write_text(folder / "doctor.json", json_text(record(examined)))
        write_text(folder / "doctor.html", doctor_page(title, examined))
        console.say(f"page: {folder / 'doctor.html'}")
    return worst([one for each in examined for one in each.findings]) != Status.FAIL


def free_folder(folder: Path) -> Path:
    """The folder itself, or with the first number behind its name that is not in use.

    >>> import tempfile
    >>> parent = Path(tempfile.mkdtemp())
    >>> (parent / "run").mkdir()
    >>> free_folder(parent / "run").name, free_folder(parent / "other").name
    ('run_2', 'other')
    """
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}_{number}")
    return free
