"""What duplicates do to a competition: contradict each other, sit in two folds, or join train and test."""

import numpy as np

from compkit.findings import Finding, Status
from compkit.pictures.duplicates import Duplicates, Edge
from compkit.pictures.similar import labels_agree

# the key that keeps duplicates in one fold
KEEP_TOGETHER = "set group_duplicates=true, or competition.group_column to a column that holds them together"
LISTED = 200  # groups in the evidence; duplicate_groups.csv has all


def duplicate_findings(
    duplicates: Duplicates, ids: np.ndarray, targets: np.ndarray, fold: np.ndarray | None
) -> list[Finding]:
    """Findings on the pictures of a training and a test table, the training rows first.

    Args:
        duplicates: of N + M pictures.
        ids: of all of them, str [N + M].
        targets: of the N training rows.
        fold: in which each training row validates, int64 [N]; None where there are no folds.
    """
    rows = len(targets)
    return [
        _inside(duplicates, rows),
        _conflicts(duplicates, ids, targets),
        _torn(duplicates, ids, rows, fold),
        _across(duplicates, ids, rows),
        *_look_alikes(duplicates, ids),
    ]


def conflicting_edges(duplicates: Duplicates, targets: np.ndarray) -> list[Edge]:
    """Pairs of training rows that show the same and have different labels, those of equal pixels first.

    Mirror images are none: a left hand may be another class than a right one.
    """
    inside = [
        edge
        for edge in duplicates.edges
        if max(edge.one, edge.other) < len(targets) and edge.how != "mirrored"
    ]
    if not inside:
        return []
    agree = labels_agree(
        targets, np.array([edge.one for edge in inside]), np.array([edge.other for edge in inside])
    )
    return sorted(
        (edge for edge, same in zip(inside, agree, strict=True) if not same),
        key=lambda edge: edge.how != "exact",
    )


def torn_groups(groups: np.ndarray, fold: np.ndarray) -> list[np.ndarray]:
    """Rows of each group of which one is validated while another is trained on, int64 arrays.

    >>> torn_groups(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    [array([0, 1])]
    """
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [rows for rows in parts if len(set(fold[rows].tolist())) > 1]


def _inside(duplicates: Duplicates, rows: int) -> Finding:
    """How many duplicates the training set has; no fault as long as they stay in one fold and agree."""
    exact, near = (rows - len(np.unique(of[:rows])) for of in (duplicates.exact, duplicates.groups))
    check = "duplicates in train"
    message = (
        f"{exact} training pictures repeat the pixels of another, {near - exact} more are near duplicates (hashes "
        f"within {duplicates.radius} bits, same thumbnail and edges; also mirrored, or cut at the sides)"
    )
    status = Status.INFO if near else Status.PASS
    return Finding(check, status, message, near, evidence={"exact": exact, "near": near - exact})


def _conflicts(duplicates: Duplicates, ids: np.ndarray, targets: np.ndarray) -> Finding:
    check, expected = "duplicates with different labels", "none"
    found = conflicting_edges(duplicates, targets)
    if not found:
        return Finding(check, Status.PASS, "no picture occurs with two labels", 0, expected)
    exact = sum(edge.how == "exact" for edge in found)
    pairs = [[str(ids[edge.one]), str(ids[edge.other])] for edge in found]
    message = (
        f"{len(found)} pairs of duplicates have different labels, {exact} of them equal pixels"
        + ", of which at least one label is wrong" * bool(exact)
        + f": {_named(pairs)}"
    )
    remedy = "look at the pairs on the page and correct the label, or drop both rows"
    if exact < len(found):
        remedy += (
            "; if near ones differ in what the label is about, they are no duplicates: group_duplicates=false"
        )
    return Finding(check, Status.WARN, message, len(found), expected, f"{remedy}.", {"pairs": pairs[:LISTED]})


def _torn(duplicates: Duplicates, ids: np.ndarray, rows: int, fold: np.ndarray | None) -> Finding:
    check, expected = "duplicates across folds", "none"
    if fold is None:
        return Finding(check, Status.SKIP, "there are no folds")
    torn = torn_groups(duplicates.own, fold)
    if not torn:
        return Finding(check, Status.PASS, "no duplicates lie in different folds", 0, expected)
    names = [[str(ids[row]) for row in group] for group in torn]
    message = (
        f"{len(torn)} groups of duplicates ({sum(map(len, torn))} pictures) lie in different folds: {_named(names)}; "
        "validation rewards what was learnt by heart"
    )
    return Finding(
        check, Status.WARN, message, len(torn), expected, f"{KEEP_TOGETHER}.", {"groups": names[:LISTED]}
    )


def _across(duplicates: Duplicates, ids: np.ndarray, rows: int) -> Finding:
    check, expected = "duplicates across train and test", "none"
    shared = np.intersect1d(duplicates.groups[:rows], duplicates.groups[rows:])
    if not len(shared):
        return Finding(check, Status.PASS, "no test picture is a training picture", 0, expected)
    test = rows + np.flatnonzero(np.isin(duplicates.groups[rows:], shared))
    # the training picture of each, by its group
    first = dict(zip(duplicates.groups[:rows][::-1].tolist(), ids[:rows][::-1].tolist(), strict=True))
    pairs = [[str(first[int(duplicates.groups[row])]), str(ids[row])] for row in test]
    message = f"{len(test)} test pictures are in the training set too: {_named(pairs)}"
    remedy = (
        "the leaderboard rewards what was learnt by heart there, validation does not: compare scores with and without "
        "these ids (duplicate_groups.csv)."
    )
    return Finding(check, Status.WARN, message, len(test), expected, remedy, {"pairs": pairs[:LISTED]})


def _look_alikes(duplicates: Duplicates, ids: np.ndarray) -> list[Finding]:
    """Near pairs that were not taken for duplicates; nothing without any."""
    count = len(duplicates.look_alikes)
    if not count:
        return []
    pairs = [[str(ids[edge.one]), str(ids[edge.other])] for edge in duplicates.look_alikes]
    message = (
        f"{count} pairs look the same, but their labels agree no more often than by chance, so they are not taken for "
        f"duplicates: {_named(pairs)}; what decides the label is small"
    )
    evidence = {"pairs": pairs[:LISTED]}
    return [Finding("pictures look alike", Status.INFO, message, count, evidence=evidence)]


def _named(groups: list[list[str]], most: int = 3) -> str:
    shown = [" = ".join(names[:most]) + " = …" * (len(names) > most) for names in groups[:most]]
    return ", ".join(shown) + " …" * (len(groups) > most)
