"""Rules about folds beside each other, and about what out-of-fold predictions say of the labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata, t

from compkit.diagnosis.facts import FoldFacts
from compkit.findings import Finding, Status

SPREAD = 1.4826  # a normal distribution's standard deviation in units of its median absolute deviation
LEVEL = 0.01  # how often, over all folds, healthy ones may look odd
FEW = 30  # rows, right or wrong, that a rank needs
NOISE_SHARE = 0.15  # of wrong predictions; below it labels matter little
NOISE_AREA = 0.67  # of pairs in which the right prediction is surer; hard pictures have 0.68 to 0.95
NOISE_PLACE = 0.62  # of the true class among those not predicted; hard pictures have 0.6 to 0.85


def odd_fold(scores: Mapping[int, float], facts: Mapping[int, FoldFacts]) -> list[Finding]:
    """Folds whose score is far off those of the others.

    Far is all of this: 3 median absolute deviations of the others, 4 standard errors of its own, and a t-test against
    the others; the first alone would name a fold in every fifth healthy run of five.

    Args:
        scores: best score of each fold.
        facts: of the same folds.
    """
    if len(scores) < 3:
        return []
    found = []
    for fold, score in scores.items():
        others = np.array([value for other, value in scores.items() if other != fold])
        middle = float(np.median(others))
        spread = SPREAD * float(np.median(np.abs(others - middle)))
        error = facts[fold].error_of(abs(score))
        distance = abs(score - middle)
        if error is None or distance <= max(3 * spread, 4 * error) or _probability(score, others) > LEVEL:
            continue
        metric = facts[fold].metric
        found.append(
            Finding(
                "odd_fold",
                Status.WARN,
                f"{metric} of fold {fold} is {score:.4g}, that of the others {others.min():.4g} to {others.max():.4g} "
                f"(median {middle:.4g}).",
                value=distance,
                expected=f"within {max(3 * spread, 4 * error):.2g} of the median of the others",
                remedy=f"See fold {fold}: its rows in folds.csv, its classes under Folds in the report, its curves: "
                "Where groups decide, such as cameras or patients, it may be right; more folds=… average it.",
                evidence={"fold": fold, "median": middle, "spread": spread, "score_error": error},
            )
        )
    return found


def _probability(score: float, others: np.ndarray) -> float:
    """That a value of the others' distribution is so far off, for the oddest of all folds (Bonferroni)."""
    deviation = float(others.std(ddof=1)) * np.sqrt(1 + 1 / len(others))
    if deviation == 0:
        return 0.0
    return float(
        min(1.0, 2 * (len(others) + 1) * t.sf(abs(score - others.mean()) / deviation, len(others) - 1))
    )


def label_noise(targets: np.ndarray, values: np.ndarray, facts: Sequence[FoldFacts]) -> Finding | None:
    """Wrong predictions are as sure as right ones, and what they miss is any class: random labels, not hard pictures.

    Of hard pictures wrong predictions are less sure, and the true class comes soon after the predicted one.

    Args:
        targets: of multiclass rows, int64 [N].
        values: their out-of-fold probabilities, [N, C].
        facts: of the folds they come from.
    """
    right, sure = values.argmax(axis=1) == targets, values.max(axis=1)
    wrong, rows, classes = int((~right).sum()), len(right), values.shape[1]
    accuracy, guess = float(right.mean()), float(np.bincount(targets).max() / rows)
    if classes < 3 or min(wrong, rows - wrong) < FEW or 1 - accuracy < NOISE_SHARE or accuracy < 2 * guess:
        return None
    area = ranked_above(sure[right], sure[~right])
    area_error = np.sqrt(area * (1 - area) / min(wrong, rows - wrong))
    places = place_of_truth(targets[~right], values[~right])
    place, place_error = float(places.mean()), float(places.std() / np.sqrt(wrong))
    if area + area_error >= NOISE_AREA or place + place_error >= NOISE_PLACE:
        return None
    return Finding(
        "label_noise",
        Status.WARN,
        f"Of {rows} out-of-fold predictions {1 - accuracy:.0%} are wrong, and hardly less sure than the right ones: "
        f"in {area:.0%} of pairs the right one is surer. Their labels are more probable than {place:.0%} of the other "
        "classes.",
        value=area,
        expected=f"above {NOISE_AREA:.0%} of pairs or {NOISE_PLACE:.0%} of classes, as hard pictures have it; random "
        "labels have 50 %",
        remedy="Many labels look random: look at scripts/inspect_data.py run=… and the worst mistakes in the report, "
        "clean them, or set loss.smoothing=0.1 and train for fewer epochs.",
        evidence={"wrong": wrong, "rows": rows, "folds": [one.fold for one in facts], "place": place},
    )


def place_of_truth(targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of wrong predictions, the share of the classes left that the true class beats, [N]; 1/2 where it is any.

    >>> place_of_truth(np.array([1, 2]), np.array([[0.5, 0.3, 0.2, 0.0], [0.5, 0.3, 0.1, 0.1]])).tolist()
    [1.0, 0.25]
    """
    own = values[np.arange(len(targets)), targets][:, None]
    below, equal = (values < own).sum(axis=1), (values == own).sum(axis=1) - 1
    return (below + equal / 2) / (values.shape[1] - 2)


def ranked_above(first: np.ndarray, second: np.ndarray) -> float:
    """How often a value of the first is larger than one of the second; ties count half.

    >>> ranked_above(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([first, second]))
    above = ranks[: len(first)].sum() - len(first) * (len(first) + 1) / 2
    return float(above / (len(first) * len(second)))
