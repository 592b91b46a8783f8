"""Rules about where the training loss comes to rest, and whether more could be had.

H is the loss of the best answer that looks at no picture (`FoldFacts.prior`), T the training loss.
"""

from compkit.diagnosis.curves import Curves, is_due, log_slope
from compkit.diagnosis.facts import FoldFacts
from compkit.diagnosis.training_rules import NOTHING_LEARNT
from compkit.findings import Finding, Status

PLATEAU_EPOCHS = 5


def plateau(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The training loss no longer falls although much is left, and the rate is as high as ever."""
    curves = curves.since(facts.frozen_epochs)
    window = max(PLATEAU_EPOCHS, curves.last_epochs)
    waits = not facts.is_over and facts.anneals
    if facts.prior is None or facts.is_mixed or waits or len(curves) < 2 * window or curves.is_annealed:
        return None
    before, mean = (
        float(part.mean()) for part in (curves.train[-2 * window : -window], curves.train[-window:])
    )
    if before == 0 or not 0.1 * facts.prior < mean < NOTHING_LEARNT * facts.prior:
        return None
    gain = 1 - mean / before
    if max(gain, -window * log_slope(curves.train[-2 * window :])) >= 0.01:
        return None
    return Finding(
        "plateau",
        Status.WARN,
        f"The mean training loss of the last {window} epochs, {mean:.4g}, is {gain:.1%} below that of the {window} "
        f"before; it is {mean / facts.prior:.2f} times that of guessing, and the rate is still {curves.lr[-1]:.2g}.",
        value=gain,
        expected="at least 1 % lower, or a rate that has come down",
        remedy="Let the rate fall, schedule=cosine, or lower it, "
        f"{curves.rate(0.1)}; then try a larger network, model=….",
    )


def train_longer(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The run ended while loss and score were still getting better."""
    curves = curves.since(facts.frozen_epochs)
    if not facts.is_over or len(curves) < 5 or not (curves.train > 0).all():
        return None
    last = max(3, curves.last_epochs)
    slope = log_slope(curves.train[-last:])
    before, after = curves.gain[:-last], curves.gain[-last:]
    if slope > -0.02 or not after.max() > before.max():
        return None
    return Finding(
        "train_longer",
        Status.INFO,
        f"In the last {last} epochs the training loss still fell by {-slope:.1%} an epoch and {facts.metric} had its "
        f"best value: more epochs may gain, epochs={2 * facts.epochs}.",
        value=slope,
        expected="above -2 % an epoch",
    )


def underfit(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The training loss has come to rest high above zero: the data, or the network, allow no more."""
    if facts.prior is None or facts.is_mixed or not (facts.is_over and is_due(curves, facts)):
        return None
    ratio = float(curves.least_biased[curves.last].mean() / facts.prior)
    slope = log_slope(curves.train[-max(3, curves.last_epochs) :])
    if not 0.5 < ratio < NOTHING_LEARNT or slope < -0.02:
        return None
    return Finding(
        "underfit",
        Status.INFO,
        f"Training came to rest at {ratio:.2f} times the loss of guessing ({facts.prior:.4g}): where people do better, "
        "a larger network (model=…), larger pictures (image_size=…), more epochs or less augmentation may too.",
        value=ratio,
        expected="below 0.5 where labels can be told from pictures",
    )
