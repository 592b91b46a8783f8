"""Thresholds that make F-beta as high as these rows allow, over all cuts between neighbouring predictions at once."""

import numpy as np

from compkit.metrics.fbeta import f_scores
from compkit.postprocess.halfway import between, nearest_best

SWEEPS = 20  # rounds over the labels at most; a few are usual


def best_cut(ordered: np.ndarray, scores: np.ndarray) -> float:
    """The threshold of the best score, as far as possible from the predictions beside it.

    Args:
        ordered: probabilities, falling, [N].
        scores: of calling true the first 0, 1, … N of them, [N + 1].

    Returns:
        A threshold in [0, 1]; equal predictions are never torn apart, and 0 is never called true.

    >>> best_cut(np.array([0.9, 0.6, 0.6]), np.array([0.0, 0.5, 0.8, 0.7]))  # not after two: 0.8 would split a tie
    0.3
    """
    upper = np.concatenate([[1.0], ordered])  # what is called true ends here, and what is not begins below
    lower = np.concatenate([ordered, [0.0]])
    allowed = np.flatnonzero((upper > lower) | (np.arange(len(upper)) == 0))
    thresholds = between(lower[allowed], upper[allowed])
    thresholds = np.where(upper[allowed] > lower[allowed], thresholds, upper[allowed])
    return float(thresholds[nearest_best(scores[allowed], thresholds)])


def one_threshold(actual: np.ndarray, values: np.ndarray, beta: float, average: str) -> float:
    """The threshold for all labels together that is best for F-beta.

    Args:
        actual: labels that are true, bool [N, C].
        values: probabilities, float64 [N, C].
        beta, average: as in compkit.metrics.fbeta.

    Every kind of average is a weighted sum of F scores of groups (columns, rows, or one of all). Going down the sorted
    predictions, each step changes the F of one group; the running sum of the changes is the score of every threshold.

    >>> one_threshold(np.array([[True], [True], [False]]), np.array([[0.9], [0.4], [0.2]]), 1.0, "macro")
    0.30000000000000004
    """
    rows, columns = values.shape
    group = {
        "macro": np.tile(np.arange(columns), rows),
        "weighted": np.tile(np.arange(columns), rows),
        "samples": np.repeat(np.arange(rows), columns),
        "micro": np.zeros(rows * columns, dtype=np.int64),
    }[average]
    positives = np.bincount(group, actual.ravel(), minlength=group.max() + 1)
    shares = np.full(len(positives), 1 / len(positives))
    if average == "weighted":
        shares = positives / max(positives.sum(), 1)
    order = np.argsort(-values, axis=None, kind="stable")
    gains = _step_gains(actual.ravel()[order], group[order], positives, beta) * shares[group[order]]
    return best_cut(values.ravel()[order], np.concatenate([[0.0], gains.cumsum()]))


def macro_thresholds(actual: np.ndarray, values: np.ndarray, beta: float) -> np.ndarray:
    """The best threshold of each label by its own F-beta, [C]: exact for the macro and the weighted mean.

    A label that is nowhere true keeps 0.5. Arguments as in one_threshold.

    >>> macro_thresholds(np.array([[True, False], [False, False]]), np.array([[0.4, 0.9], [0.2, 0.8]]), 1.0).round(3)
    array([0.3, 0.5])
    """
    thresholds = np.full(values.shape[1], 0.5)
    for column in np.flatnonzero(actual.any(axis=0)):
        thresholds[column] = one_threshold(actual[:, [column]], values[:, [column]], beta, "macro")
    return thresholds


def micro_thresholds(actual: np.ndarray, values: np.ndarray, beta: float) -> np.ndarray:
    """Thresholds of the labels, [C], that are best for F-beta of all decisions together; exact.

    The score is a quotient of sums over labels, (1 + beta^2) TP / (beta^2 P + called). For a guess s of it, what makes
    (1 + beta^2) TP - s called largest is found for each label apart, and its own quotient is the next guess, until
    it no longer grows. Arguments as in one_threshold.

    Source: Dinkelbach 1967, Management Science 13(7), the algorithm for fractional programs.
    """
    columns = np.flatnonzero(actual.any(axis=0))
    thresholds, score = np.full(values.shape[1], 0.5), -1.0
    guess = float(f_scores(actual, values > thresholds, beta, axis=None))
    while guess > score + 1e-12:
        score = guess
        for column in columns:
            benefits = (1 + beta**2) * actual[:, column] - score
            thresholds[column] = _best_of_column(values[:, column], benefits)
        guess = float(f_scores(actual, values > thresholds, beta, axis=None))
    return thresholds


def samples_thresholds(actual: np.ndarray, values: np.ndarray, beta: float) -> np.ndarray:
    """Thresholds of the labels, [C], for the mean F-beta of rows: each in turn set to its best, the others fixed.

    From the best single threshold on until a round brings nothing. That is the best for each label given the others,
    not always the best of all together. Arguments as in one_threshold.
    """
    columns = np.flatnonzero(actual.any(axis=0))
    thresholds = np.full(values.shape[1], 0.5)
    thresholds[columns] = one_threshold(actual, values, beta, "samples")
    score = f_scores(actual, values > thresholds, beta, axis=1).mean()
    for _ in range(SWEEPS):
        for column in columns:
            chosen = values > thresholds
            chosen[:, column] = False
            without = f_scores(actual, chosen, beta, axis=1)
            chosen[:, column] = True
            benefits = f_scores(actual, chosen, beta, axis=1) - without
            thresholds[column] = _best_of_column(values[:, column], benefits)
        before, score = score, f_scores(actual, values > thresholds, beta, axis=1).mean()
        if score <= before + 1e-12:
            break
    return thresholds


def _best_of_column(values: np.ndarray, benefits: np.ndarray) -> float:
    """The threshold that makes the sum of benefits [N] of the values [N] above it largest."""
    order = np.argsort(-values, kind="stable")
    return best_cut(values[order], np.concatenate([[0.0], benefits[order].cumsum()]))


def _step_gains(actual: np.ndarray, group: np.ndarray, positives: np.ndarray, beta: float) -> np.ndarray:
    """How much calling each prediction true, in the order given, changes the F-beta of its group, [N]."""
    by_group = np.argsort(group, kind="stable")
    hits = actual[by_group].cumsum()
    sizes = np.bincount(group, minlength=len(positives))
    starts = np.concatenate([[0], sizes.cumsum()[:-1]])
    before = np.concatenate([[0], hits])[starts]
    hits = hits - np.repeat(before, sizes)
    called = np.arange(len(group)) - np.repeat(starts, sizes) + 1
    scores = (1 + beta**2) * hits / (beta**2 * np.repeat(positives, sizes) + called)
    previous = np.concatenate([[0.0], scores[:-1]])
    previous[starts[sizes > 0]] = 0
    gains = np.empty(len(group))
    gains[by_group] = scores - previous
    return gains
