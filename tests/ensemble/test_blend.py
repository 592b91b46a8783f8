"""Blends with given weights: properties, and loops in float64."""

import numpy as np
import pytest
from scipy.stats import gmean, rankdata

from compkit.ensemble.blend import geometric_blend, mean_blend, normalise_rows, to_ranks
from compkit.metrics import auc

from .stackers import softmax

VALUES = softmax(np.random.default_rng(0).normal(size=(3, 40, 4)))
WEIGHTS = np.array([0.5, 0.2, 0.3])


def test_mean_is_the_weighted_mean():
    np.testing.assert_allclose(mean_blend(VALUES, WEIGHTS), np.average(VALUES, axis=0, weights=WEIGHTS))
    of_classes = np.random.default_rng(1).dirichlet(np.ones(3), 4).T
    want = np.stack([VALUES[:, :, c].T @ of_classes[:, c] for c in range(4)], axis=1)
    np.testing.assert_allclose(mean_blend(VALUES, of_classes), want)


@pytest.mark.parametrize(
    "blend", [mean_blend, lambda values, weights: geometric_blend(values, weights, True)]
)
def test_blends_do_not_depend_on_order(blend):
    rng = np.random.default_rng(0)
    models, rows, columns = rng.permutation(3), rng.permutation(40), rng.permutation(4)
    want = blend(VALUES, WEIGHTS)[rows][:, columns]
    np.testing.assert_allclose(blend(VALUES[models][:, rows][:, :, columns], WEIGHTS[models]), want)
    np.testing.assert_allclose(blend(VALUES[[0, 0]], np.array([0.4, 0.6])), VALUES[0])


def test_geometric_is_scipy_s_mean():
    want = gmean(VALUES, axis=0, weights=np.broadcast_to(WEIGHTS[:, None, None], VALUES.shape))
    np.testing.assert_allclose(geometric_blend(VALUES, WEIGHTS, exclusive=False), want)
    exclusive = geometric_blend(VALUES, WEIGHTS, exclusive=True)
    np.testing.assert_allclose(exclusive, want / want.sum(axis=1, keepdims=True))


def test_geometric_with_noughts_stays_finite():
    probs = geometric_blend(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.array([0.5, 0.5]), exclusive=True)
    np.testing.assert_allclose(probs, [[0.5, 0.5]])


def test_ranks_average_ties_and_forget_the_scale():
    values = np.round(VALUES, 1)
    ranks = to_ranks(values)
    for model in range(3):
        for column in range(4):
            np.testing.assert_allclose(ranks[model, :, column], rankdata(values[model, :, column]) / 40)
    np.testing.assert_array_equal(to_ranks(np.exp(5 * VALUES)), to_ranks(VALUES))
    targets = (np.random.default_rng(2).random((40, 4)) < 0.5).astype(float)
    assert auc(targets, ranks[0]) == pytest.approx(auc(targets, values[0]))


def test_rows_are_normalised():
    np.testing.assert_allclose(normalise_rows(VALUES[0] * 7), VALUES[0])
