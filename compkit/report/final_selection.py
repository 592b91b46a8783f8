"""Which two submissions to select at the end: the best CV, and one that errs elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from compkit.report.section import number
from compkit.report.standings import Standing

LEAST_PAIRS = 3  # of CV and LB, for a correlation
SAME = 0.99999  # correlation of test predictions from which two files are one submission

CorrelationOf = Callable[[Standing, Standing], float | None]


@dataclass(frozen=True)
class Pick:
    """A submission to select, and why."""

    run: Standing
    why: str


@dataclass(frozen=True)
class Agreement:
    """How well CV foretells LB over `count` runs; None where they are too few, or all alike."""

    count: int
    pearson: float | None
    spearman: float | None


def rank(standings: Sequence[Standing]) -> list[Standing]:
    """The comparable runs, best score first."""
    known = [one for one in standings if one.comparable and one.score is not None]
    return sorted(known, key=lambda one: -_good(one, one.score))


def select(standings: Sequence[Standing], correlation_of: CorrelationOf) -> list[Pick]:
    """Two submissions: the best score out of fold, and another that could be right where the first is wrong.

    The second is looked for among the runs within one standard deviation of the first one's folds, as CV cannot tell
    those apart: of another kind where there is one, and there the one whose test predictions are the least correlated
    with the first. With none so near, it is the best of another kind, else the next best.

    Args:
        standings: of all runs; only comparable ones with a submission are looked at.
        correlation_of: of two runs' test predictions, None when not known.
    """
    ranked = [one for one in rank(standings) if one.has_submission]
    if not ranked:
        return []
    first, rest = ranked[0], ranked[1:]
    nested = "nested " if first.nested is not None else ""
    picks = [Pick(first, f"best {nested}CV, {first.metric} {number(first.score)}")]
    correlations = {one.name: correlation_of(first, one) for one in rest}
    rest = [one for one in rest if (correlations[one.name] or 0) < SAME]
    if not rest:
        return picks
    near = [one for one in rest if first.std is not None and _behind(first, one) <= first.std]
    others = [one for one in near if one.kind != first.kind]
    known = [one for one in others or near if correlations[one.name] is not None]
    if known:
        second = min(known, key=lambda one: correlations[one.name] or 0)
        why = f"within one standard deviation of the folds ({number(first.std)}) of {first.name}, "
        why += f"{f'of another kind ({second.kind}), ' if others else ''}and the least correlated with it in test "
        why += f"predictions ({correlations[second.name]:.3f})"
    else:
        kinds = [one for one in others or rest if one.kind != first.kind]
        second = (kinds or near or rest)[0]
        why = f"the best of another kind ({second.kind})" if kinds else "the next best; all are of one kind"
        why += f", {number(_behind(first, second))} behind {first.name}"
    return [*picks, Pick(second, why)]


def best_lb(standings: Sequence[Standing]) -> Standing | None:
    """The comparable run with the best public score, None when none has one."""
    scored = [one for one in rank(standings) if one.gap is not None]
    return max(scored, key=lambda one: _good(one, one.public), default=None)


def warnings(standings: Sequence[Standing]) -> list[str]:
    """What speaks against trusting the order: best LB and best CV are of different runs."""
    ranked, first_lb = rank(standings), best_lb(standings)
    if first_lb is None or first_lb.name == ranked[0].name:
        return []
    top = ranked[0]
    if top.gap is None:
        return [f"{top.name} has the best CV and no LB yet; the best LB so far is {first_lb.name}'s."]
    return [
        f"Best CV ({top.name}) and best LB ({first_lb.name}) are different runs. The public LB scores only a part of "
        "the test set, so choosing by it is how one falls in the shake-up: select by CV unless you know a reason why "
        "they disagree (another distribution, a leak, folds that do not look like the test set)."
    ]


def agreement(standings: Sequence[Standing]) -> Agreement:
    """Correlation of CV and public LB over the comparable runs that have both.

    >>> agreement([])
    Agreement(count=0, pearson=None, spearman=None)
    """
    pairs = np.array([(one.score, one.public) for one in rank(standings) if one.gap is not None], np.float64)
    if len(pairs) < LEAST_PAIRS or (np.ptp(pairs, axis=0) == 0).any():
        return Agreement(len(pairs), None, None)
    cv, lb = pairs.T
    return Agreement(
        len(pairs), float(stats.pearsonr(cv, lb).statistic), float(stats.spearmanr(cv, lb).statistic)
    )


def correlation_of_tests(first: Standing, second: Standing) -> float | None:
    """Pearson correlation of two runs' test predictions, mean over columns that vary; None without common ones."""
    one, other = (_test_values(run.folder / "test.parquet") for run in (first, second))
    if one is None or other is None or set(one) != set(other):
        return None
    if len(one) != len(other) or not one.index.is_unique or set(one.index) != set(other.index):
        return None
    other = other.loc[one.index, one.columns]
    both = [(one[name].to_numpy(np.float64), other[name].to_numpy(np.float64)) for name in one]
    varying = [pair for pair in both if all(np.ptp(values) > 0 for values in pair)]
    if not varying:
        return None
    return float(np.mean([np.corrcoef(pair)[0, 1] for pair in varying]))


def _test_values(path: Path) -> pd.DataFrame | None:
    """pred_… columns by id; None where there is no such file, or it is torn."""
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError):
        return None
    predicted = [name for name in frame if str(name).startswith("pred_")]
    return frame.set_index(frame["id"].astype(str))[predicted] if "id" in frame and predicted else None


def _good(one: Standing, value: float | None) -> float:
    """A score whose higher value is better."""
    assert value is not None
    return value if one.greater_is_better else -value


def _behind(first: Standing, other: Standing) -> float:
    return _good(first, first.score) - _good(other, other.score)
