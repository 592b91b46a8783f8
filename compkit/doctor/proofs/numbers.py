"""Proofs of numbers to be learnt: that they differ, and that none of them stands for something else."""

from collections.abc import Sequence

import numpy as np

from compkit.doctor.proofs.proof import doubted
from compkit.findings import Finding

ALIKE = 0.98  # share of rows with one and the same number, from which little is left to learn
REPEATED = 3  # rows with the number that may stand for "unknown"
FAR = 3.0  # ranges of all other rows, which such a number lies away from them


def almost_constant(targets: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """Nearly all rows have the same number, and not all of them.

    Args:
        targets: of the training rows, float [N, C].
        names: of the columns, C.
    """
    for column, name in enumerate(names):
        values, counts = np.unique(targets[:, column], return_counts=True)
        share = float(counts.max() / len(targets))
        if ALIKE <= share < 1:
            return [
                doubted(
                    "labels",
                    f"{share:.1%} of the training rows have the same {name}, {values[counts.argmax()]:.4g}: there is "
                    "next to nothing to learn.",
                    "Look at competition.target_column; a rare event is learnt better as a class: task=multiclass.",
                    share,
                    f"below {ALIKE:.0%}",
                )
            ]
    return []


def stand_in(targets: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """The smallest or largest number stands in several rows, far away from all others, as -9999 for "unknown".

    Args:
        targets: of the training rows, float [N, C].
        names: of the columns, C.
    """
    for column, name in enumerate(names):
        values, counts = np.unique(targets[:, column], return_counts=True)
        for number, others in ((0, values[1:]), (len(values) - 1, values[:-1])):
            if len(others) < 2 or counts[number] < REPEATED:
                continue
            away = float(np.abs(others - values[number]).min() / (others[-1] - others[0]))
            if away > FAR:
                return [
                    doubted(
                        "labels",
                        f"{counts[number]} training rows have the {name} {values[number]:.4g}, and all others lie from "
                        f"{others[0]:.4g} to {others[-1]:.4g}: it seems to stand for an unknown number.",
                        "Leave these rows out of the train table, or empty their cells and set "
                        "competition.unlabelled=drop.",
                        away,
                        f"at most {FAR:g} ranges away from the others",
                    )
                ]
    return []
