"""Predictions of several models put together with given weights: as they are, as ranks, as logarithms."""

import numpy as np
from scipy.stats import rankdata

SMALLEST = 1e-15  # probability; one model that is sure of a mistake must not overrule all others


def mean_blend(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over models.

    Args:
        values: float [M, N, C].
        weights: [M], or [M, C] for weights of each column; summing to 1 over models.

    Returns:
        float64 [N, C].

    >>> mean_blend(np.array([[[0.2, 0.8]], [[0.6, 0.4]]]), np.array([0.75, 0.25])).round(6).tolist()
    [[0.3, 0.7]]
    """
    assert np.allclose(weights.sum(axis=0), 1)
    return np.einsum("mnc,mc->nc", values, _by_column(weights, values.shape[2]))


def to_ranks(values: np.ndarray) -> np.ndarray:
    """Each column's ranks divided by the number of rows, ties averaged: float64 [..., N, C] in (0, 1].

    >>> to_ranks(np.array([[0.3], [0.1], [0.1], [0.9]])).ravel().tolist()
    [0.75, 0.375, 0.375, 1.0]
    """
    return rankdata(values, axis=-2) / values.shape[-2]


def geometric_blend(values: np.ndarray, weights: np.ndarray, exclusive: bool) -> np.ndarray:
    """Weighted geometric mean of probabilities: a model that is sure counts for more.

    Args:
        values: probabilities, float [M, N, C].
        weights: [M] or [M, C], summing to 1 over models.
        exclusive: whether exactly one class is true, so that rows are divided by their sum.

    Returns:
        float64 [N, C].

    >>> geometric_blend(np.array([[[0.9, 0.1]], [[0.5, 0.5]]]), np.array([0.5, 0.5]), exclusive=True).round(6).tolist()
    [[0.75, 0.25]]
    """
    logs = np.log(np.clip(values, SMALLEST, None))
    probs = np.exp(mean_blend(logs, weights))
    return normalise_rows(probs) if exclusive else probs


def normalise_rows(probs: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; a row of zeros becomes one of equal probabilities.

    >>> normalise_rows(np.array([[0.2, 0.2], [0.0, 0.0]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    probs = np.clip(probs, SMALLEST, None)
    return probs / probs.sum(axis=1, keepdims=True)


def _by_column(weights: np.ndarray, columns: int) -> np.ndarray:
    """Weights as [M, C]."""
    return np.broadcast_to(weights[:, None], (len(weights), columns)) if weights.ndim == 1 else weights
