"""Weights on the simplex, not negative and summing to 1, that give the best score."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from compkit.ensemble.hill_climb import hill_climb
from compkit.metrics import MAE, R2, RMSE, LogLoss, Metric

STEPS = (
    0.2,
    0.1,
    0.05,
    0.02,
    0.01,
    0.005,
    0.002,
    0.001,
)  # share of the weight moved at once, from coarse to fine
TINY = 1e-6  # a weight below it is none
ROUNDING = 1e-12  # a smaller gain, in shares of the score, is one of floating point

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def optimize_weights(values: np.ndarray, targets: np.ndarray, metric: Metric) -> np.ndarray:
    """The weights of a mean of models that score best.

    Log loss, RMSE, MAE and R2 are convex in the weights: their optimum is found by sequential quadratic programming
    with exact gradients. For all other metrics, and MAE, whose slope jumps, weight is then moved between pairs of
    models in shrinking steps from the best of: that optimum, equal weights, the best single model, hill climbing.

    Args:
        values: predictions of M models, float64 [M, N, C].
        targets: int64 [N], or float [N, C].
        metric: any.

    Returns:
        float64 [M].

    Source: Kraft 1988, "A software package for sequential quadratic programming" (SLSQP).

    >>> values = np.array([[[1.0], [1.0]], [[3.0], [5.0]]])
    >>> optimize_weights(values, np.array([[1.5], [2.0]]), RMSE()).round(6).tolist()
    [0.75, 0.25]
    """
    models = len(values)
    if models == 1:
        return np.ones(1)
    objective = _objective(values, targets, metric)
    starts = [np.full(models, 1 / models), *np.eye(models)]
    if objective is not None:
        starts.append(_minimise(objective, models))
    else:
        starts.append(hill_climb(values, targets, metric).weights)
    sign = 1 if metric.greater_is_better else -1

    def score(blend: np.ndarray) -> float:
        return float(np.nan_to_num(sign * metric(targets, blend), nan=-np.inf))

    scores = [score(np.tensordot(weights, values, axes=1)) for weights in starts]
    best = starts[int(np.argmax(scores))]
    if objective is not None and not isinstance(metric, MAE):
        return best
    return exchange(values, score, best)


def exchange(values: np.ndarray, score: Callable[[np.ndarray], float], weights: np.ndarray) -> np.ndarray:
    """Move weight from one model to another as long as that helps, in ever smaller steps.

    Args:
        values: float64 [M, N, C].
        score: of a blend [N, C]; greater is better.
        weights: where to start, [M].

    Returns:
        float64 [M]. The same every time: pairs are tried in their order, and the first gain is taken.
    """
    weights = weights.copy()
    blend = np.tensordot(weights, values, axes=1)
    best = score(blend)
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for giver in np.flatnonzero(weights > TINY).tolist():
                for taker in range(len(weights)):
                    share = min(step, weights[giver])
                    if taker == giver or share <= TINY:
                        continue
                    moved = blend + share * (values[taker] - values[giver])
                    found = score(moved)
                    if found > best + ROUNDING * max(1, abs(best)):
                        weights[giver], weights[taker] = weights[giver] - share, weights[taker] + share
                        blend, best, improved = moved, found, True
    return weights / weights.sum()


def _minimise(objective: Objective, models: int) -> np.ndarray:
    """The minimum over the simplex, from equal weights."""
    found = minimize(
        objective,
        np.full(models, 1 / models),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * models,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones(models),
        },
        options={"maxiter": 500, "ftol": 1e-12},
    )
    weights = np.where(found.x > TINY, found.x, 0)
    return weights / weights.sum()


def _objective(values: np.ndarray, targets: np.ndarray, metric: Metric) -> Objective | None:
    """A function of the weights with its gradient, lower is better; None for metrics that have none."""
    if isinstance(metric, LogLoss):
        return _log_loss(values, targets, metric.eps)
    if isinstance(metric, RMSE | R2):
        return _squared(values, targets, isinstance(metric, R2))
    return _absolute(values, targets) if isinstance(metric, MAE) else None


def _log_loss(values: np.ndarray, targets: np.ndarray, eps: float) -> Objective:
    """-mean ln(sum of w_m true_m / sum of w_m total_m)."""
    if targets.ndim == 1:
        true = np.take_along_axis(values, targets[None, :, None], axis=2)[:, :, 0]
        total = values.sum(axis=2)
    else:
        true = np.where(targets > 0.5, values, 1 - values).reshape(len(values), -1)
        total = np.ones_like(true)

    def call(weights: np.ndarray) -> tuple[float, np.ndarray]:
        blend, whole = weights @ true, weights @ total
        counts = blend > eps * whole  # elsewhere the metric's clip makes it flat
        inverse = np.where(counts, 1 / np.where(counts, blend, 1), 0)
        gradient = total @ np.where(counts, 1 / whole, 0) - true @ inverse
        return float(-np.log(np.clip(blend / whole, eps, 1)).mean()), gradient / true.shape[1]

    return call


def _squared(values: np.ndarray, targets: np.ndarray, relative: bool) -> Objective:
    """RMSE, or with `relative` the unexplained share of variance (1 - R2): both from w' E E' w of each column.

    As the weights sum to 1, the error of the blend is the blend of the errors, so N rows are needed only once.
    """
    errors = values - targets
    products = np.einsum("mnc,knc->cmk", errors, errors, optimize=True) / len(targets)
    variances = targets.var(axis=0)
    scale = np.where(variances > 0, variances, 1)

    def call(weights: np.ndarray) -> tuple[float, np.ndarray]:
        half = products @ weights  # [C, M]
        squares = (half @ weights).clip(min=0)
        if relative:
            return float((squares / scale).mean()), (2 * half / scale[:, None]).mean(axis=0)
        roots = np.sqrt(squares)
        return float(roots.mean()), (half / np.maximum(roots, 1e-12)[:, None]).mean(axis=0)

    return call


def _absolute(values: np.ndarray, targets: np.ndarray) -> Objective:
    """Mean absolute error, with a subgradient."""
    errors = values - targets

    def call(weights: np.ndarray) -> tuple[float, np.ndarray]:
        error = np.tensordot(weights, errors, axes=1)
        return float(np.abs(error).mean()), np.tensordot(errors, np.sign(error), axes=2) / error.size

    return call
