"""Checks one after the other: in the order of cost, within a budget, and no further than one that blocks."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch

from compkit.doctor.check import Check
from compkit.doctor.stumble import NO_MEMORY, stumbled
from compkit.findings import Finding, Status, worst
from compkit.randomness import restore_rng, rng_state
from compkit.run.trial import Trial


class Examined(NamedTuple):
    """What one check said, and how long it took."""

    check: Check
    findings: list[Finding]
    seconds: float


def choose_checks(
    checks: Sequence[Check], known: Collection[str], only: Sequence[str], skip: Sequence[str]
) -> list[Check]:
    """The checks that are wanted, in their order.

    Args:
        checks: all there are.
        known: names of findings below those of checks, such as proofs.frozen.
        only: names of checks; empty is all.
        skip: names of checks, or of findings.

    Raises:
        ValueError: a name that is none, with a list of those that are; nothing is left.
    """
    names = {check.name: check.meaning for check in checks}
    require_known("doctor.only", only, names, ())
    require_known("doctor.skip", skip, names, known)
    chosen = [check for check in checks if check.name not in skip and (not only or check.name in only)]
    if not chosen:
        raise ValueError(f"doctor.only={list(only)} and doctor.skip={list(skip)} leave no check. Skip fewer.")
    return chosen


def require_known(key: str, given: Sequence[str], meanings: dict[str, str], known: Collection[str]) -> None:
    """Refuse names of no check.

    Raises:
        ValueError: with every name and what it means.
    """
    unknown = [name for name in given if name not in meanings and name not in known]
    if unknown:
        told = "\n".join(f"  {name}: {meaning}" for name, meaning in meanings.items())
        further = f"\nand the single findings {', '.join(known)}" if known else ""
        raise ValueError(
            f"{key}={list(given)}: no check is called {unknown[0]!r}. There are\n{told}{further}"
        )


def examine(
    trial: Trial,
    checks: Sequence[Check],
    seconds: float,
    tell: Callable[[Examined], None] = lambda examined: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Examined]:
    """Run checks on a trial, whose generators are afterwards as they were.

    Args:
        trial: of the run.
        checks: in their order.
        seconds: that all of them may take; a check that has begun is let end.
        tell: called when each has ended.
        clock: in seconds.

    Returns:
        of every check, run or not.
    """
    start, done = clock(), []
    blocked: str | None = None
    for check in checks:
        begin = clock()
        if blocked is not None:
            findings = [skipped(check, f"{blocked} failed, so this would only say it again.")]
        elif begin - start >= seconds:
            findings = [skipped(check, f"doctor.minutes={seconds / 60:g} are over.")]
        else:
            findings = guarded(check, trial)
        done.append(Examined(check, findings, clock() - begin))
        tell(done[-1])
        if check.blocks and worst(findings) == Status.FAIL:
            blocked = check.name
    return done


def skipped(check: Check, reason: str) -> Finding:
    """A check that was not run."""
    return Finding(check.name, Status.SKIP, reason)


def guarded(check: Check, trial: Trial) -> list[Finding]:
    """What a check finds; an error inside it is a FAIL, and what doctor.skip names a SKIP."""
    before = rng_state()
    try:
        findings = check.run(trial)
    except torch.OutOfMemoryError:
        findings = [skipped(check, NO_MEMORY)]
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        findings = [stumbled(check.name, error)]
    finally:
        restore_rng(before)
    skip = trial.plan.doctor.skip
    return [
        Finding(one.check, Status.SKIP, f"Left out by doctor.skip=[{one.check}].")
        if one.check in skip
        else one
        for one in findings
    ]
