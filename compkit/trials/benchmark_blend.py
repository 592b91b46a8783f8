"""What hill climbing costs, against a loop that averages and scores anew with scikit-learn for each model and round."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, log_loss

from compkit.engine import Console
from compkit.ensemble import hill_climb
from compkit.metrics import Accuracy, LogLoss, Metric

MODELS, ROWS, CLASSES = 30, 100_000, 10


class Race(NamedTuple):
    """Seconds of a whole climb, ours and the naive one, and whether they picked the same."""

    ours: float
    naive: float
    rounds: int
    is_same: bool


def benchmark_hill_climb(
    rounds: int, models: int = MODELS, rows: int = ROWS, classes: int = CLASSES
) -> dict[str, Race]:
    """Print how long a climb takes, for log loss and for accuracy, and how long the naive loop takes.

    Args:
        rounds: how often ours is timed; the median counts. The naive loop runs once, to its end.
        models, rows, classes: size of the made-up predictions.
    """
    values, targets = made_up_models(models, rows, classes)
    labels = np.arange(classes)
    scores: dict[str, tuple[Metric, Callable[[np.ndarray], float]]] = {
        "log_loss": (LogLoss(), lambda blend: -float(log_loss(targets, blend, labels=labels))),
        "accuracy": (Accuracy(), lambda blend: float(accuracy_score(targets, blend.argmax(axis=1)))),
    }
    races = {}
    with Console() as console:
        console.say(f"hill climbing over {models} models x {rows} rows x {classes} classes")
        for name, (metric, score) in scores.items():
            seconds = []
            for _ in range(rounds):
                start = time.perf_counter()
                climb = hill_climb(values, targets, metric)
                seconds.append(time.perf_counter() - start)
            console.say(
                f"{name}: {len(climb.picks)} picks in {statistics.median(seconds):.3f} s; now the naive loop"
            )
            start = time.perf_counter()
            picks = naive_climb(values, score, console.say)
            naive = time.perf_counter() - start
            races[name] = Race(statistics.median(seconds), naive, len(picks), picks == climb.picks)
        headings = ["metric", "picks", "ours, s", "naive, s", "naive / ours", "same picks"]
        lines = [
            [
                name,
                race.rounds,
                f"{race.ours:.3f}",
                f"{race.naive:.1f}",
                f"{race.naive / race.ours:.1f}",
                race.is_same,
            ]
            for name, race in races.items()
        ]
        console.table("hill climbing against averaging and scikit-learn's metric", headings, lines)
    return races


def naive_climb(
    values: np.ndarray, score: Callable[[np.ndarray], float], say: Callable[[str], None] = lambda text: None
) -> tuple[int, ...]:
    """The picks of hill climbing as one would write it down first.

    Args:
        values: float64 [M, N, C].
        score: of a blend [N, C]; greater is better.
        say: told of each round, as it takes seconds.
    """
    total, best = np.zeros_like(values[0]), -np.inf
    picks: list[int] = []
    while True:
        scores = [score((total + one) / (len(picks) + 1)) for one in values]
        pick = int(np.argmax(scores))
        if scores[pick] <= best:
            return tuple(picks)
        picks.append(pick)
        best, total = scores[pick], total + values[pick]
        say(f"naive round {len(picks)}: {best:.6f}")


def made_up_models(models: int, rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [M, N, C] of models about as good as each other that err partly together, and targets [N]."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=rows)
    shared = 0.8 * rng.normal(size=(rows, classes))
    values = np.empty((models, rows, classes))
    for one in values:
        logits = shared + rng.uniform(0.5, 0.8) * rng.normal(size=(rows, classes))
        logits[np.arange(rows), targets] += 2.5
        np.exp(logits, out=one)
        one /= one.sum(axis=1, keepdims=True)
    return values, targets
