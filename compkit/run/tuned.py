"""A run's post-processing, learned on its out-of-fold rows and judged on those it was not learned from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compkit.competition import Folds
from compkit.engine import Console
from compkit.ensemble import cross_fit, crossfit_parts
from compkit.files import write_text
from compkit.metrics import Metric
from compkit.metrics.arrays import label_matrix
from compkit.postprocess import Learned, Postprocess, better
from compkit.results import OutOfFold
from compkit.run.folder import json_text
from compkit.run.plan import Plan
from compkit.types import Predictions


@dataclass(frozen=True)
class Tuned:
    """A post-processing with what it has learned, and what that is worth by the competition's metric.

    Attributes:
        method: the post-processing.
        metric: it was tuned for.
        learned: on all rows; what the test set gets.
        learned_of_parts: by part, on the rows outside it.
        plain: score of the predictions as they are.
        nested: score where each part's predictions get what was learned outside it.
        in_sample: score of `learned` on the very rows it was learned from: too good.
    """

    method: Postprocess
    metric: Metric
    learned: Learned
    learned_of_parts: dict[int, Learned]
    plain: float
    nested: float
    in_sample: float

    def scores(self) -> dict[str, Any]:
        """Its entry of metrics.json."""
        of_metric = {"plain": self.plain, "nested": self.nested, "in_sample": self.in_sample}
        return {"method": self.method.name, "metric": self.metric.name, **of_metric}

    def to_dict(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """What postprocess.json holds; `numbers` are those learned, for people, on all rows and without each part."""
        parts = {part: self.method.describe(one, classes) for part, one in self.learned_of_parts.items()}
        numbers = [
            {"name": name, "all": value, "parts": {part: one.get(name) for part, one in parts.items()}}
            for name, value in self.method.describe(self.learned, classes).items()
        ]
        learned = {"learned": self.learned, "learned_of_parts": self.learned_of_parts}
        return self.scores() | learned | {"numbers": numbers}

    def of_test(self, test: Predictions) -> Predictions:
        """Test predictions as they are submitted.

        Raises:
            ValueError: they are NaN or infinite.
        """
        require_finite("test predictions", test.values)
        return Predictions(test.ids, self.method.apply(test.values, self.learned))


def tune(
    method: Postprocess, metric: Metric, targets: np.ndarray, values: np.ndarray, parts: np.ndarray
) -> Tuned:
    """Learn a post-processing on all rows, and again without each part to see what it is worth.

    Args:
        method: what is learned.
        metric: what it is learned for.
        targets: int64 [N], or float [N, C].
        values: out-of-fold predictions, float [N, C].
        parts: the part that each row is held out in, int64 [N].

    Raises:
        ValueError: predictions that are NaN or infinite.

    >>> from compkit.metrics import FBeta
    >>> from compkit.postprocess import Threshold
    >>> targets, values = np.array([[1.0], [0.0]] * 4), np.array([[0.4], [0.2]] * 4)
    >>> tuned = tune(Threshold(), FBeta(), targets, values, np.repeat([0, 1], 4))
    >>> tuned.plain, tuned.nested, tuned.in_sample
    (0.0, 1.0, 1.0)
    """
    require_finite("out-of-fold predictions", values)
    nested, learned_of_parts = cross_fit(
        lambda rows: method.fit(targets[rows], values[rows], metric),
        lambda learned, rows: method.apply(values[rows], learned),
        parts,
    )
    learned = method.fit(targets, values, metric)
    return Tuned(
        method=method,
        metric=metric,
        learned=learned,
        learned_of_parts=learned_of_parts,
        plain=metric(targets, values),
        nested=metric(targets, nested),
        in_sample=metric(targets, method.apply(values, learned)),
    )


def tune_run(plan: Plan, oof: OutOfFold, console: Console) -> Tuned | None:
    """Tune the plan's post-processing on a run's out-of-fold rows, say what it is worth, and write postprocess.json.

    Returns:
        None where the plan has none.

    Raises:
        ValueError: a metric that it cannot serve, or predictions that are NaN or infinite.
    """
    method, metric = plan.postprocess, plan.metric
    if not isinstance(method, Postprocess):
        return None
    method.check(oof.task, metric)
    groups = read_groups(plan.folder, oof.ids if oof.pictures is None else oof.pictures)
    parts = crossfit_parts(oof.fold, oof.targets, groups, plan.fold_seed)
    console.say(
        f"postprocess={method.name}: learning on {len(parts)} out-of-fold rows, and without each part of them"
    )
    for finding in untaught(method, oof, parts):
        console.warn(finding)
    tuned = tune(method, metric, oof.targets, oof.values, parts)
    write_text(plan.folder / "postprocess.json", json_text(tuned.to_dict(oof.classes)))
    lines = [
        ["predictions as they are", f"{tuned.plain:.5f}"],
        ["learned on the other rows (nested)", f"{tuned.nested:.5f}"],
        ["learned on the same rows (in sample)", f"{tuned.in_sample:.5f}"],
    ]
    console.table(f"postprocess={method.name}", ["", metric.name], lines)
    if not better(tuned.nested, tuned.plain, metric):
        console.warn(
            f"postprocess={method.name} gains nothing on rows it was not learned from. The submission has it all the "
            f"same; one without: scripts/postprocess.py run={plan.folder} postprocess=none."
        )
    return tuned


def untaught(method: Postprocess, oof: OutOfFold, parts: np.ndarray) -> list[str]:
    """A sentence for each part outside which a class has no rows to learn from, and one for all rows together."""
    if not method.needs_positives(oof.task):
        return []
    findings = []
    for part in [None, *np.unique(parts).tolist()]:
        targets = oof.targets[parts != part] if part is not None else oof.targets
        rows = label_matrix(targets, len(oof.classes)).sum(axis=0)
        lacking = [oof.classes[position] for position in np.flatnonzero(rows == 0).tolist()]
        if lacking:
            where = "no out-of-fold row" if part is None else f"no row outside part {part}"
            findings.append(
                f"postprocess={method.name}: {where} has {', '.join(map(repr, lacking[:10]))}"
                f"{' …' if len(lacking) > 10 else ''}, so nothing is learned for it there and it keeps its default."
            )
        if part is None and lacking:
            break  # every part would say the same again
    return findings


def read_groups(folder: Path, ids: np.ndarray) -> np.ndarray | None:
    """The groups of these images by a run's folds.csv, str [N]; None where it has none."""
    folds = Folds.read(folder / "folds.csv")
    if folds.groups is None:
        return None
    rows = pd.Index(folds.ids).get_indexer(pd.Index(ids.astype(str)))
    assert (rows >= 0).all()
    return folds.groups[rows]


def require_finite(what: str, values: np.ndarray) -> None:
    """Refuse predictions from which no decision can be made.

    Raises:
        ValueError: NaN or infinite ones.
    """
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise ValueError(
            f"postprocess: {what} are NaN or infinite in {broken.sum()} of {len(values)} rows, the first is row "
            f"{broken.argmax()}. Predict again with trainer.precision=fp32, or train the run again."
        )
