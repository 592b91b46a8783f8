"""Rules about whether the training loss falls as it should: at once, fast enough, without coming apart.

H is the loss of the best answer that looks at no picture (`FoldFacts.prior`), T the training loss.
"""

import numpy as np

from compkit.diagnosis.curves import Curves, is_due, log_slope
from compkit.diagnosis.facts import FoldFacts
from compkit.diagnosis.scores import perfect_score
from compkit.findings import Finding, Status

FIRST_STEPS = 10  # an epoch that ends earlier says more of the initial weights than of training
NOTHING_LEARNT = 0.97  # of H
ESTIMATED = 0.9  # of an H that was estimated from other rows


def non_finite(curves: Curves, facts: FoldFacts) -> Finding | None:
    """A loss that is infinite, or no number although it was one before, is a proof."""
    for name, values in (("train_loss", curves.train), ("val_loss", curves.valid)):
        bad = np.isinf(values) | (np.isnan(values) & np.isfinite(values[:1]).all())
        if bad.any():
            epoch = int(curves.epochs[np.argmax(bad)])
            return Finding(
                "non_finite",
                Status.FAIL,
                f"{name} is {values[np.argmax(bad)]} in epoch {epoch}.",
                expected="a finite number in every epoch",
                remedy="Set trainer.precision=fp32, trainer.clip_at=1 and a tenth of the rate, "
                f"{curves.rate(0.1)}; look at the pictures and labels that the loop names.",
            )
    return None


def first_epoch(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The loss jumps far above guessing at once: the first steps destroy more than they teach."""
    told = np.flatnonzero(curves.steps >= FIRST_STEPS)
    if facts.prior is None or not len(told):
        return None
    at, ratio = int(told[0]), float(curves.train[told[0]] / facts.prior)
    if not ratio > 2:
        return None
    recovered = bool(curves.train[curves.last].mean() < 0.5 * facts.prior)
    message = (
        f"The mean training loss of epoch {int(curves.epochs[at])} is {curves.train[at]:.4g}, {ratio:.1f} times that "
        f"of guessing ({facts.prior:.4g})"
    )
    if recovered:
        return Finding(
            "first_epoch",
            Status.INFO,
            message + ", from which training recovered; schedule.warmup_epochs=1 spares it that.",
            value=ratio,
            expected="below 2",
        )
    return Finding(
        "first_epoch",
        Status.WARN,
        message + ".",
        value=ratio,
        expected="below 2 times the loss of guessing",
        remedy=f"Lower the rate, {curves.rate(0.1)}, or warm up: schedule.warmup_epochs=1.",
    )


def not_learning(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The training loss stays where guessing is, and the validation loss too."""
    if facts.prior is None or not is_due(curves, facts):
        return None
    ratio = float(np.mean(curves.least_biased[curves.last]) / facts.prior)
    limit = NOTHING_LEARNT if facts.prior_is_exact else ESTIMATED
    valid = _valid_ratio(curves, facts)
    # mixed pictures keep the training loss high while the network learns
    learns = facts.is_mixed if valid is None else valid < 0.95
    if ratio < limit or learns:
        return None
    return Finding(
        "not_learning",
        Status.WARN,
        f"After {int(curves.steps[-1])} steps the training loss, {ratio * facts.prior:.4g} over the last "
        f"{curves.last_epochs} epoch(s), is {ratio:.2f} times that of guessing ({facts.prior:.4g}).",
        value=ratio,
        expected=f"below {limit} times the loss of guessing",
        remedy="Run scripts/doctor.py: it proves that labels, pictures and gradients arrive. If so, raise the rate, "
        f"{curves.rate(10)}; where the loss once rose above guessing lower it, {curves.rate(0.1)}.",
        evidence={"prior": facts.prior, "steps": int(curves.steps[-1]), "validation_ratio": valid},
    )


def slow(curves: Curves, facts: FoldFacts) -> Finding | None:
    """At the end of the run hardly anything is learnt yet, and the loss still falls."""
    if facts.prior is None or facts.is_mixed or not (facts.is_over and is_due(curves, facts)):
        return None
    train = curves.train
    ratio = float(train[curves.last].mean() / facts.prior)
    recent = train[-max(3, round(len(train) / 2)) :]
    if not 0.8 < ratio < NOTHING_LEARNT or log_slope(recent) > -0.005 or _fell_early(train, facts.prior):
        return None
    share = _learnt(curves, facts)
    if share is None or share > 0.25:  # rare labels keep the loss high whatever is learnt
        return None
    return Finding(
        "slow",
        Status.WARN,
        f"The run ended with a training loss of {ratio:.2f} times that of guessing ({facts.prior:.4g}), which still "
        f"fell by {-log_slope(recent):.1%} an epoch; {facts.judged_by} has come {share:.0%} of the way from guessing.",
        value=ratio,
        expected="below 0.8 times the loss of guessing, or no longer falling",
        remedy=f"Raise the rate, {curves.rate(10)} (scripts/lr_find.py finds one), or train longer, "
        f"epochs={3 * facts.epochs}.",
    )


def divergence(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The training loss was low and has risen again."""
    curves = curves.since(facts.frozen_epochs)
    if facts.prior is None or len(curves) < 3 or curves.is_in_new_cycle:
        return None
    train, best = curves.train, float(curves.train.min())
    mean = float(train[curves.last].mean())
    limit = max(1.5 * best, 0.5 * facts.prior)
    if not mean > limit:
        return None
    return Finding(
        "divergence",
        Status.WARN,
        f"The training loss was {best:.4g} in epoch {int(curves.epochs[train.argmin()])} and is {mean:.4g} over the "
        f"last {curves.last_epochs} epoch(s).",
        value=mean,
        expected=f"at most {limit:.4g}: 1.5 times the smallest, or half of that of guessing ({facts.prior:.4g})",
        remedy=f"Lower the rate, {curves.rate(0.2)}, clip gradients, trainer.clip_at=1, and warm up: "
        "schedule.warmup_epochs=1.",
    )


def _valid_ratio(curves: Curves, facts: FoldFacts) -> float | None:
    """Validation loss over the last epochs in units of that of guessing; None where it is not known."""
    if facts.valid_prior is None or np.isnan(curves.valid).any():
        return None
    return float(curves.valid[curves.last].mean() / facts.valid_prior)


def _learnt(curves: Curves, facts: FoldFacts) -> float | None:
    """How far the judged score is on its way from guessing (0) to perfect (1); None where that is not known."""
    score = float(curves.judged[curves.last].mean())
    if facts.chance is None or np.isnan(score):
        return None
    way = perfect_score(facts.judged_by) - facts.chance
    return (score - facts.chance) / way if way else None  # validation rows of one class: guessing is perfect


def _fell_early(train: np.ndarray, prior: float) -> bool:
    """Whether the first half of the run taught more than the second: then the rate is not what holds it back."""
    half = len(train) // 2
    return bool(min(train[0], prior) - train[half] > 2 * (train[half] - train[-1]))
