"""The chapter about what a run's curves say."""

from collections.abc import Sequence

from compkit.diagnosis import grouped
from compkit.findings import Finding, Status
from compkit.report.checks import PROBLEMS, badge
from compkit.report.section import Number, Right, Section, Table


def diagnosis(findings: Sequence[Finding]) -> list[Section]:
    """What was found, the numbers that decided, and what to do; no section for a run without curves.

    Args:
        findings: of `diagnose_run`.
    """
    if not findings:
        return []
    found = grouped(findings)
    wrong = sum(one.status in PROBLEMS for one, _ in found)
    shown = [(one, folds) for one, folds in found if one.status in (*PROBLEMS, Status.INFO)]
    if wrong:
        verdict = f"{wrong} finding(s) ask for something to be done. A warning is a matter of statistics."
    else:
        verdict = "Nothing is wrong with the curves, as far as their rules can tell."
    left_out = [one.message for one, _ in found if one.status == Status.SKIP]
    rows: list[list[object]] = [
        [
            badge(one.status),
            one.check,
            _listed(folds),
            one.message,
            Right("") if one.value is None else Number(one.value),
            one.expected,
            one.remedy,
        ]
        for one, folds in shown
    ]
    columns = [
        "status",
        "finding",
        "folds",
        "what was seen, in the first of them",
        "value",
        "expected",
        "what to do",
    ]
    tables = [Table("Findings, worst first", columns, rows)] if rows else []
    return [Section("diagnosis", "Diagnosis", [verdict, *left_out], tables=tables)]


def _listed(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds)) or "all"
