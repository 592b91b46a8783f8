"""The rule about the distance between training and validation.

H is the loss of the best answer that looks at no picture (`FoldFacts.prior`).
"""

from typing import NamedTuple

import numpy as np

from compkit.diagnosis.curves import Curves
from compkit.diagnosis.facts import FoldFacts
from compkit.findings import Finding, Status

# differences beyond which something should be done: of a score, and of the share of H that is explained, where
# a network that is too sure of itself loses much without being wrong
GAP_OF_SCORE, GAP_OF_LOSS = 0.15, 0.5


def gap(curves: Curves, facts: FoldFacts) -> Finding | None:
    """Training pictures are known far better than validation pictures."""
    if not facts.is_over or len(curves) < 3 or curves.is_in_new_cycle or not curves.has_settled:
        return None
    gaps = [one for one in measured_gaps(curves, facts) if one.difference > max(one.limit / 3, 4 * one.error)]
    if not gaps:
        return None
    found = max(gaps, key=lambda one: one.difference / one.limit)
    limit = max(found.limit, 4 * found.error)
    message = (
        f"{found.what}: at least {found.train:.3f} in training, {found.valid:.3f} in validation at the end."
    )
    if found.difference <= limit:
        return Finding("gap", Status.INFO, message, found.difference, f"a difference of at most {limit:.2f}")
    return Finding(
        "gap",
        Status.WARN,
        message,
        found.difference,
        f"a difference of at most {limit:.2f}",
        remedy="The network knows its pictures by heart: augment (augment=medium, mixing=mixup), regularise "
        "(model/neck=dropout, optimizer.weight_decay=…), start from pretrained weights (model.pretrained=true), get "
        "more data. Look too for pictures that differ between training and validation: scripts/inspect_data.py.",
        evidence={"train_rows": facts.train_rows, "val_rows": facts.val_rows, "score_error": found.error},
    )


class Gap(NamedTuple):
    """One quantity in training and in validation, more is better; `limit` is what its difference may be."""

    what: str
    train: float
    valid: float
    error: float  # standard error of `valid`
    limit: float

    @property
    def difference(self) -> float:
        return self.train - self.valid


def measured_gaps(curves: Curves, facts: FoldFacts) -> list[Gap]:
    """What is known of training and validation alike over the last epochs.

    Where the loop does not measure training pictures, the loss limits how many can be wrong. It is the mean over an
    epoch in which weights still got better, of augmented pictures: the true gap is larger.
    """
    last, gaps = curves.last, []

    def add(what: str, train: float, valid: float, error: float | None, limit: float) -> None:
        if error is not None and np.isfinite([train, valid]).all():
            gaps.append(Gap(what, train, valid, error, limit))

    if facts.greater_is_better:
        valid = float(curves.gain[last].mean())
        add(facts.metric, float(curves.train_score[last].mean()), valid, facts.error_of(valid), GAP_OF_SCORE)
    if facts.is_mixed and np.isnan(curves.clean[last]).any():
        return gaps
    loss = float(curves.least_biased[last].mean())
    if facts.classes is not None and facts.judged_by == "accuracy":
        train, valid = (
            1 - errors_at_most(loss, facts.classes, facts.smoothing),
            float(curves.judged[last].mean()),
        )
        add("accuracy", train, valid, facts.error_of(valid, "accuracy"), GAP_OF_SCORE)
    if facts.prior is not None and facts.valid_prior is not None:
        valid = 1 - float(curves.valid[last].mean()) / facts.valid_prior
        error = 2 * abs(1 - valid) / np.sqrt(max(facts.val_rows, 1))
        add(
            "share of the loss of guessing that is explained",
            1 - loss / facts.prior,
            valid,
            error,
            GAP_OF_LOSS,
        )
    return gaps


def errors_at_most(loss: float, classes: int, smoothing: float) -> float:
    """The largest share of rows that can be wrong with this mean cross-entropy.

    A wrong row costs at least as much as one whose true class ties with another one: ln 2 without smoothing.

    Args:
        loss: mean cross-entropy of the rows, their labels smoothed or not.
        classes: how many there are.
        smoothing: share of each label spread over all classes.

    >>> errors_at_most(0.0693147, classes=10, smoothing=0.0)
    0.1
    """
    rest = smoothing / classes
    true = 1 - smoothing + rest
    tied = (true + rest) / 2

    def part(share: float, answer: float) -> float:
        return -share * float(np.log(answer)) if share > 0 else 0.0

    least = part(true, true) + (classes - 1) * part(rest, rest)
    wrong = part(true + rest, tied) + (classes - 2) * part(rest, rest)
    return float(np.clip(round((loss - least) / (wrong - least), 7), 0, 1))
