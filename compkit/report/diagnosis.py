"""The chapter about what a run's curves say."""

from collections.abc import Sequence

from compkit.diagnosis import grouped
from compkit.findings import Finding, Status
from compkit.report.section import Number, Section, Table

PROBLEMS = (Status.FAIL, Status.WARN)


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
    said = [_sentence(one, folds) for one, folds in shown]
    left_out = [one.message for one, _ in found if one.status == Status.SKIP]
    rows: list[list[object]] = [
        [
            one.status.upper(),
            one.check,
            _listed(folds),
            "" if one.value is None else Number(one.value),
            one.expected,
        ]
        for one, folds in shown
    ]
    columns = ["status", "finding", "folds", "value", "expected"]
    tables = [Table("Findings, worst first", columns, rows)] if rows else []
    return [Section("diagnosis", "Diagnosis", [verdict, *said, *left_out], tables=tables)]


def _sentence(finding: Finding, folds: Sequence[int]) -> str:
    """What was seen in the first of the folds, and what to do."""
    place = f" (fold {folds[0]})" if folds else ""
    return f"{finding.check}{place}: {finding.message} {finding.remedy}".strip()


def _listed(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds)) or "all"
