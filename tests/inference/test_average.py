"""Means of views against the formulas in float64."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from scipy.stats import gmean

from compkit.inference import average_views
from compkit.types import Task

LOGITS = np.random.default_rng(0).normal(0, 4, (3, 20, 5)).astype(np.float32)
WEIGHTS = [0.5, 2, 1]
SHARES = np.array(WEIGHTS)[:, None, None] / sum(WEIGHTS)


def mean_of(task, mean):
    return average_views(torch.from_numpy(LOGITS), WEIGHTS, task, mean)


def test_probability():
    logits = LOGITS.astype(np.float64)
    np.testing.assert_allclose(
        mean_of(Task.MULTICLASS, "probability"), (SHARES * softmax(logits, 2)).sum(0), rtol=1e-5
    )
    np.testing.assert_allclose(
        mean_of(Task.MULTILABEL, "probability"), (SHARES * expit(logits)).sum(0), rtol=1e-5
    )
    np.testing.assert_allclose(
        mean_of(Task.REGRESSION, "probability"), (SHARES * logits).sum(0), rtol=1e-5, atol=1e-6
    )


def test_logit():
    mean = (SHARES * LOGITS.astype(np.float64)).sum(0)
    np.testing.assert_allclose(mean_of(Task.MULTICLASS, "logit"), softmax(mean, 1), rtol=1e-5)
    np.testing.assert_allclose(mean_of(Task.MULTILABEL, "logit"), expit(mean), rtol=1e-5)


def test_geometric_is_normalised_for_exclusive_classes_only():
    logits = LOGITS.astype(np.float64)
    unnormalised = np.exp((SHARES * log_softmax(logits, 2)).sum(0))
    want = unnormalised / unnormalised.sum(1, keepdims=True)
    np.testing.assert_allclose(mean_of(Task.MULTICLASS, "geometric"), want, rtol=1e-5)
    want = gmean(expit(logits), axis=0, weights=np.broadcast_to(SHARES, logits.shape))
    np.testing.assert_allclose(mean_of(Task.MULTILABEL, "geometric"), want, rtol=1e-5)


@pytest.mark.parametrize("mean", ["probability", "logit", "geometric"])
def test_extreme_logits_stay_finite(mean):
    logits = torch.tensor([[[500.0, -500.0]], [[-500.0, 500.0]]])
    for task in (Task.MULTICLASS, Task.MULTILABEL):
        assert np.isfinite(average_views(logits, [1, 1], task, mean)).all()
