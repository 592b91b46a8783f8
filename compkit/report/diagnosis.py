"""The chapter about what a run's curves say."""

from collections.abc import Sequence

from compkit.doctor import Finding, Status, grouped
from compkit.report.section import Number, Section, Table

PROBLEMS = (Status.FAIL, Status.WARN)


def diagnosis(findings: Sequence[Finding]) -> list[Section]:
    """What was found, the numbers that decided, and what to do; no section for a run without curves.

    Args:
        findings: of `diagnose_run`.
    """
    if not findings:
        return []
    wrong = [one for one, _ in grouped(findings) if one.status in PROBLEMS]
    looked = [one.message for one, _ in grouped(findings) if one.status == Status.SKIP]
    if wrong:
        verdict = (
            f"{len(wrong)} finding(s) ask for something to be done. A warning is a matter of statistics."
        )
    else:
        verdict = "Nothing is wrong with the curves, as far as their rules can tell."
    rows: list[list[object]] = [
        [
            one.status.upper(),
            one.check,
            ", ".join(map(str, folds)) or "all",
            "" if one.value is None else Number(one.value),
            one.expected,
            one.message,
            one.remedy,
        ]
        for one, folds in grouped(findings)
        if one.status in (*PROBLEMS, Status.INFO)
    ]
    columns = ["status", "finding", "folds", "value", "expected", "what was seen", "what to do"]
    tables = [Table("Findings, worst first", columns, rows)] if rows else []
    return [Section("diagnosis", "Diagnosis", [verdict, *looked], tables=tables)]
