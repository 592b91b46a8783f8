"""Hill climbing for the two commonest metrics, from what changes between rounds alone.

Thirty models of 100 000 rows and 10 classes are 240 MB, which a round otherwise reads, averages and scores anew for
each model.
"""

import math

import numpy as np

MOST_FACTORS = 48  # probabilities multiplied before one logarithm is taken; fewer where they are small
SUM_ERROR = 1e-6  # how far a row of probabilities may be from summing to 1, as softmax in float32 is
BLOCK = 2048  # rows worked on at a time, so that they stay in the processor's cache
FAR = 1e-9  # a margin that no rounding turns around


class LogLossSums:
    """Log loss of exclusive classes: only the true class's probability of each row counts.

    loss = -mean ln(sum of true / sum of all); the second sum is the number of picks but for the rounding of
    probabilities, which enters to first order: the error is below SUM_ERROR^2.

    Args:
        true: probability of the true class, float64 [M, N].
        excess: mean over rows of their sum minus 1, [M].
        eps: smallest probability, as in the metric.
    """

    def __init__(self, true: np.ndarray, excess: np.ndarray, eps: float) -> None:
        self.true, self.excess = true, excess
        smallest = float(true.min())
        self.eps = eps if smallest < eps else 0.0
        self.sum, self.excess_sum, self.picks = np.zeros(true.shape[1]), 0.0, 0
        # a product of so many stays above 1e-300; ones behind the rows fill the last ones up
        self.factors = int(min(MOST_FACTORS, 300 / max(-math.log10(max(smallest, eps)), 1)))
        self.product = np.ones(-(-true.shape[1] // self.factors) * self.factors)

    @classmethod
    def of(cls, values: np.ndarray, targets: np.ndarray, eps: float) -> "LogLossSums | None":
        """From probabilities [M, N, C] and class indices [N]; None when rows do not sum to 1."""
        models, rows, classes = values.shape
        true, excess, sums = np.empty((models, rows)), np.empty(models), np.empty(rows)
        ones, spans = np.ones(classes), [slice(at, at + BLOCK) for at in range(0, rows, BLOCK)]
        cells = [np.arange(len(targets[span])) * classes + targets[span] for span in spans]
        for model, one in enumerate(values):
            for span, of_truth in zip(spans, cells, strict=True):
                np.matmul(one[span], ones, out=sums[span])
                np.take(one[span].reshape(-1), of_truth, out=true[model, span], mode="clip")
            if max(sums.max() - 1, 1 - sums.min()) > SUM_ERROR:
                return None
            excess[model] = sums.mean() - 1
        return cls(true, excess, max(eps, 1e-15))

    def scores(self) -> np.ndarray:
        """Minus the log loss with each model added, [M]."""
        count, rows = self.picks + 1, len(self.sum)
        scores = np.empty(len(self.true))
        for model, true in enumerate(self.true):
            into = self.product[:rows]
            np.add(self.sum, true, out=into)
            if self.eps:
                np.maximum(into, self.eps * count, out=into)
            logs = np.log(np.multiply.reduce(self.product.reshape(self.factors, -1), axis=0))
            scores[model] = logs.sum() / rows - np.log(count)
        return scores - (self.excess_sum + self.excess) / count

    def add(self, model: int) -> None:
        """Pick a model."""
        self.sum += self.true[model]
        self.excess_sum += self.excess[model]
        self.picks += 1


class AccuracyMargins:
    """Accuracy: the true class's sum against those of the classes that one more model could put ahead of it.

    Args:
        values: probabilities, float64 [M, N, C].
        targets: class indices, int64 [N].
    """

    def __init__(self, values: np.ndarray, targets: np.ndarray) -> None:
        starts = range(0, len(targets), BLOCK)
        self.blocks = [RowMargins(values[:, at : at + BLOCK], targets[at : at + BLOCK]) for at in starts]
        self.rows = len(targets)

    def scores(self) -> np.ndarray:
        """The accuracy with each model added, [M]."""
        return np.sum([block.right_rows() for block in self.blocks], axis=0) / self.rows

    def add(self, model: int) -> None:
        """Pick a model."""
        for block in self.blocks:
            block.add(model)


class RowMargins:
    """The rows of a block, in pairs of a row and a class that competes with its true one.

    A class that every model puts behind the true one is never looked at, nor is a row in which every model puts the
    same class before it. Of the remaining pairs a round compares only those that one more pick can turn around.
    Ties go to the first class, as argmax has it.

    Args:
        values: probabilities, float64 [M, B, C].
        targets: class indices, int64 [B].
    """

    def __init__(self, values: np.ndarray, targets: np.ndarray) -> None:
        models, count, classes = values.shape
        flat = values.reshape(models, -1)
        truth = np.arange(count) * classes + targets  # the cells of the true classes
        least, most = np.full((count, classes), np.inf), np.full((count, classes), -np.inf)
        for model, one in enumerate(values):
            lead = flat[model, truth][:, None] - one
            np.minimum(least, lead, out=least)
            np.maximum(most, lead, out=most)
        least.reshape(-1)[truth] = most.reshape(-1)[truth] = np.inf
        competes = least <= 0
        is_open = competes.any(axis=1)
        self.right = count - np.count_nonzero(is_open)  # rows that every blend has right
        rows = np.flatnonzero(is_open & (most >= 0).all(axis=1))

        self.row, other = np.nonzero(competes[rows])  # [P], of the pairs
        self.wins_ties = other < targets[rows[self.row]]
        self.flat, self.truth, self.cells = flat, truth[rows], rows[self.row] * classes + other
        # the least and the most that any one model puts the true class ahead
        self.least, self.most = least.reshape(-1)[self.cells], most.reshape(-1)[self.cells]
        leads = [one.take(self.truth).take(self.row) - one.take(self.cells) for one in flat]
        # models last: what a pair needs of all of them lies side by side
        self.lead = np.ascontiguousarray(np.array(leads).T)
        self.margin = np.empty_like(self.lead)
        self.true_sum, self.other_sum = np.zeros(len(rows)), np.zeros(len(self.cells))

    def right_rows(self) -> np.ndarray:
        """In how many rows the true class comes first with each model added, [M]."""
        lead = self.true_sum[self.row] - self.other_sum
        is_near = lead + self.least <= FAR
        is_lost = np.zeros(len(self.truth), dtype=bool)
        is_lost[self.row[lead + self.most < -FAR]] = True
        is_open = is_lost.copy()
        is_open[self.row[is_near]] = True
        right = self.right + np.count_nonzero(~is_open)

        pairs = np.flatnonzero(is_near & ~is_lost[self.row])
        if not len(pairs):
            return np.full(len(self.flat), right)
        starts = np.flatnonzero(np.diff(self.row[pairs], prepend=-1))
        margin = np.take(self.lead, pairs, axis=0, out=self.margin[: len(pairs)], mode="clip")
        margin += lead[pairs, None]
        is_behind = margin < -FAR
        is_close = (margin <= FAR) != is_behind
        if is_close.any():  # the difference of two sums is rounded; which one is larger is not
            pair, model = np.nonzero(is_close)
            at, row = pairs[pair], self.row[pairs[pair]]
            other = self.flat[model, self.cells[at]] + self.other_sum[at]
            true = self.flat[model, self.truth[row]] + self.true_sum[row]
            is_behind[pair, model] = (other > true) | ((other == true) & self.wins_ties[at])
        lost = np.logical_or.reduceat(is_behind, starts, axis=0)
        return right + len(lost) - np.count_nonzero(lost, axis=0)

    def add(self, model: int) -> None:
        """Pick a model."""
        self.true_sum += self.flat[model].take(self.truth)
        self.other_sum += self.flat[model].take(self.cells)
