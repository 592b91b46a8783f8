"""Optimised weights against a grid and against other optimisers."""

import itertools

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize, nnls

from compkit.ensemble import optimize_weights
from compkit.ensemble.optimize import _absolute, _log_loss, _squared
from compkit.metrics import AUC, MAE, R2, RMSE, RMSLE, Accuracy, FBeta, LogLoss, QuadraticKappa

from .stackers import softmax

CONVEX = {"rmse": RMSE(), "mae": MAE(), "r2": R2()}


def regression(seed, models=3, rows=60, columns=2):
    rng = np.random.default_rng(seed)
    targets = 3 + rng.random((rows, columns))
    return targets + 0.5 * rng.normal(size=(models, rows, columns)) + rng.normal(
        size=(models, 1, 1)
    ) / 4, targets


def multiclass(seed, models=3, rows=200):
    rng = np.random.default_rng(seed)
    targets = rng.integers(4, size=rows)
    logits = rng.normal(size=(models, rows, 4))
    logits[:, np.arange(rows), targets] += 1 + rng.random((models, 1))
    return softmax(logits), targets


def multilabel(seed, models=3, rows=200):
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, 3)) < 0.4).astype(float)
    return 1 / (1 + np.exp(-(2 * targets - 1 + rng.normal(size=(models, rows, 3))))), targets


def on_grid(values, targets, metric, steps=20):
    """The best score over a grid on the simplex of three models."""
    sign = 1 if metric.greater_is_better else -1
    grid = [(a, b, steps - a - b) for a, b in itertools.product(range(steps + 1), repeat=2) if a + b <= steps]
    return max(sign * metric(targets, np.tensordot(np.array(one) / steps, values, axes=1)) for one in grid)


@pytest.mark.parametrize(
    "metric, make",
    [
        (RMSE(), regression),
        (MAE(), regression),
        (R2(), regression),
        (RMSLE(), regression),
        (LogLoss(), multiclass),
        (Accuracy(), multiclass),
        (QuadraticKappa(), multiclass),
        (LogLoss(), multilabel),
        (AUC(), multilabel),
        (FBeta(), multilabel),
    ],
    ids=lambda one: getattr(one, "name", None) or one.__name__,
)
def test_as_good_as_the_best_of_a_grid(metric, make):
    values, targets = make(0)
    weights = optimize_weights(values, targets, metric)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    sign = 1 if metric.greater_is_better else -1
    found = sign * metric(targets, np.tensordot(weights, values, axes=1))
    # smooth ones lie above every point of the grid; jumping ones a step of few rows below it at most
    smooth = isinstance(metric, LogLoss | RMSE | R2 | MAE | RMSLE)
    assert found >= on_grid(values, targets, metric) - (1e-6 if smooth else 0.01)


def test_log_loss_is_at_the_optimum_that_softmax_weights_reach():
    values, targets = multiclass(0, models=6, rows=500)

    def loss(logits):
        return LogLoss()(targets, np.tensordot(softmax(logits), values, axes=1))

    other = minimize(loss, np.zeros(6), method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-14})
    weights = optimize_weights(values, targets, LogLoss())
    found = LogLoss()(targets, np.tensordot(weights, values, axes=1))
    assert found <= other.fun + 1e-8


def test_rmse_is_that_of_non_negative_least_squares():
    """NNLS with a heavy row that makes the weights sum to 1."""
    values, targets = regression(4, models=5, columns=1)
    heavy = 1e4
    left = np.vstack([values[:, :, 0].T, np.full((1, 5), heavy)])
    want, _ = nnls(left, np.append(targets[:, 0], heavy))
    np.testing.assert_allclose(optimize_weights(values, targets, RMSE()), want / want.sum(), atol=1e-4)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "rmse", "r2", "mae"])
def test_gradients_and_values(kind):
    if kind in ("multiclass", "multilabel"):
        values, targets = {"multiclass": multiclass, "multilabel": multilabel}[kind](0)
        objective, metric = _log_loss(values, targets, 1e-15), LogLoss()
    else:
        values, targets = regression(0)
        metric = CONVEX[kind]
        objective = _absolute(values, targets) if kind == "mae" else _squared(values, targets, kind == "r2")
    at = np.array([0.2, 0.5, 0.3])
    value = metric(targets, np.tensordot(at, values, axes=1))
    np.testing.assert_allclose(objective(at)[0], 1 - value if kind == "r2" else value)
    step = np.array(
        [1.0, -2.0, 1.0]
    )  # along the simplex, where the errors of a blend are the blend of the errors

    def along(share):
        return objective(at + share[0] * step)[0]

    assert check_grad(along, lambda share: [objective(at + share[0] * step)[1] @ step], [0.01]) < 1e-5


def test_true_classes_of_probability_nought():
    values, targets = multiclass(0, rows=50)
    values[:, :5] = np.eye(4)[(targets[:5] + 1) % 4]
    weights = optimize_weights(values, targets, LogLoss())
    assert np.isfinite(weights).all() and weights.sum() == pytest.approx(1)


def test_one_model_and_useless_ones():
    values, targets = regression(0, models=2)
    assert optimize_weights(values[:1], targets, RMSE()).tolist() == [1.0]
    useless = np.stack([targets + 0.01, np.zeros_like(targets)])
    np.testing.assert_allclose(optimize_weights(useless, targets, RMSE()), [1, 0], atol=0.01)
    np.testing.assert_allclose(optimize_weights(targets[None].repeat(2, 0), targets, RMSE()).sum(), 1)


def test_the_same_every_time():
    values, targets = multiclass(1)
    first, again = (optimize_weights(values, targets, Accuracy()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
