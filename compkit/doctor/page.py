"""What the doctor says: on the terminal, as one HTML page, and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compkit.doctor.examine import Examined
from compkit.engine import Console
from compkit.files import write_text
from compkit.findings import Finding, Status
from compkit.report import Section, render
from compkit.report.section import Card, Number, Table, duration
from compkit.run.folder import json_text

ORDER = (Status.FAIL, Status.WARN, Status.INFO, Status.PASS, Status.SKIP)
COLUMNS = ["status", "check", "value", "expected", "what to do"]


def say(examined: Examined, console: Console) -> None:
    """A line for a check that has ended, and one for each finding of it that asks for something."""
    status, count = overall(examined.findings), len(examined.findings)
    console.say(
        f"{examined.check.name}: {str(status).upper()}, {count} finding(s), {examined.seconds:.1f} s: "
        f"{examined.check.meaning}"
    )
    for one in examined.findings:
        if one.status in (Status.FAIL, Status.WARN):
            console.warn(in_words(one))
        elif one.status == Status.INFO or (one.status == Status.SKIP and count == 1):
            console.say(f"{one.check}: {one.message}")


def in_words(finding: Finding) -> str:
    """A finding as sentences: what, the value, what was expected, what to do.

    >>> print(in_words(Finding("rates", Status.WARN, "The rate is 9.", 9.0, "below 1", "Set lr=1e-3.")))
    WARN rates: The rate is 9. Expected: below 1. Set lr=1e-3.
    """
    expected = f" Expected: {finding.expected}." if finding.expected else ""
    return (
        f"{str(finding.status).upper()} {finding.check}: {finding.message}{expected} {finding.remedy}".strip()
    )


def show(examined: Sequence[Examined], console: Console) -> None:
    """The table at the end, worst first; what passed is one line a check."""
    rows = [
        [str(one.status).upper(), one.check, value_text(one), one.expected, one.remedy]
        for one in _sorted(examined)
        if one.status not in (Status.PASS, Status.SKIP) or "." not in one.check
    ]
    if rows:
        console.table("doctor", COLUMNS, rows)
    findings = [one for each in examined for one in each.findings]
    counts = {status: sum(one.status == status for one in findings) for status in ORDER}
    console.say(", ".join(f"{count} {str(status).upper()}" for status, count in counts.items() if count))


def value_text(finding: Finding) -> str:
    """The value with four digits, or nothing."""
    return "" if finding.value is None else f"{finding.value:.4g}"


def doctor_page(title: str, examined: Sequence[Examined]) -> str:
    """The page as HTML that needs nothing but itself."""
    findings = [one for each in examined for one in each.findings]
    wrong = [one for one in findings if one.status in (Status.FAIL, Status.WARN)]
    cards = [
        Card("Worst", str(overall(findings)).upper(), f"{len(wrong)} finding(s) to look at"),
        Card("Findings", str(len(findings)), f"of {len(examined)} checks"),
        Card("Time", duration(sum(each.seconds for each in examined)), "all checks together"),
    ]
    sections = [findings_section(_sorted(examined)), checks_section(examined)]
    return render(f"{title} / doctor", cards, sections, [])


def findings_section(findings: Sequence[Finding]) -> Section:
    """Findings in their order: what asks for something apart from what is in order."""
    rows: list[list[object]] = [
        [
            str(one.status).upper(),
            one.check,
            one.message,
            one.remedy,
            "" if one.value is None else str(Number(one.value)),
            one.expected,
        ]
        for one in findings
    ]
    columns = ["status", "check", "what was seen", "what to do", "value", "expected"]
    told = [row for row in rows if row[0] in ("FAIL", "WARN", "INFO")]
    rest = [row[:3] for row in rows if row[0] in ("PASS", "SKIP")]
    if told:
        verdict = (
            "FAIL is proven; WARN is likely, or may be meant. Each can be left out by doctor.skip=[its name]."
        )
    else:
        verdict = f"Nothing is wrong, as far as {len(rest)} findings can tell."
    tables = [Table("To look at, worst first", columns, told)] if told else []
    tables += [Table("In order, or left out", columns[:3], rest)] if rest else []
    return Section("findings", "Findings", [verdict], tables=tables)


def checks_section(examined: Sequence[Examined]) -> Section:
    """What each check proves, what came of it, and how long it took."""
    columns = ["check", "what it proves", "worst", "seconds"]
    rows = [
        [one.check.name, one.check.meaning, str(overall(one.findings)).upper(), f"{one.seconds:.1f}"]
        for one in examined
    ]
    return Section("checks", "Checks", tables=[Table("In the order in which they ran", columns, rows)])


def record(examined: Sequence[Examined]) -> dict[str, Any]:
    """What doctor.json holds: the findings in the order of the checks, and the seconds of each check."""
    findings = [one for each in examined for one in each.findings]
    return {
        "status": str(overall(findings)),
        "findings": [one.to_dict() for one in findings],
        "seconds": {each.check.name: each.seconds for each in examined},
    }


def write_findings(path: Path, examined: Sequence[Examined]) -> None:
    """Write doctor.json; nothing when nothing was looked at."""
    if examined:
        write_text(path, json_text(record(examined)))


def _sorted(examined: Sequence[Examined]) -> list[Finding]:
    """All findings, worst first."""
    return sorted(
        (one for each in examined for one in each.findings), key=lambda one: ORDER.index(one.status)
    )


def overall(findings: Sequence[Finding]) -> Status:
    """The worst of some findings; SKIP only where nothing else was found.

    >>> overall([Finding("a", Status.SKIP, "no"), Finding("b", Status.PASS, "yes")])
    <Status.PASS: 'pass'>
    """
    return min((one.status for one in findings), key=ORDER.index)
