"""The proofs at the start of every run: on the data it has prepared, before its folder exists."""

import time

from compkit.data import Preprocessing
from compkit.doctor.command import FINDING_NAMES
from compkit.doctor.examine import Examined, examine, require_known
from compkit.doctor.page import in_words
from compkit.doctor.proofs import PROOFS_CHECK
from compkit.doctor.registry import CHECKS
from compkit.engine import Console, Ranks
from compkit.findings import Finding, Status
from compkit.run.assemble import wanted_folds
from compkit.run.plan import Plan
from compkit.run.prepare import Prepared
from compkit.run.trial import trial_of

FOREVER = float("inf")


def prove_at_start(
    plan: Plan, data: Prepared, preprocessing: Preprocessing, ranks: Ranks, console: Console
) -> list[Examined]:
    """Prove what is cheap to prove of the run; warnings are told, failures refused.

    Every rank proves the same, since parts such as AdaCos talk to their peers; what rank 0 finds is what counts.

    Args:
        plan, data: the run.
        preprocessing: of its first fold, with what `scaling` measured.
        ranks: this process among its peers.
        console: where warnings go.

    Returns:
        What was found; nothing when doctor.at_start is off, proofs are skipped, or a fold that has begun goes on.

    Raises:
        ValueError: a proof failed; nothing has been written.
    """
    settings = plan.doctor
    require_known(
        "doctor.skip", settings.skip, {check.name: check.meaning for check in CHECKS}, FINDING_NAMES
    )
    has_begun = plan.resume and (plan.folder / f"fold_{wanted_folds(plan, data)[0]}").is_dir()
    if not settings.at_start or PROOFS_CHECK.name in settings.skip or has_begun:
        return []
    start = time.perf_counter()
    trial = trial_of(plan, data, preprocessing, ranks)
    examined = ranks.share(examine(trial, [PROOFS_CHECK], FOREVER))
    findings = [one for each in examined for one in each.findings]
    for one in findings:
        if one.status == Status.WARN:
            console.warn(in_words(one))
    refuse([one for one in findings if one.status == Status.FAIL])
    told = sum(one.status == Status.PASS for one in findings)
    console.say(f"doctor: {told} proofs hold, in {time.perf_counter() - start:.1f} s (doctor.at_start)")
    return examined


def refuse(failed: list[Finding]) -> None:
    """End a run that is proven to be wrong.

    Raises:
        ValueError: there is a failure.
    """
    if not failed:
        return
    told = "\n".join(in_words(one) for one in failed)
    names = ",".join(dict.fromkeys(one.check for one in failed))
    raise ValueError(
        f"the doctor's proofs at the start of the run failed, and nothing was written:\n{told}\n"
        f"If this is meant, set doctor.skip=[{names}]."
    )
