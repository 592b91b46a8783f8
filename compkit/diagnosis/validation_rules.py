"""Rules about validation beside training: does what is learnt hold for other pictures.

H is the loss of the best answer that looks at no picture, T the training loss, V the validation loss.
"""

from dataclasses import replace

import numpy as np

from compkit.diagnosis.curves import Curves
from compkit.diagnosis.facts import FoldFacts
from compkit.diagnosis.scores import OF_ROWS, perfect_score
from compkit.findings import Finding, Status

NO_BETTER = 0.97  # of the loss of guessing
MANY_TIMES = 5.0  # the loss of guessing
MOST_ROWS = 0.6  # of one class; two that are about as frequent have less
LAG_STEPS = 50  # for which batch norm's statistics are still in part those of the start


def explosion(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The validation loss is many times that of guessing, and not because training pictures are known by heart."""
    if facts.prior is None or facts.valid_prior is None:
        return None
    # before, batch norm's statistics lag behind; a small training loss means overconfidence instead
    told = (curves.steps >= LAG_STEPS) & (curves.train > 0.3 * facts.prior) & np.isfinite(curves.valid)
    ratio = np.where(told, curves.valid / facts.valid_prior, 0.0)
    if not len(ratio) or ratio.max() <= MANY_TIMES:
        return None
    at = int(ratio.argmax())
    return Finding(
        "explosion",
        Status.WARN,
        f"The validation loss of epoch {int(curves.epochs[at])} is {curves.valid[at]:.4g}, {ratio[at]:.1f} times that "
        f"of guessing ({facts.valid_prior:.4g}), with a training loss of {curves.train[at]:.4g}: steps were too large.",
        value=float(ratio[at]),
        expected=f"below {MANY_TIMES:g} times the loss of guessing",
        remedy=f"Lower the rate, lr={curves.lr.max() / 10:.1g} (scripts/lr_find.py finds one), or warm up: "
        "schedule.warmup_epochs=1.",
    )


def oscillation(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The validation loss jumps up and down, by more than the choice of its rows explains, to the end."""
    curves = curves.since(facts.frozen_epochs)
    valid, gain = curves.valid[len(curves) // 3 :], curves.gain[len(curves) // 3 :]
    error = facts.error_of(abs(float(np.median(gain)))) if len(gain) else None
    if len(valid) < 7 or len(curves.restarts) or error is None or not np.isfinite(valid).all():
        return None
    if facts.valid_prior is not None and np.median(valid) < 0.1 * facts.valid_prior:
        return None
    steps, moves = np.diff(valid), np.abs(np.diff(gain))
    flips = float((steps[1:] * steps[:-1] < 0).mean())
    jumps = np.abs(steps) / np.maximum(valid[1:], 1e-12)
    jump = float(np.median(jumps))
    calm = jumps[-max(2, len(steps) // 4) :].mean() < 0.05
    if flips <= 0.6 or jump <= 0.15 or calm or np.median(moves) <= 2 * error:
        return None
    return Finding(
        "oscillation",
        Status.WARN,
        f"Over the last two thirds of the epochs the validation loss turned around {flips:.0%} of the time and moved "
        f"by {jump:.0%} an epoch, {facts.metric} by {np.median(moves):.4g}.",
        value=jump,
        expected="turns at most 60 %, moves at most 15 %, the score's at most twice its standard error "
        f"({error:.2g} with {facts.val_rows} rows)",
        remedy=f"Lower the rate, lr={curves.lr.max() / 3:.1g}, take larger batches (batch_size=…, "
        "trainer.accumulate=4), or average the weights: averaging=ema.",
        evidence={"flips": flips, "score_error": error, "score_moves": float(np.median(moves))},
    )


def overfit(curves: Curves, facts: FoldFacts) -> Finding | None:
    """The validation loss rises while the training loss falls: overconfidence, or worse where the score falls too.

    Medians stand for the end of the curves: at a high rate single epochs stray far.
    """
    curves = curves.since(facts.frozen_epochs)
    usable = len(curves) >= 5 and curves.has_settled and np.isfinite(curves.valid).all()
    if not usable or len(curves.restarts):
        return None
    end, at = slice(-max(3, curves.last_epochs), None), int(curves.valid.argmin())
    train, valid, score = (float(np.median(one[end])) for one in (curves.train, curves.valid, curves.gain))
    least, whole = float(curves.valid[at]), len(curves) if facts.is_over else facts.epochs
    is_noticeable = facts.valid_prior is None or valid - least > 0.05 * facts.valid_prior
    if at + 1 >= 0.7 * whole or valid <= 1.1 * least or train > 0.9 * curves.train[at] or not is_noticeable:
        return None
    seen = (
        f"The validation loss was least in epoch {int(curves.epochs[at])}, {least:.4g}, and is {valid:.4g} at the end, "
        f"while the training loss went on falling from {curves.train[at]:.4g} to {train:.4g}"
    )
    times = valid / least if least else None
    found = Finding("overfit", Status.INFO, seen, times, "at most 1.1 times the least validation loss")
    best = float(curves.gain.max())
    error = facts.error_of(abs(best))
    if error is None or curves.gain[end].max() == best or score >= best - 2 * error:
        kept = (
            f"; {facts.metric} did not get worse, so only the probabilities became too sure: loss=label_smoothing or "
            "postprocess=temperature where they count."
        )
        return replace(found, message=seen + kept)
    fell = f"{seen}; {facts.metric} went from {abs(best):.4g} to {abs(score):.4g}"
    if facts.stops_early:
        return replace(found, message=f"{fell}, where trainer.early_stopping_epochs ended it.")
    return Finding(
        "overfit",
        Status.WARN,
        f"{fell}.",
        found.value,
        f"{found.expected}, or {facts.metric} within {2 * error:.2g} of its best (2 standard errors)",
        remedy="Augment more (augment=medium, mixing=mixup), regularise (optimizer.weight_decay=…, "
        "model/neck=dropout), get more data, or stop early: trainer.early_stopping_epochs=5.",
        evidence={"best_epoch": int(curves.epochs[at]), "score_error": error},
    )


def chance(curves: Curves, facts: FoldFacts) -> Finding | None:
    """Of validation pictures the network knows nothing, although it tells training pictures apart.

    Where the loss of guessing is not known, the score alone decides, and training may have failed as well. Where one
    class is most of the rows, a share of rows cannot decide: a network that tells much gains little of it.
    """
    if facts.chance is None or not (curves.has_settled and facts.is_over):
        return None
    score = float(curves.judged[curves.last].mean())
    error = facts.error_of(score, facts.judged_by)
    far = abs(perfect_score(facts.judged_by) - facts.chance)
    # with a handful of rows nothing is far from chance
    if error is None or not far or not abs(score - facts.chance) <= 4 * error <= 0.5 * far:
        return None
    train, valid = curves.train[curves.last].mean(), curves.valid[curves.last].mean()
    if facts.prior is not None and facts.valid_prior is not None:
        train, valid = train / facts.prior, valid / facts.valid_prior
        if train > NO_BETTER or valid < NO_BETTER:
            return None
        seen = f"The training loss is {train:.2f} times that of guessing"
    elif facts.judged_by.startswith(OF_ROWS) and facts.chance > MOST_ROWS:
        return None
    else:
        seen = f"The training loss went from {curves.train[0]:.4g} to {train:.4g}"
    return Finding(
        "chance",
        Status.WARN,
        f"{seen}, yet {facts.judged_by} in validation is {score:.4g}, what guessing gets ({facts.chance:.4g} ± "
        f"{error:.2g}).",
        value=score,
        expected=f"more than 4 standard errors from {facts.chance:.4g}",
        remedy="Labels may belong to other pictures (look at the pairs: scripts/preview.py), or pictures be treated "
        "otherwise in validation: compare augment=none scaling=pretrained. Where the training loss hardly fell, the "
        f"rate may be off: scripts/lr_find.py, {curves.rate(0.1)} or {curves.rate(10)}. With few steps or small "
        "batches batch norm's statistics lag behind.",
        evidence={"train": float(train), "validation": float(valid)},
    )
