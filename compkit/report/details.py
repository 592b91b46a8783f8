"""What the leaderboard tells of each run beside its score: folds, the step from its parent, size, checks."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from safetensors import SafetensorError, safe_open

from compkit.findings import Status, worst
from compkit.report.checks import badge, read_checks, read_doctor
from compkit.report.intervals import Paired, paired
from compkit.report.section import Badge, Right, Table, number
from compkit.report.standings import Standing
from compkit.report.strips import sparkline

MOST_DIAGNOSED = 30  # runs whose curves are read, a fifth of a second each; of further ones only doctor.json
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # buffers, which nobody trains


class Step(NamedTuple):
    """What a run gained over its parent, fold by fold; None with the reason where that cannot be told."""

    gain: Paired | None
    why: str = ""


def details(standings: Sequence[Standing]) -> Table:
    """A row a finished run: its folds, its step from the parent, size, seed, split and checks."""
    by_name = {one.name: one for one in standings}
    rows: list[list[object]] = []
    finished = [one for one in standings if one.state == "finished"]
    for place, one in enumerate(finished):
        step = step_from_parent(one, by_name)
        rows.append(
            [
                one.name,
                _spark(one),
                Right(_mean(one)),
                one.parent or "-",
                _gain(step),
                Right(_millions(count_parameters(one.folder))),
                one.image_size,
                one.seed,
                one.fold_hash[:8],
                status_of(one.folder, with_curves=place < MOST_DIAGNOSED),
            ]
        )
    columns = [
        "run",
        "folds",
        "mean ± SE",
        "parent",
        "gain, ± SE",
        "parameters",
        "image size",
        "seed",
        "split",
        "checks",
    ]
    return Table("Folds, steps and checks", columns, rows)


def step_from_parent(one: Standing, runs: Mapping[str, Standing]) -> Step:
    """The gain over the parent, above 0 is better; only over the same split and metric."""
    parent = runs.get(one.parent)
    if parent is None or parent.state != "finished":
        return Step(None)
    return step(one, parent)


def step(one: Standing, parent: Standing) -> Step:
    """The gain of a run over another, over the folds that both have scores of.

    >>> first = Standing("a", Path("a"), "trained", "finished", folds=(0, 1), fold_scores=(0.5, 0.6))
    >>> second = Standing("b", Path("b"), "trained", "finished", folds=(0, 1), fold_scores=(0.6, 0.7))
    >>> round(step(second, first).gain.mean, 3)
    0.1
    """
    if one.metric != parent.metric:
        return Step(None, "another metric")
    if one.fold_hash != parent.fold_hash:
        return Step(None, "another split")
    mine, theirs = (dict(zip(run.folds, run.fold_scores, strict=True)) for run in (one, parent))
    sign = 1 if one.greater_is_better else -1
    both = [(mine[fold], theirs[fold]) for fold in mine if fold in theirs]
    gains = [sign * (own - other) for own, other in both if own is not None and other is not None]
    return Step(paired(gains)) if gains else Step(None, "no common fold")


def status_of(folder: Path, with_curves: bool = True) -> Badge:
    """The worst of what the doctor and, if asked for, the curves said of a run."""
    if with_curves:
        found = read_checks(folder)
        findings = [*(found.doctor or []), *(found.curves or [])]
        damaged = bool(found.notes)
    else:
        try:
            findings, damaged = read_doctor(folder) or [], False
        except ValueError:
            findings, damaged = [], True
    if all(one.status == Status.SKIP for one in findings):
        return Badge("damaged" if damaged else "not checked", "unknown")
    return badge(worst(findings))


def count_parameters(folder: Path) -> int | None:
    """Numbers in the weights of one fold, without batch statistics; None without weights, or where they are torn."""
    files = sorted(folder.glob("fold_*/*.safetensors"))
    if not files:
        return None
    try:
        with safe_open(files[0], framework="np") as weights:
            # the file is no dict: it has keys, and cannot be walked
            names = [key for key in weights.keys() if not key.endswith(STATISTICS)]  # noqa: SIM118
            shapes = [weights.get_slice(name).get_shape() for name in names]
    except (OSError, SafetensorError):
        return None
    return sum(math.prod(shape) for shape in shapes)


def _spark(one: Standing) -> Markup:
    told = ", ".join(
        f"{fold}: {number(score)}" for fold, score in zip(one.folds, one.fold_scores, strict=True)
    )
    values = [float("nan") if score is None else score for score in one.fold_scores]
    return sparkline(f"Scores of the folds {told}", values)


def _mean(one: Standing) -> str:
    if one.mean is None:
        return "n/a"
    of_folds = paired([score for score in one.fold_scores if score is not None])
    return number(one.mean) + (f" ± {number(of_folds.error)}" if of_folds.pairs > 1 else "")


def _gain(found: Step) -> str:
    """With ▲ or ▼ where it is beyond two standard errors."""
    if found.gain is None:
        return found.why
    gain = found.gain
    mark = (" ▲" if gain.mean > 0 else " ▼") if gain.is_beyond else ""
    return f"{gain.mean:+.4f}" + (f" ± {number(gain.error)}" if gain.pairs > 1 else " (one fold)") + mark


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.2f} M"
