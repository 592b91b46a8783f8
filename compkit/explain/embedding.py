"""Features of many pictures: drawn in two dimensions, and what their neighbourhoods say."""

from typing import NamedTuple

import numpy as np

PCA_FEATURES = 50  # what t-SNE gets
ENOUGH_FOR_TSNE = 50  # pictures; of fewer a plain projection says as much
PERPLEXITY = 30  # neighbours that count, about; less for few pictures
ITERATIONS = 500  # of t-SNE; 1000 take twice as long, and the groups of 2000 pictures no longer change
BLOCK = 1000  # pictures whose distances to all others are in memory at a time
NEIGHBOURS = 5  # whose mean distance says how far off a picture is


class Neighbours(NamedTuple):
    """Of each picture among the others, by cosine distance."""

    nearest: np.ndarray  # position of the nearest other one, int64 [N]
    distance: np.ndarray  # mean distance to the 5 nearest others, float64 [N]


def unit_length(features: np.ndarray) -> np.ndarray:
    """Rows [N, D] divided by their length; zeros stay.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    features = features.astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def reduce_features(features: np.ndarray, seed: int) -> np.ndarray:
    """Features in two dimensions, close ones staying close: PCA to 50, then t-SNE.

    Compared at unit length. Distances between far groups and the size of groups mean nothing.

    Args:
        features: [N, D], N >= 2.
        seed: of t-SNE.

    Returns:
        float64 [N, 2]; below 50 pictures the first two principal components.

    Source: van der Maaten and Hinton 2008, JMLR 9:2579-2605.

    >>> reduce_features(np.eye(4), seed=0).shape
    (4, 2)
    """
    unit = unit_length(features)
    if np.ptp(unit, axis=0).max() < 1e-9:
        return np.zeros((len(unit), 2))  # one point: nothing to spread
    few = _principal(unit, PCA_FEATURES)
    if len(few) < ENOUGH_FOR_TSNE:
        return np.pad(few[:, :2], ((0, 0), (0, max(0, 2 - few.shape[1]))))
    from sklearn.manifold import TSNE  # a quarter of a second, which small runs need not wait for

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed).fit_transform(few)
    return found.astype(np.float64)


def nearest_neighbours(features: np.ndarray) -> Neighbours:
    """Each picture's nearest other one, and how far off it lies, from all pairs.

    Args:
        features: [N, D], N >= 2; 1000 x N numbers are in memory.

    >>> nearest_neighbours(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])).nearest.tolist()
    [1, 0, 1]
    """
    unit = unit_length(features)
    count = min(NEIGHBOURS, len(unit) - 1)
    nearest, mean = np.empty(len(unit), np.int64), np.empty(len(unit))
    for start in range(0, len(unit), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(unit)))
        distance = unit[rows] @ unit.T
        np.subtract(1, distance, out=distance)
        distance[rows - start, rows] = np.inf
        nearest[rows] = distance.argmin(axis=1)
        distance.partition(count - 1, axis=1)
        mean[rows] = distance[:, :count].mean(axis=1)
    return Neighbours(nearest, mean.clip(0))


def _principal(features: np.ndarray, count: int) -> np.ndarray:
    """The first principal components, [N, min(count, N, D)]; each one's sign makes its largest value positive."""
    from sklearn.decomposition import PCA

    found = PCA(min(count, *features.shape), random_state=0).fit_transform(features)
    return found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])] + 1e-300)
