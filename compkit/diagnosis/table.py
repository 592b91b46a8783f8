"""Findings about a run's curves as a table on the terminal."""

from collections import defaultdict
from collections.abc import Sequence

from compkit.engine import Console
from compkit.findings import Finding, Status

SHOWN = (Status.FAIL, Status.WARN, Status.INFO)


def show_findings(findings: Sequence[Finding], console: Console, title: str) -> None:
    """Print what was found as a table, and below it the sentences with what to do; one line when nothing is wrong.

    Args:
        findings: of `diagnose`, `diagnose_fold` or `diagnose_run`.
        console: where they are printed.
        title: of what was looked at, such as "fold 0".
    """
    if not findings:  # there are no curves
        return
    shown = [one for one in findings if one.status in SHOWN]
    if not shown:
        console.say(f"{title}: diagnosis of the curves: nothing is wrong")
        return
    lines = grouped(shown)
    rows = [
        [one.check, one.status, _listed(folds), "" if one.value is None else f"{one.value:.3g}", one.expected]
        for one, folds in lines
    ]
    console.table(
        f"{title}: diagnosis of the curves", ["check", "status", "folds", "value", "expected"], rows
    )
    for one, folds in lines:
        said = f"{one.check}{f', fold {folds[0]}' if folds else ''}: {one.message}"
        if one.remedy:
            console.warn(f"{said} {one.remedy}")
        else:
            console.say(said)


def grouped(findings: Sequence[Finding]) -> list[tuple[Finding, list[int]]]:
    """The first finding of each check and status, and the folds that have it, worst first."""
    folds: dict[tuple[Status, str], list[int]] = defaultdict(list)
    first: dict[tuple[Status, str], Finding] = {}
    for one in findings:
        key = (one.status, one.check)
        first.setdefault(key, one)
        if "fold" in one.evidence:
            folds[key].append(int(one.evidence["fold"]))
    order = list(Status)
    keys = sorted(first, key=lambda key: -order.index(key[0]))
    return [(first[key], folds[key]) for key in keys]


def _listed(folds: Sequence[int]) -> str:
    """The folds that have a finding, or all of them together.

    >>> _listed([0, 2]), _listed([])
    ('0, 2', 'all')
    """
    return ", ".join(map(str, folds)) or "all"
