"""One round of pseudo-labelling on arrays: predictions to labels, and when to stop."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compkit.randomness import derive_seed
from compkit.ranges import not_negative, whole, zero_to_one
from compkit.semi.pseudo_labels import PseudoLabels
from compkit.semi.selection import Selection, confidence, expected_right, share_right
from compkit.types import Table, Task

USUAL_THRESHOLD = 0.9


@dataclass(frozen=True)
class RoundSettings:
    """How many rounds, from how many parts, how sure, and when to stop; conf/pseudo_label.yaml explains each key.

    Raises:
        ValueError: a value out of range, or not one threshold a round.

    >>> RoundSettings(rounds=2, threshold=[0.95, 0.9]).thresholds(Task.MULTICLASS)
    [0.95, 0.9]
    """

    rounds: int = 3
    parts: int = 2
    threshold: Any = "auto"
    min_gain: float = 0.0
    patience: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least, usual in (
            ("rounds", 1, "3"),
            ("parts", 2, "2"),
            ("patience", 1, "1"),
            ("seed", 0, "0"),
        ):
            object.__setattr__(self, key, whole(key, getattr(self, key), least, usual))
        object.__setattr__(self, "min_gain", not_negative("min_gain", self.min_gain, "0.001"))
        if self.threshold == "auto":
            return
        each = self.threshold if isinstance(self.threshold, list) else [self.threshold] * self.rounds
        if len(each) != self.rounds:
            raise ValueError(
                f"threshold={each}: {len(each)} numbers for {self.rounds} rounds; expected one for each, one for "
                "all, or auto. Set threshold=0.9."
            )
        object.__setattr__(self, "threshold", [zero_to_one("threshold", one, "0.9") for one in each])

    def thresholds(self, task: Task) -> list[float | None]:
        """The lowest confidence that each round keeps; None keeps all.

        Raises:
            ValueError: a threshold was given, and the task's predictions have no confidence.
        """
        if self.threshold == "auto":
            return [None if task == Task.REGRESSION else USUAL_THRESHOLD] * self.rounds
        if task == Task.REGRESSION:
            raise ValueError(
                f"threshold={self.threshold}: numbers come without a confidence, so all are kept. Set threshold=auto."
            )
        return list(self.threshold)


@dataclass(frozen=True)
class RoundLabels:
    """The labels of a round, and what is known of them.

    Attributes:
        pseudo: the rows to learn from.
        sure: student -> confidence of every picture it might have learnt from, kept or not.
        expected_accuracy: share of right labels among the kept ones if the probabilities are right; NaN for numbers.
        true_accuracy: the share that is right; NaN where nobody knows.
    """

    pseudo: PseudoLabels
    sure: dict[int, np.ndarray]
    expected_accuracy: float
    true_accuracy: float

    def kept(self) -> dict[int, int]:
        """Pictures that each student learns from."""
        return {student: int((self.pseudo.student == student).sum()) for student in self.sure}


def label_round(
    table: Table,
    part: np.ndarray,
    teachers: Mapping[int, int],
    predict: Callable[[int, int], np.ndarray],
    labelled: Mapping[int, np.ndarray],
    task: Task,
    selection: Selection,
    threshold: float | None,
    seed: int,
    truth: np.ndarray | None = None,
) -> RoundLabels:
    """Label the pictures of a round, for the student of each fold by that fold's own models.

    The model of fold k has never seen a label of fold k, nor have its labels; a mean over folds would hand them to
    the student that is scored on them.

    Args:
        table: the unlabelled pictures, U.
        part: the part of each, int64 [U].
        teachers: part to learn from -> the round whose models label it, as in `teachers_of_rounds`.
        predict: from a round and a fold to that model's predictions for all of the table, [U, C].
        labelled: fold -> labels of the labelled rows its student learns from.
        task: decides what confidence and a hard label are.
        selection: what is kept and which kind of label.
        threshold: lowest confidence that is kept; None keeps all.
        seed: decides among the equally sure.
        truth: the true labels of the table where they are known, [U] or [U, C].
    """
    rows = np.flatnonzero(np.isin(part, list(teachers)))
    pieces, expected, right, sure = [], [], [], {}
    teacher = np.array([teachers[one] for one in part[rows].tolist()])
    for fold, labels in labelled.items():
        rng = np.random.default_rng(derive_seed(seed, fold))
        sure[fold] = np.empty(len(rows))
        for number in np.unique(teacher).tolist():
            here = np.flatnonzero(teacher == number)
            values = predict(number, fold)[rows[here]]
            # each teacher its part of the cap: a later one is surer, and would fill it alone
            chosen = selection.choose(values, task, threshold, labels, rng, len(here) / len(rows))
            kept, said = rows[here[chosen]], values[chosen]
            student = np.full(len(kept), fold, dtype=np.int64)
            pieces.append(
                PseudoLabels(table.ids[kept], table.files[kept], student, selection.labels(said, task))
            )
            sure[fold][here] = confidence(values, task, selection.confidence)
            expected.append(expected_right(said, task))
            right.append(np.empty(0) if truth is None else share_right(said, truth[kept], task))
    pseudo = PseudoLabels(
        *(
            np.concatenate([getattr(one, key) for one in pieces])
            for key in ("ids", "files", "student", "labels")
        )
    )
    is_known = task != Task.REGRESSION
    return RoundLabels(pseudo, sure, _mean(expected) if is_known else math.nan, _mean(right))


def gains(scores: Sequence[float], greater_is_better: bool) -> list[float]:
    """By how much each score is better than the best one before it; negative where it is worse.

    >>> gains([0.5, 0.75, 0.625], greater_is_better=True)
    [0.25, -0.125]
    """
    better = [score if greater_is_better else -score for score in scores]
    return [
        score - max([one for one in better[:number] if not math.isnan(one)], default=-math.inf)
        for number, score in enumerate(better)
    ][1:]


def has_stalled(
    scores: Sequence[float], greater_is_better: bool, min_gain: float = 0.0, patience: int = 1
) -> bool:
    """Whether the last `patience` rounds were no better, by more than min_gain, than the best before each.

    Args:
        scores: of the run that was started from, and of each round so far.
        greater_is_better: whether a higher score is better.
        min_gain: smallest gain that counts, >= 0, in units of the score.
        patience: rounds without a gain that end it, >= 1.

    >>> has_stalled([0.5, 0.75, 0.75], greater_is_better=True), has_stalled([0.5, 0.75, 0.75], True, patience=2)
    (True, False)
    """
    last = gains(scores, greater_is_better)[-patience:]
    # a score that is not a number gains nothing
    return len(last) == patience and not any(gain > min_gain for gain in last)


def best_round(scores: Sequence[float], greater_is_better: bool) -> int:
    """The number of the best score, the earliest of equal ones; 0 is the run that was started from.

    >>> best_round([0.5, 0.75, 0.75, float("nan")], greater_is_better=True)
    1
    """
    worst = -math.inf
    better = [
        worst if math.isnan(score) else score if greater_is_better else -score for score in map(float, scores)
    ]
    return better.index(max(better))


def _mean(parts: Sequence[np.ndarray]) -> float:
    together = np.concatenate(parts)
    return float(together.mean()) if len(together) else math.nan
