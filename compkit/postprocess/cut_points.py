"""Ordered grades from numbers: cut points that make the quadratic weighted kappa as high as these rows allow."""

import numpy as np

from compkit.metrics import Metric, QuadraticKappa
from compkit.postprocess.halfway import between
from compkit.postprocess.postprocess import Learned, Postprocess, refuse
from compkit.types import Task


def expected_grade(values: np.ndarray) -> np.ndarray:
    """The mean grade by the probabilities [N, C] of grades 0 … C-1, [N].

    >>> expected_grade(np.array([[0.5, 0.0, 0.5]]))
    array([1.])
    """
    probs = values.astype(np.float64)
    total = probs.sum(axis=1)
    return probs @ np.arange(probs.shape[1]) / np.where(total > 0, total, 1)


def grades_of(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """How many of the rising cut points lie below each value: its grade, counted from 0.

    >>> grades_of(np.array([0.2, 0.5, 0.6, 3.0]), np.array([0.5, 1.5]))
    array([0, 0, 1, 2])
    """
    return np.searchsorted(cuts, values, side="left")


def best_cuts(actual: np.ndarray, values: np.ndarray, num_grades: int) -> np.ndarray:
    """The cut points, rising, [G - 1], of the highest quadratic weighted kappa; exact.

    1 - kappa = O / E, with O = sum (a - p)^2 and E = sum (a - mean a)^2 + sum (p - mean a)^2 over the rows' true grades
    a and given ones p. For a guess s of it, O - s E is a sum over rows, least for one division of the sorted rows into
    grades, which is found from the left to the right, a grade at a time; its own O / E is the next guess, until it
    no longer falls.

    Args:
        actual: grades from 0 to G - 1, [N].
        values: to be cut, float64 [N].
        num_grades: G >= 2.

    Returns:
        Each in the middle between two neighbouring values, or, where a grade is not given at all, at the usual half
        or beyond all values. Where all rows have one grade nothing can be learned: the halves.

    Source: Dinkelbach 1967, Management Science 13(7), the algorithm for fractional programs.

    >>> best_cuts(np.array([0, 0, 1, 2]), np.array([0.1, 0.7, 0.9, 1.2]), num_grades=3).round(2)
    array([0.8 , 1.05])
    """
    halves = np.arange(num_grades - 1) + 0.5
    if (actual == actual[0]).all():
        return halves
    distinct, group = np.unique(values, return_inverse=True)
    rows, sums = np.bincount(group), np.bincount(group, actual)
    squares, mean = np.bincount(group, actual**2), actual.mean()
    grades = np.arange(num_grades)[:, None]
    observed = (
        squares - 2 * grades * sums + grades**2 * rows
    )  # [G, M], of each distinct value with each grade
    by_chance = rows * (grades - mean) ** 2
    spread = ((actual - mean) ** 2).sum()

    places = np.searchsorted(distinct, halves, side="right")
    guess, ratio = _ratio(observed, by_chance, spread, places), np.inf
    while guess < ratio - 1e-12:
        ratio, kept = guess, places
        places = _best_places(observed - ratio * by_chance)
        guess = _ratio(observed, by_chance, spread, places)
    lower = np.concatenate([[np.nextafter(distinct[0], -np.inf)], distinct])
    cuts = between(lower[kept], np.concatenate([distinct, [np.inf]])[kept])
    cuts = np.where(kept == 0, np.minimum(halves, lower[0]), cuts)
    return np.where(kept == len(distinct), np.maximum(halves, distinct[-1]), cuts)


def _ratio(observed: np.ndarray, by_chance: np.ndarray, spread: float, places: np.ndarray) -> float:
    """1 - kappa of a division, whose grade g + 1 begins at places[g] of the distinct values."""
    columns = np.arange(observed.shape[1])
    given = np.searchsorted(places, columns, side="right")
    return float(observed[given, columns].sum() / (spread + by_chance[given, columns].sum()))


def _best_places(costs: np.ndarray) -> np.ndarray:
    """Where each grade but the first begins, [G - 1], so that the costs [G, M] of the values' grades are least."""
    sums = np.concatenate([np.zeros((len(costs), 1)), costs.cumsum(axis=1)], axis=1)
    best, begins = sums[0], []
    for grade_sums in sums[1:]:
        entry = best - grade_sums
        least = np.minimum.accumulate(entry)
        is_new = entry < np.concatenate([[np.inf], least[:-1]])
        begins.append(np.maximum.accumulate(np.where(is_new, np.arange(len(entry)), 0)))
        best = grade_sums + least
    places, end = [], costs.shape[1]
    for begin in reversed(begins):
        end = begin[end]
        places.append(end)
    return np.array(places[::-1])


class CutPoints(Postprocess):
    """Cut points between grades, of regression values or of the mean grade by a classifier's probabilities.

    Regression gives whole grades, a classifier one-hot rows.

    >>> CutPoints().apply(np.array([[0.2], [1.9]]), {"cut_points": [[0.5, 1.5]], "lowest": [1]}).tolist()
    [[1.0], [3.0]]
    """

    name = "cut_points"

    def check(self, task: Task, metric: Metric) -> None:
        if not isinstance(metric, QuadraticKappa):
            refuse(self.name, "is tuned for quadratic_kappa only", task, metric)

    def fit(self, targets: np.ndarray, values: np.ndarray, metric: Metric) -> Learned:
        assert isinstance(metric, QuadraticKappa)
        if targets.ndim == 1:
            cuts = best_cuts(targets, expected_grade(values), values.shape[1])
            return {"cut_points": [cuts.tolist()], "lowest": [0], "classes": values.shape[1]}
        columns = range(values.shape[1])
        ranges = [metric.label_range or (int(one.min()), int(one.max())) for one in targets.T]
        learned = [
            best_cuts(targets[:, one] - low, values[:, one].astype(np.float64) - low, high - low + 1) + low
            for one, (low, high) in zip(columns, ranges, strict=True)
        ]
        return {"cut_points": [one.tolist() for one in learned], "lowest": [low for low, _ in ranges]}

    def apply(self, values: np.ndarray, learned: Learned) -> np.ndarray:
        cuts = [np.array(one) for one in learned["cut_points"]]
        if "classes" in learned:
            return np.eye(learned["classes"], dtype=np.float32)[grades_of(expected_grade(values), cuts[0])]
        columns = [
            low + grades_of(values[:, column].astype(np.float64), cuts[column])
            for column, low in enumerate(learned["lowest"])
        ]
        return np.stack(columns, axis=1).astype(np.float32)

    def describe(self, learned: Learned, classes: tuple[str, ...]) -> dict[str, float]:
        names = ["grade"] if "classes" in learned else classes
        return {
            f"{name}: {low + place} to {low + place + 1}": cut
            for name, low, cuts in zip(names, learned["lowest"], learned["cut_points"], strict=True)
            for place, cut in enumerate(cuts)
        }
