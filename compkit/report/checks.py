"""What checks said of a run: before it began (doctor.json), and of its curves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compkit.diagnosis import diagnose_run
from compkit.findings import Finding, Status, worst
from compkit.report.section import Action, Badge, Card, Section, Table, number

KINDS = {
    Status.FAIL: "bad",
    Status.WARN: "look",
    Status.INFO: "unknown",
    Status.PASS: "good",
    Status.SKIP: "unknown",
}
PROBLEMS = (Status.FAIL, Status.WARN)
MOST_ACTIONS = 3


class Checked(NamedTuple):
    """Findings of both times; None where there was nothing to read them from."""

    doctor: list[Finding] | None
    curves: list[Finding] | None
    notes: list[str]  # what could not be read, and why


def read_checks(folder: Path) -> Checked:
    """The findings of a run; what is damaged is told by a note, as the rest of a page does not depend on it."""
    notes: list[str] = []
    doctor = curves = None
    try:
        doctor = read_doctor(folder)
    except ValueError as error:
        notes.append(f"{error} Run scripts/doctor.py with the run's overrides to see them.")
    try:
        curves = diagnose_run(folder)
    # a run's folder may be torn in any way, or be of a version of ours whose config lacked keys
    except (ArithmeticError, OSError, LookupError, TypeError, ValueError) as error:
        notes.append(f"The curves could not be diagnosed: {type(error).__name__}: {error}")
    return Checked(doctor, curves, notes)


def read_doctor(folder: Path) -> list[Finding] | None:
    """The findings that train.py wrote into the run's folder before it began; None where it made no checks.

    Raises:
        ValueError: doctor.json is damaged.
    """
    path = folder / "doctor.json"
    if not path.is_file():
        return None
    try:
        return findings_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"doctor.json is damaged, so its findings are left out ({type(error).__name__}: {error})."
        ) from error


def findings_of(held: Any) -> list[Finding]:
    """Findings from a list of `Finding.to_dict()`, or from an object that has one as `findings`.

    Raises:
        LookupError, TypeError, ValueError: it is something else.
    """
    return [_finding(one) for one in (held["findings"] if isinstance(held, dict) else held)]


def _finding(held: dict[str, Any]) -> Finding:
    status = Status(held["status"])
    if status in PROBLEMS and not held["remedy"]:
        raise ValueError(f"{held['check']} says nothing of what to do")
    return Finding(**(held | {"status": status}))


def light(findings: Sequence[Finding]) -> Card:
    """One word for all findings, green, amber or red, and how many there are of each sort.

    >>> light([Finding("a", Status.WARN, "seen", remedy="look")])[:3]
    ('Checks', '▲ look at it', '1 warning, 0 failed of 1 findings')
    """
    counts = [sum(one.status == status for one in findings) for status in PROBLEMS]
    about = f"{counts[1]} warning{'s' * (counts[1] != 1)}, {counts[0]} failed of {len(findings)} findings"
    status = worst(findings)
    if status == Status.FAIL:
        return Card("Checks", "■ something is wrong", about, "bad")
    if status == Status.WARN:
        return Card("Checks", "▲ look at it", about, "look")
    if all(one.status == Status.SKIP for one in findings):
        return Card("Checks", "not checked", "neither before training nor by its curves", "unknown")
    return Card("Checks", "● nothing found wrong", f"{len(findings)} findings", "good")


def actions(named: Sequence[tuple[str, Sequence[Finding]]]) -> list[Action]:
    """What to do first: the remedies of the worst findings, each check once.

    Args:
        named: anchor of a section and its findings, the more trustworthy first.
    """
    every = [(anchor, one) for anchor, findings in named for one in findings if one.status in PROBLEMS]
    every.sort(key=lambda pair: PROBLEMS.index(pair[1].status))
    first = {one.check: Action(one.check, anchor, one.remedy) for anchor, one in reversed(every)}
    order = list(dict.fromkeys(one.check for _, one in every))
    return [first[check] for check in order[:MOST_ACTIONS]]


def doctor_section(found: Checked, is_derived: bool) -> list[Section]:
    """Checks before training, the worst first; no section for a run that trains nothing."""
    if found.doctor is None:
        how = "python scripts/doctor.py with the overrides of the run makes all checks."
        none = Section("doctor", "Doctor", [f"No checks before training are recorded here; {how}"])
        return [] if is_derived else [none]
    passed = sum(one.status == Status.PASS for one in found.doctor)
    wrong = sum(one.status in PROBLEMS for one in found.doctor)
    sentence = (
        f"{len(found.doctor)} findings before training, {passed} of them passed, {wrong} to look at. FAIL is proven, "
        "WARN is likely."
    )
    return [Section("doctor", "Doctor", [sentence], tables=finding_tables(found.doctor))]


def finding_tables(findings: Sequence[Finding]) -> list[Table]:
    """What to look at with what to do, then what is in order; nothing of no findings."""
    order = list(Status)
    ranked = sorted(findings, key=lambda one: -order.index(one.status))
    told = [one for one in ranked if one.status in (*PROBLEMS, Status.INFO)]
    rest = [one for one in ranked if one not in told]
    tables = []
    if told:
        rows = [[badge(one.status), one.check, one.message, _value(one), one.remedy] for one in told]
        columns = ["status", "check", "what was seen", "value, expected", "what to do"]
        tables.append(_without_blank("To look at, and worth knowing", columns, rows))
    if rest:
        rows = [[badge(one.status), one.check, one.message] for one in rest]
        tables.append(Table("In order, or skipped", ["status", "check", "what was seen"], rows))
    return tables


def badge(status: Status) -> Badge:
    """The status as a word with a colour."""
    return Badge(status.upper(), KINDS[status])


def _without_blank(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without the columns that say nothing."""
    used = [at for at, _ in enumerate(columns) if any(row[at] for row in rows)]
    return Table(title, [columns[at] for at in used], [[row[at] for at in used] for row in rows])


def _value(finding: Finding) -> str:
    known = [] if finding.value is None else [number(finding.value)]
    return ", expected ".join(known + [finding.expected] * bool(finding.expected))
