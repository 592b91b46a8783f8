"""A search for the policy that suits the user's own pictures, as far as a small proxy of the training can tell.

The best of many noisy scores is too good by itself. So the few best policies are evaluated again, with seeds that
had no part in choosing them, beside no augmentation at all; only those scores decide.

Not imported by `compkit.augment`: loading Optuna would slow every training's start.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optuna

from compkit.augment.space import CHOICES, NONE, Policy, suggest

Evaluate = Callable[[Policy, int], float]
"""A policy and a seed to the metric on validation rows."""


class Trial(NamedTuple):
    """One evaluation of one policy."""

    number: int  # 0 is augment=none
    policy: Policy
    seed: int
    score: float
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A policy with its scores for fresh seeds beside those of augment=none."""

    number: int
    policy: Policy
    scores: list[float]
    gains: list[float]  # better is positive, whatever the metric; one a seed

    @property
    def gain(self) -> float:
        """Mean over the fresh seeds."""
        return float(np.mean(self.gains))

    @property
    def spread(self) -> float:
        """Standard deviation of the gain from seed to seed."""
        return float(np.std(self.gains, ddof=1))

    @property
    def convinces(self) -> bool:
        """Whether the gain is larger than chance moves it."""
        return self.gain > self.spread


@dataclass(frozen=True)
class Search:
    """Everything that was tried."""

    trials: list[Trial]  # one seed for all
    again: list[Trial]  # the fresh seeds
    candidates: list[Candidate]  # the largest gain first


def search_policy(
    evaluate: Evaluate,
    greater_is_better: bool,
    budget_seconds: float,
    seed: int = 0,
    top: int = 3,
    repeats: int = 3,
    max_trials: int | None = None,
    choices: Sequence[str] = CHOICES,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[Trial], None] = lambda trial: None,
) -> Search:
    """Try policies one after another until the budget is spent, then try the best again.

    Trial 0 is no augmentation. All trials have the same seed, so that they differ by their policy alone.

    Args:
        evaluate: score of a policy for a seed; the same arguments should give the same score.
        greater_is_better: of the score.
        budget_seconds: for everything; the last evaluations are kept back from it, at the slowest trial's time.
        seed: of the search and of the trials; the fresh seeds are those that follow.
        top: policies that are tried again.
        repeats: fresh seeds, at least 2.
        max_trials: end the search after so many, at least 2 with none; None is by the budget alone.
        choices: names of the operations to choose among.
        clock: seconds.
        tell: called after each evaluation.

    Raises:
        ValueError: the budget does not hold one policy beside none, or a score is not finite.

    Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (TPE, here Optuna's).
    """
    _check(top, repeats)
    start = clock()

    def timed(number: int, policy: Policy, trial_seed: int) -> Trial:
        began = clock()
        score = float(evaluate(policy, trial_seed))
        if not math.isfinite(score):
            raise ValueError(
                f"trial {number} (seed {trial_seed}) has the score {score}. The metric needs more validation rows, "
                f"or the training fails: try augment=none with the same settings. Its policy: {policy}"
            )
        trial = Trial(number, policy, trial_seed, score, clock() - began)
        tell(trial)
        return trial

    trials: list[Trial] = []
    slowest = 0.0
    most = math.inf if max_trials is None else max_trials
    for number, (policy, report) in enumerate(_suggestions(seed, greater_is_better, choices)):
        # this one, and those that are to follow the search
        needed = (1 + (1 + min(top, max(1, number))) * repeats) * slowest
        if number > 1 and (number >= most or clock() - start + needed > budget_seconds):
            break
        if clock() - start + needed > budget_seconds:
            raise ValueError(
                f"budget_minutes={budget_seconds / 60:g} is too little: one evaluation took {slowest:.1f} s. "
                f"Set budget_minutes={math.ceil((needed + slowest) / 6)}, which is ten times the smallest search, or a "
                "smaller proxy_rows, proxy_epochs or proxy_size."
            )
        trials.append(timed(number, policy, seed))
        slowest = max(slowest, trials[-1].seconds)
        report(trials[-1].score)

    sign = 1 if greater_is_better else -1
    best = sorted(trials[1:], key=lambda trial: -sign * trial.score)[:top]
    fresh = range(seed + 1, seed + 1 + repeats)
    # seed by seed, none first: whatever drifts on the machine meets all of them alike
    again = [timed(one.number, one.policy, new) for new in fresh for one in (trials[0], *best)]
    return Search(trials, again, compare(again, sign))


def compare(again: list[Trial], sign: int) -> list[Candidate]:
    """Candidates against trial 0 with the same seeds, the largest gain first.

    Args:
        again: evaluations with fresh seeds, the same seeds for every policy; trial 0 is none.
        sign: 1 where a greater score is better, else -1.

    >>> none, flip = [Trial(0, {}, 1, 0.5, 1.0), Trial(0, {}, 2, 0.6, 1.0)], {"flip": {}}
    >>> best = compare([*none, Trial(4, flip, 1, 0.75, 1.0), Trial(4, flip, 2, 0.75, 1.0)], sign=1)[0]
    >>> best.number, round(best.gain, 3), round(best.spread, 3), best.convinces
    (4, 0.2, 0.071, True)
    """
    scores: dict[int, list[float]] = {}
    policies = {trial.number: trial.policy for trial in again}
    for trial in sorted(again, key=lambda trial: trial.seed):
        scores.setdefault(trial.number, []).append(trial.score)
    none = scores.pop(0)
    candidates = [
        Candidate(number, policies[number], own, [sign * (a - b) for a, b in zip(own, none, strict=True)])
        for number, own in scores.items()
    ]
    return sorted(candidates, key=lambda candidate: -candidate.gain)


def _suggestions(
    seed: int, greater_is_better: bool, choices: Sequence[str]
) -> Iterator[tuple[Policy, Callable[[float], Any]]]:
    """Policies without end, none first, each with what its score is to be told to before the next is asked for."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed),
    )
    study.enqueue_trial(NONE)
    while True:
        asked = study.ask()
        yield suggest(asked, choices), functools.partial(study.tell, asked)


def _check(top: int, repeats: int) -> None:
    if top < 1:
        raise ValueError(f"confirm_top={top}: expected at least 1 policy to try again. Set confirm_top=3.")
    if repeats < 2:
        raise ValueError(f"confirm_seeds={repeats}: a spread needs at least 2. Set confirm_seeds=3.")
