"""Classifiers that know only the classes they were shown, made to predict all of a competition's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# (rows, labels, weights) -> a scikit-learn classifier; rows are positions, [R], labels and weights of them
FitRows = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class Classes:
    """One classifier for exclusive classes, of which the training rows may have lacked some."""

    model: Any  # None: all rows were of one class
    present: np.ndarray  # classes that the model knows, int64
    absent: np.ndarray  # probability of each class, 0 where the model speaks, float64 [C]

    def probs(self, features: np.ndarray) -> np.ndarray:
        """Probabilities [N, C] of features [N, F]; rows sum to 1."""
        rows, share = len(features), 1 - self.absent.sum()
        values = np.tile(self.absent, (rows, 1))
        known = np.ones((rows, 1)) if self.model is None else self.model.predict_proba(features)
        values[:, self.present] = share * known
        return values


def fit_classes(fit: FitRows, targets: np.ndarray, num_classes: int) -> Classes:
    """A classifier of exclusive classes; a class without rows gets 1 / (N + C), never 0.

    Args:
        fit: fits a scikit-learn classifier.
        targets: int64 [N].
        num_classes: C.
    """
    present = np.unique(targets)
    absent = np.full(num_classes, 1 / (len(targets) + num_classes))
    absent[present] = 0
    rows = np.arange(len(targets))
    model = fit(rows, targets, np.ones(len(targets))) if len(present) > 1 else None
    return Classes(model, present, absent)


def fit_label(fit: FitRows, targets: np.ndarray) -> Classes:
    """A classifier of one label, targets float [N] in [0, 1]; a soft one counts in part for either side.

    >>> sure = fit_label(lambda rows, labels, weights: None, np.array([1.0, 1.0]))
    >>> sure.probs(np.zeros((1, 3))).tolist()
    [[0.25, 0.75]]
    """
    rows = np.tile(np.arange(len(targets)), 2)
    labels = np.repeat([1, 0], len(targets))
    weights = np.concatenate([targets, 1 - targets])
    counts = weights > 0
    return fit_classes(
        lambda chosen, labels, _: fit(rows[counts][chosen], labels, weights[counts]), labels[counts], 2
    )
