"""What the doctor says: on the terminal, as one HTML page, and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compkit.doctor.examine import Examined
from compkit.engine import Console
from compkit.files import write_text
from compkit.findings import Finding, Status, worst
from compkit.report import Section, render
from compkit.report.section import Card, Number, Table, duration
from compkit.run.folder import json_text

ORDER = (Status.FAIL, Status.WARN, Status.INFO, Status.PASS, Status.SKIP)
COLUMNS = ["status", "check", "value", "expected", "seconds"]


def say(examined: Examined, console: Console) -> None:
    """A line for a check that has ended, and one for each finding of it that asks for something."""
    status, count = state(examined), len(examined.findings)
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
        [str(one.status).upper(), one.check, value_text(one), one.expected, f"{seconds:.1f}"]
        for one, seconds in _sorted(examined)
        if one.status not in (Status.PASS, Status.SKIP) or one.check.count(".") == 0
    ]
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
    rows: list[list[object]] = [
        [
            str(one.status).upper(),
            one.check,
            "" if one.value is None else str(Number(one.value)),
            one.expected,
            one.message,
            one.remedy,
        ]
        for one, _ in _sorted(examined)
    ]
    columns = ["status", "check", "value", "expected", "what was seen", "what to do"]
    told = [row for row in rows if row[0] in ("FAIL", "WARN", "INFO")]
    rest = [row[:5] for row in rows if row[0] in ("PASS", "SKIP")]
    verdict = (
        "FAIL is proven; WARN is likely, or may be meant. Each can be left out by doctor.skip=[its name]."
    )
    sections = [
        Section(
            "findings",
            "Findings",
            [verdict if told else f"Nothing is wrong, as far as {len(rest)} proofs and checks can tell."],
            tables=[
                *([Table("To look at, worst first", columns, told)] if told else []),
                *([Table("In order, or left out", columns[:5], rest)] if rest else []),
            ],
        ),
        Section(
            "checks",
            "Checks",
            tables=[
                Table(
                    "In the order in which they ran",
                    ["check", "what it proves", "worst", "seconds"],
                    [
                        [each.check.name, each.check.meaning, str(state(each)).upper(), f"{each.seconds:.1f}"]
                        for each in examined
                    ],
                )
            ],
        ),
    ]
    cards = [
        Card("Worst", str(worst(findings)).upper(), f"{len(wrong)} finding(s) to look at"),
        Card("Findings", str(len(findings)), f"of {len(examined)} checks"),
        Card("Time", duration(sum(each.seconds for each in examined)), "all checks together"),
    ]
    return render(f"{title} / doctor", cards, sections, [])


def record(examined: Sequence[Examined]) -> dict[str, Any]:
    """What doctor.json holds: the findings in the order of the checks, and the seconds of each check."""
    findings = [one for each in examined for one in each.findings]
    return {
        "status": str(worst(findings)),
        "findings": [one.to_dict() for one in findings],
        "seconds": {each.check.name: each.seconds for each in examined},
    }


def write_findings(path: Path, examined: Sequence[Examined]) -> None:
    """Write doctor.json; nothing when nothing was looked at."""
    if examined:
        write_text(path, json_text(record(examined)))


def _sorted(examined: Sequence[Examined]) -> list[tuple[Finding, float]]:
    pairs = [(one, each.seconds) for each in examined for one in each.findings]
    return sorted(pairs, key=lambda pair: ORDER.index(pair[0].status))


def state(examined: Examined) -> Status:
    """The worst that a check found; SKIP only where nothing else was."""
    return min((one.status for one in examined.findings), key=ORDER.index)
