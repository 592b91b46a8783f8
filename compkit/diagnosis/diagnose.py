"""What histories say: rules over the curves of each fold, over all folds, and over out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.diagnosis import probe_rules
from compkit.diagnosis.curves import read_curves
from compkit.diagnosis.ending_rules import plateau, train_longer, underfit
from compkit.diagnosis.facts import FoldFacts
from compkit.diagnosis.fold_rules import label_noise, odd_fold
from compkit.diagnosis.gap_rules import gap
from compkit.diagnosis.probe_rules import diagnose_probes
from compkit.diagnosis.run_facts import FoldRecord, read_config, read_folds
from compkit.diagnosis.training_rules import divergence, first_epoch, non_finite, not_learning, slow
from compkit.diagnosis.validation_rules import chance, explosion, oscillation, overfit
from compkit.findings import Finding, Status
from compkit.types import Task

RULES = (
    non_finite,
    first_epoch,
    not_learning,
    slow,
    divergence,
    explosion,
    chance,
    oscillation,
    overfit,
    gap,
    plateau,
    underfit,
    train_longer,
)
# what findings of curves, probes and folds are called, for doctor.skip
RULE_NAMES = tuple(rule.__name__ for rule in (*RULES, *probe_rules.RULES, odd_fold, label_noise))
NEED_PRIOR = (first_epoch, not_learning, slow, divergence, explosion, plateau, underfit)
# a finding explains others, which then say nothing new
EXPLAINS = {
    "non_finite": ("divergence", "not_learning", "first_epoch", "slow", "plateau", "underfit", "gap", "overfit"),
    "not_learning": ("slow", "plateau", "underfit", "train_longer", "oscillation", "gap", "overfit"),
    "explosion": ("oscillation", "train_longer", "overfit"),
    "divergence": ("not_learning", "oscillation", "overfit", "plateau", "underfit", "train_longer"),
    "slow": ("underfit", "train_longer", "plateau"),
    # the loop's own loss is low: where the clean one is not, pictures or layers differ between training and evaluation
    "chance": ("not_learning", "divergence", "slow", "gap", "overfit", "oscillation", "train_longer"),
    "plateau": ("underfit",),
}  # fmt: skip


def diagnose(history: pd.DataFrame, facts: FoldFacts) -> list[Finding]:
    """What a fold's curves say, finished or under way.

    Args:
        history: a row an epoch, as in history.csv.
        facts: of the fold.

    Returns:
        The rules that fired, worst first; a PASS when none did, and a SKIP for rules that this loss leaves without a
        reference.
    """
    if not len(history):
        return []
    curves = read_curves(history, facts)
    fired = [finding for rule in RULES if (finding := rule(curves, facts)) is not None]
    explained = {name for one in fired for name in EXPLAINS.get(one.check, ())}
    found = [one for one in fired if one.check not in explained]
    skipped = NEED_PRIOR if facts.prior is None else ()
    if not any(one.status in (Status.WARN, Status.FAIL) for one in found):
        count = len(RULES) - len(skipped)
        found.append(
            Finding(
                "curves", Status.PASS, f"{count} rules looked at {len(curves)} epoch(s): nothing is wrong."
            )
        )
    if skipped:
        names = ", ".join(rule.__name__ for rule in skipped)
        found.append(
            Finding(
                "curves",
                Status.SKIP,
                f"The loss of guessing is not known for this loss, sampler or head, so {names} had no reference.",
            )
        )
    order = list(Status)
    found.sort(key=lambda one: -order.index(one.status))
    return [replace(one, evidence={"fold": facts.fold, **one.evidence}) for one in found]


def diagnose_folds(scores: Mapping[int, float], facts: Mapping[int, FoldFacts]) -> list[Finding]:
    """What folds say beside each other.

    Args:
        scores: of each fold that has ended, its best score.
        facts: of the same folds.
    """
    return odd_fold(scores, facts)


def diagnose_labels(records: Sequence[FoldRecord]) -> list[Finding]:
    """What out-of-fold predictions say of the labels; nothing but of multiclass folds that have ended."""
    ended = [one for one in records if one.oof is not None and one.facts.task == Task.MULTICLASS]
    if not ended:
        return []
    oofs = [one.oof for one in ended if one.oof is not None]
    targets, values = (
        np.concatenate(parts) for parts in zip(*((oof.targets, oof.values) for oof in oofs), strict=True)
    )
    found = label_noise(targets, values, [one.facts for one in ended])
    return [] if found is None else [found]


def diagnose_run(folder: Path) -> list[Finding]:
    """What a run's folder says, finished or not; nothing of a run that was made of others or has no validation.

    Findings that the run's doctor.skip names are left out.

    Raises:
        FileNotFoundError: the folder is no run's.
        ValueError: a file in it is not what a run writes.
    """
    records = read_folds(Path(folder))
    found = [finding for one in records.values() for finding in _of_fold(one)]
    return _without_skipped(found + _of_all_folds(records), folder)


def diagnose_fold(folder: Path, fold: int) -> list[Finding]:
    """What one fold of a run says, at its end or while it is trained; raises as `diagnose_run`."""
    record = read_folds(Path(folder)).get(fold)
    return [] if record is None else _without_skipped(_of_fold(record), folder)


def diagnose_together(folder: Path) -> list[Finding]:
    """What the folds of a run say together, once each has been diagnosed; raises as `diagnose_run`."""
    return _without_skipped(_of_all_folds(read_folds(Path(folder))), folder)


def _of_fold(record: FoldRecord) -> list[Finding]:
    inside = [] if record.probes is None else diagnose_probes(record.probes, record.facts)
    return diagnose(record.history, record.facts) + inside


def _of_all_folds(records: Mapping[int, FoldRecord]) -> list[Finding]:
    scores = {fold: one.best for fold, one in records.items() if one.best is not None}
    facts = {fold: one.facts for fold, one in records.items()}
    return diagnose_folds(scores, facts) + diagnose_labels(list(records.values()))


def _without_skipped(findings: Sequence[Finding], folder: Path) -> list[Finding]:
    skip = read_config(folder).get("doctor", {}).get("skip", [])
    return [one for one in findings if one.check not in skip]
