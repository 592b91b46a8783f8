"""A way to blend runs: which weights they get, and how their predictions are put together with them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from compkit.ensemble.alignment import Aligned
from compkit.ensemble.blend import geometric_blend, mean_blend, normalise_rows, to_ranks
from compkit.ensemble.crossfit import cross_fit
from compkit.ensemble.hill_climb import MAX_ROUNDS, hill_climb
from compkit.ensemble.optimize import optimize_weights
from compkit.metrics import LogLoss, Metric
from compkit.ranges import one_of, positive, whole
from compkit.types import Task

METHODS = ("mean", "rank", "geometric", "hill_climb", "optimize")
FITTED = ("hill_climb", "optimize")  # whose weights are learned from out-of-fold predictions


class Blended(NamedTuple):
    """A blend of M runs, and what it was made with."""

    nested: np.ndarray  # float64 [N, C], each part's rows by weights learned outside it
    in_sample: (
        np.ndarray | None
    )  # float64 [N, C], by weights learned on the same rows; None when nothing is learned
    weights: np.ndarray  # [M], or [M, C]: on all rows; what the test set gets
    weights_of_parts: dict[int, np.ndarray]  # without each part; empty when nothing is learned
    test: np.ndarray | None  # float64 [T, C]
    test_of_folds: dict[
        int, np.ndarray
    ]  # of each fold's models alone, [T, C]; empty where runs do not keep them


class Blending:
    """The settings of conf/ensemble.yaml that decide a blend, which explains each.

    Raises:
        ValueError: a value out of range, or two that do not go together.

    >>> Blending("hill_climb").learns, Blending("mean").learns
    (True, False)
    """

    def __init__(
        self,
        method: str = "hill_climb",
        weights: Sequence[float] | None = None,
        per_class: bool = False,
        top: int | None = None,
        max_rounds: int = MAX_ROUNDS,
    ) -> None:
        self.method = one_of("method", method, METHODS)
        self.weights = None if weights is None else [positive("weights", one, "[2,1]") for one in weights]
        self.per_class = bool(per_class)
        self.top = None if top is None else whole("top", top, least=1, usual="5")
        self.max_rounds = whole("max_rounds", max_rounds, least=1, usual="100")
        fitted = " and ".join(FITTED)
        if self.weights is not None and self.learns:
            raise ValueError(
                f"weights={self.weights} method={method} top={top}: weights are given where none are learned and all "
                f"runs are used; {fitted} learn theirs. Set method=mean top=null, or weights=null."
            )
        if self.per_class and method not in FITTED:
            raise ValueError(
                f"per_class=true method={method}: only {fitted} learn weights. Set method=optimize, or per_class=false."
            )

    @property
    def learns(self) -> bool:
        """Whether anything is learned from out-of-fold predictions."""
        return self.method in FITTED or self.top is not None

    def check(self, aligned: Aligned, metric: Metric) -> None:
        """Refuse runs or a metric that this blend makes no sense for.

        Raises:
            ValueError: with what to set instead.
        """
        models, task = len(aligned.names), aligned.task
        if self.weights is not None and len(self.weights) != models:
            raise ValueError(
                f"weights={self.weights}: {len(self.weights)} for {models} runs ({', '.join(aligned.names)}); expected "
                "one for each, in their order."
            )
        if self.top is not None and self.top > models:
            raise ValueError(
                f"top={self.top}: there are only {models} runs. Set top={models} or less, or null for all."
            )
        if self.method == "rank" and (task == Task.REGRESSION or isinstance(metric, LogLoss)):
            raise ValueError(
                f"method=rank: ranks are no {'probabilities' if isinstance(metric, LogLoss) else 'values in units'}, "
                f"which {metric.name} measures. Set method=mean, or another metric."
            )
        if self.method == "geometric":
            lowest, highest = aligned.oof.min(), aligned.oof.max()
            if task == Task.REGRESSION or lowest < 0 or highest > 1 + 1e-4:
                raise ValueError(
                    f"method=geometric: needs probabilities, and the runs' predictions ({task}) go from {lowest:.4g} "
                    f"to {highest:.4g}. Set method=mean."
                )

    def prepare(self, values: np.ndarray) -> np.ndarray:
        """What is blended: predictions [M, N, C] as they are, or their ranks among all rows."""
        return to_ranks(values) if self.method == "rank" else values

    def blend(self, prepared: np.ndarray, weights: np.ndarray, exclusive: bool) -> np.ndarray:
        """The blend [N, C] of what `prepare` returned; `exclusive`: whether exactly one class is true."""
        if self.method == "geometric":
            return geometric_blend(prepared, weights, exclusive)
        blend = mean_blend(prepared, weights)
        return normalise_rows(blend) if exclusive and weights.ndim > 1 else blend

    def fit(self, prepared: np.ndarray, targets: np.ndarray, metric: Metric) -> np.ndarray:
        """The weights [M], or [M, C] with per_class, which sum to 1 over models.

        Args:
            prepared: float64 [M, N, C], see `prepare`.
            targets: int64 [N], or float [N, C].
            metric: that the weights are to serve.
        """
        models = len(prepared)
        chosen = np.arange(models)
        if self.top is not None:
            sign = -1 if metric.greater_is_better else 1
            ranking = np.argsort([sign * metric(targets, one) for one in prepared], kind="stable")
            chosen = np.sort(ranking[: self.top])
        if self.per_class:
            found = self._fit_columns(prepared[chosen], targets, metric)
        else:
            found = self._fit(prepared[chosen], targets, metric)
        weights = np.zeros((models, *found.shape[1:]))
        weights[chosen] = found
        return weights

    def _fit(self, values: np.ndarray, targets: np.ndarray, metric: Metric) -> np.ndarray:
        if self.method == "hill_climb":
            return hill_climb(values, targets, metric, self.max_rounds).weights
        if self.method == "optimize":
            return optimize_weights(values, targets, metric)
        weights = np.ones(len(values)) if self.weights is None else np.array(self.weights)
        return weights / weights.sum()

    def _fit_columns(self, values: np.ndarray, targets: np.ndarray, metric: Metric) -> np.ndarray:
        """Weights of each column by itself, [M, C]; equal ones where its rows leave the metric undefined."""
        models, _, classes = values.shape
        labels = targets if targets.ndim == 2 else np.eye(classes)[targets]
        column_metric = metric_of_column(metric, targets.ndim == 1)
        weights = np.full((models, classes), 1 / models)
        for column in range(classes):
            truth, of_column = labels[:, [column]], values[:, :, [column]]
            if column_metric.kind == "values" or len(np.unique(truth)) > 1:
                weights[:, column] = self._fit(of_column, truth, column_metric)
        return weights


def metric_of_column(metric: Metric, exclusive: bool) -> Metric:
    """What the weights of a single column are chosen by.

    The metric itself where a column has it; log loss where only whole rows have: the most probable class, the order
    of classes, and grades.

    >>> from compkit.metrics import AUC, Accuracy
    >>> metric_of_column(AUC(), exclusive=True).name, metric_of_column(Accuracy(), exclusive=True).name
    ('auc', 'log_loss')
    """
    needs_rows = metric.kind == "ranking" or (exclusive and metric.kind == "labels")
    return LogLoss() if needs_rows else metric


def blend_runs(
    aligned: Aligned,
    blending: Blending,
    metric: Metric,
    parts: np.ndarray,
    say: Callable[[str], None] = lambda text: None,
) -> Blended:
    """Blend runs: weights learned on all rows for the test set, and without each part for an honest score.

    Args:
        aligned: M runs.
        blending: how.
        metric: that weights are to serve.
        parts: the part in which each row is held out from learning, int64 [N].
        say: told of each part, as learning may take minutes.
    """
    exclusive = aligned.task == Task.MULTICLASS
    prepared, targets = blending.prepare(aligned.oof), aligned.targets

    def fit(rows: np.ndarray) -> np.ndarray:
        say(f"weights from {len(rows)} of {len(targets)} rows")
        return blending.fit(prepared[:, rows], targets[rows], metric)

    def apply(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return blending.blend(prepared[:, rows], weights, exclusive)

    everything = np.arange(len(targets))
    weights = fit(everything)
    weights_of_parts: dict[int, np.ndarray] = {}
    in_sample = nested = apply(weights, everything)
    if blending.learns:
        nested, weights_of_parts = cross_fit(fit, apply, parts)
    of_folds = weights_of_parts if np.array_equal(parts, aligned.fold) else {}
    test_of_folds = {
        fold: blending.blend(blending.prepare(values), of_folds.get(fold, weights), exclusive)
        for fold, values in (aligned.test_of_folds or {}).items()
    }
    return Blended(
        nested=nested,
        in_sample=in_sample if blending.learns else None,
        weights=weights,
        weights_of_parts=weights_of_parts,
        test=None
        if aligned.test is None
        else blending.blend(blending.prepare(aligned.test), weights, exclusive),
        test_of_folds=test_of_folds,
    )
