"""Proofs of labels: in range, of several kinds, and with one name each."""

from collections import Counter

import numpy as np

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.numbers import almost_constant, stand_in
from compkit.doctor.proofs.proof import doubted, failed
from compkit.findings import Finding
from compkit.types import Task


def labels(bench: Bench) -> list[Finding]:
    """Labels are finite, in range, of more than one kind, and classes are named once."""
    own, found = bench.labels[bench.fold_data.train_rows], []
    is_wrong = (own < 0) | (own >= bench.num_outputs) if own.ndim == 1 else ~np.isfinite(own)
    if bench.task == Task.MULTILABEL:
        is_wrong |= (own < 0) | (own > 1)
    if is_wrong.any():
        bad = np.flatnonzero(is_wrong.reshape(len(own), -1).any(axis=1))
        name = bench.fold_data.table.ids[bench.fold_data.train_rows[bad[0]]]
        return [
            failed(
                "labels",
                f"{len(bad)} training rows have a target out of range, {name} among them.",
                "Look at competition.target_column and competition.classes.",
                len(bad),
                "0",
            )
        ]
    if (own == own[0]).all():
        found.append(
            doubted(
                "labels",
                f"All {len(own)} training rows have the same target: there is nothing to learn.",
                "Look at competition.target_column, or set a larger limit.",
                1.0,
                "more than one target",
            )
        )
    same = Counter(plain(name) for name in bench.plan.competition.classes)
    alike = sorted(name for name, count in same.items() if count > 1)
    if alike:
        twins = [name for name in bench.plan.competition.classes if plain(name) == alike[0]]
        found.append(
            doubted(
                "labels",
                f"Classes differ in blanks or capitals alone: {' and '.join(repr(str(name)) for name in twins)}.",
                "If they are one class, write its name in one way in the train table.",
                len(alike),
                "0",
            )
        )
    if bench.task == Task.REGRESSION and len(own) >= 30:
        columns = bench.plan.competition.classes
        found += _outlier(bench, own) or stand_in(own, columns) or almost_constant(own, columns)
    return found


def plain(name: str) -> str:
    """A class's name without blanks around it and capitals; of single letters A and a may be two classes.

    >>> plain(" Cat"), plain("A ")
    ('cat', 'A')
    """
    name = str(name).strip()
    return name if len(name) == 1 else name.casefold()


def _outlier(bench: Bench, own: np.ndarray) -> list[Finding]:
    """One target that makes up nearly all of the variance."""
    squares = (own - np.median(own, axis=0)).astype(np.float64) ** 2
    shares = squares.max(axis=0) / np.maximum(squares.sum(axis=0), 1e-300)
    column = int(shares.argmax())
    if shares[column] < 0.8:
        return []
    row = int(bench.fold_data.train_rows[squares[:, column].argmax()])
    table = bench.fold_data.table
    return [
        doubted(
            "labels",
            f"One row, {table.ids[row]} with {table.labels[row, column]:.4g}, makes up {shares[column]:.0%} of the "
            f"variance of {bench.plan.competition.classes[column]}.",
            "Correct it in the train table; or set loss=mae or loss=huber, which single rows move less.",
            float(shares[column]),
            "below 80%",
        )
    ]
