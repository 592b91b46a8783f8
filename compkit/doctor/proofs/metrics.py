"""Proof of the metrics, which choose the best epoch."""

import numpy as np

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.doctor.proofs.spread import spread_rows
from compkit.findings import Finding
from compkit.metrics import Metric
from compkit.types import Task

SCORED, VALUES = (
    1000,
    10_000_000,
)  # rows whose labels metrics are tried on, as long as they have so few values
ORDERS = 5  # of the rows that must not matter; and repetitions
CLOSE = 1e-4  # relative, between two orders of the same rows


def metrics(bench: Bench) -> list[Finding]:
    """Metrics listen to predictions, and right ones score better than wrong ones."""
    rows = spread_rows(
        bench.labels,
        bench.fold_data.train_rows,
        bench.task,
        max(2, min(SCORED, VALUES // max(bench.num_outputs, 1))),
    )
    targets = bench.labels[rows]
    if (targets == targets[0]).all() or (bench.task == Task.MULTICLASS and bench.num_outputs < 2):
        return [left_out("metrics", "All targets are the same.")]
    right = right_values(targets, bench.task, bench.num_outputs)
    wrong = right[::-1].copy() if bench.task == Task.REGRESSION else np.roll(right, 1, axis=1)
    if bench.task == Task.MULTILABEL:
        wrong = 1 - right
    return [
        one
        for metric in bench.plan.metrics
        for one in _metric(metric, targets, right, wrong, bench.trial.seed, metric is bench.plan.metrics[0])
    ]


def right_values(targets: np.ndarray, task: Task, num_outputs: int) -> np.ndarray:
    """Predictions that agree with the targets, float32 [N, C].

    >>> right_values(np.array([1, 0]), Task.MULTICLASS, 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    if task == Task.MULTICLASS:
        values = np.zeros((len(targets), num_outputs), np.float32)
        values[np.arange(len(targets)), targets] = 1
        return values
    return targets.astype(np.float32)


def _metric(
    metric: Metric, targets: np.ndarray, right: np.ndarray, wrong: np.ndarray, seed: int, chooses: bool
) -> list[Finding]:
    """What is wrong with one metric; `chooses`: the best epoch by it, while others are only told."""
    tell, of_epoch = (failed, "It chooses the best epoch. ") if chooses else (doubted, "")
    best, worst = (float(metric(targets, values)) for values in (right, wrong))
    key = "metric or metrics (_target_)"
    if not np.isfinite(best) and not np.isfinite(worst):
        return [
            doubted(
                "metrics",
                f"{metric.name} is {best} for right and {worst} for wrong predictions of {len(targets)} rows.",
                f"{of_epoch}Look at {key}, and for classes that have no row.",
                expected="a number",
            )
        ]
    if not np.isfinite(best) or not np.isfinite(worst):
        return []
    rng, mixed = np.random.default_rng(seed), np.where(np.arange(len(right))[:, None] % 2, right, wrong)
    once, *repeats = (float(metric(targets, mixed)) for _ in range(1 + ORDERS))  # by chance two may agree
    again = max(repeats, key=lambda value: abs(value - once))
    if np.isfinite(once) and once != again:
        return [
            tell(
                "metrics",
                f"{metric.name} is {once:.4g} and then {again:.4g} for the same predictions.",
                f"{of_epoch}Take what is random out of {key}.",
                again,
                f"{once:.4g}",
            )
        ]
    orders = (rng.permutation(len(targets)) for _ in range(ORDERS))  # of one some metrics may say the same
    others = [float(metric(targets[order], mixed[order])) for order in orders]
    moved = max(others, key=lambda value: abs(value - once))
    if np.isfinite(once) and not np.isclose(once, moved, rtol=CLOSE, atol=CLOSE):
        return [
            doubted(
                "metrics",
                f"{metric.name} is {once:.4g}, and {moved:.4g} for the same rows in another order.",
                f"Look in {key} for rows that are left out, sorted or compared with their neighbours.",
                moved,
                f"{once:.4g}",
            )
        ]
    if best == worst:
        return [
            tell(
                "metrics",
                f"{metric.name} is {best:.4g} for right and for wrong predictions alike.",
                f"{of_epoch}Let it compare targets and values. Look at {key}.",
                best,
                "other values",
            )
        ]
    if (best > worst) != metric.greater_is_better:
        word = "greater" if metric.greater_is_better else "smaller"
        return [
            tell(
                "metrics",
                f"{metric.name} is {best:.4g} for right predictions and {worst:.4g} for wrong ones, and says that "
                f"{word} is better.",
                f"{of_epoch}Set greater_is_better of the metric the other way round. Look at {key}.",
                best,
                f"{'above' if metric.greater_is_better else 'below'} {worst:.4g}",
            )
        ]
    return []
