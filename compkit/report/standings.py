"""All runs of a competition, read from their folders and the ledger; what cannot be read is listed as such."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compkit.files import file_hash
from compkit.kaggle import LedgerRow, read_ledger
from compkit.report.changes import Settings, changes, read_settings
from compkit.results import cv_of

# a folder with one of these is a run's, be it a torn one; `folds` and `lr_find` have none
MARKS = ("config.yaml", "metrics.json", "oof.parquet", "submission.csv", "fold_*")


@dataclass(frozen=True)
class Standing:
    """One run's line of the leaderboard.

    Attributes:
        name: of its folder.
        folder: where it lies.
        kind: trained, or the command that made it of others: ensemble, stack, soup, predict …
        state: finished, unfinished or damaged.
        why: what is missing or damaged.
        metric: name of the competition's metric.
        greater_is_better: its direction.
        cv: pooled out-of-fold score.
        mean, std: of the folds.
        nested, in_sample: as in LedgerRow, and the flattering score of the rows that were learned from.
        public, private: the scores on the leaderboard of the submission.csv that lies in the folder.
        lb_note: what is to be known of them: pending, error, or that they are of an earlier file.
        seconds: of training, all folds together; of the work on the folds for a run made of runs.
        images_per_second: of training, mean of folds.
        parent: the run that `changes` is against.
        changes: settings that differ from the parent's, such as lr=0.01.
        fold_hash: of its split.
        folds: the folds it has scores of.
        fold_scores: of the same folds; None where one could not be computed.
        image_size, seed: settings of the run, as text.
        scores_of: the run whose scores these are, for one that was trained on all rows.
        comparable: whether its score may be set against the others': same metric, folds and number of them.
    """

    name: str
    folder: Path
    kind: str
    state: str
    why: str = ""
    metric: str = ""
    greater_is_better: bool = True
    cv: float | None = None
    mean: float | None = None
    std: float | None = None
    nested: float | None = None
    in_sample: float | None = None
    public: float | None = None
    private: float | None = None
    lb_note: str = ""
    seconds: float | None = None
    images_per_second: float | None = None
    parent: str = ""
    changes: tuple[str, ...] = ()
    fold_hash: str = ""
    folds: tuple[int, ...] = ()
    fold_scores: tuple[float | None, ...] = ()
    image_size: str = ""
    seed: str = ""
    scores_of: str = ""
    comparable: bool = False

    @property
    def score(self) -> float | None:
        """The honest score of what it submits: nested where it applies."""
        return self.cv if self.nested is None else self.nested

    @property
    def gap(self) -> float | None:
        """CV − LB, None unless both are known of the same file."""
        known = self.score is not None and self.public is not None and not self.lb_note
        return self.score - self.public if known else None  # type: ignore[operator]

    @property
    def has_submission(self) -> bool:
        """Whether it can be submitted."""
        return (self.folder / "submission.csv").is_file()


def read_standings(folder: Path) -> list[Standing]:
    """Every run below a competition's folder, by name.

    Args:
        folder: outputs/<competition>.

    Raises:
        FileNotFoundError: no such folder, or no run in it.
        ValueError: the ledger is damaged. A damaged run is none: it is listed.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder. Set competition= to a name below output_dir, or folder=outputs/<competition>."
        )
    runs = sorted(one for one in folder.iterdir() if one.is_dir() and any(_marks(one)))
    if not runs:
        raise FileNotFoundError(
            f"{folder}: has no runs. Train one first, python train.py competition=…, or set folder= to another folder."
        )
    settings = {run.name: read_settings(run) for run in runs}
    ledger = read_ledger(folder / "ledger.csv")
    return compared([_read(run, settings, ledger) for run in runs])


def compared(standings: Sequence[Standing]) -> list[Standing]:
    """With `comparable` set: those with the metric, the split and the folds that most of the runs have.

    >>> runs = [Standing(name, Path(name), "trained", "finished", cv=0.5, metric="f1", fold_hash=split, folds=(0, 1))
    ...         for name, split in [("a", "x"), ("b", "y"), ("c", "y")]]
    >>> [one.comparable for one in compared(runs)]
    [False, True, True]
    """
    scored = [one for one in standings if one.score is not None and not one.scores_of]
    groups = Counter((one.metric, one.fold_hash) for one in scored)
    if not groups:
        return list(standings)
    main = max(groups, key=groups.__getitem__)
    most = max(len(one.folds) for one in scored if (one.metric, one.fold_hash) == main)
    return [
        replace(one, comparable=one in scored and (*_group(one), len(one.folds)) == (*main, most))
        for one in standings
    ]


def _group(one: Standing) -> tuple[str, str]:
    return one.metric, one.fold_hash


def _marks(run: Path) -> list[Path]:
    return [path for mark in MARKS for path in run.glob(mark)]


def _read(run: Path, settings: dict[str, Settings | None], ledger: Sequence[LedgerRow]) -> Standing:
    own = settings[run.name]
    if own is None:
        return Standing(
            run.name, run, "unknown", "damaged", "config.yaml is not there, or is no settings of a run"
        )
    parent, differing = changes(run.name, settings)
    size, seed = (str(own.config.get(key, "")) for key in ("image_size", "seed"))
    standing = Standing(
        run.name, run, own.kind, "unfinished", parent=parent, changes=differing, image_size=size, seed=seed
    )
    standing = _with_lb(standing, ledger)
    path = run / "metrics.json"
    if not path.is_file():
        return replace(standing, why=_progress(run, own))
    try:
        return _with_scores(standing, json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError:
        return replace(standing, state="damaged", why="metrics.json is no whole JSON")
    except KeyError as error:
        return replace(standing, state="damaged", why=f"metrics.json lacks {error}")
    except (ValueError, TypeError, AttributeError) as error:
        return replace(standing, state="damaged", why=f"metrics.json: {error}")


def _progress(run: Path, settings: Settings) -> str:
    if settings.config.get("full_data"):
        return "trained on all rows: no score"
    done = len([*run.glob("fold_*/scores.json")])
    epochs = len([*run.glob("fold_*/history.csv")])
    return f"folds done: {done}" + (", one under way" if epochs > done else "")


def _with_scores(standing: Standing, metrics: dict[str, Any]) -> Standing:
    """The run with what metrics.json says.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is not what a run writes.
    """
    name, cv, nested = cv_of(metrics)
    tuned = metrics.get("postprocess", {}).get("in_sample")
    in_sample = tuned if tuned is not None else metrics.get("in_sample", {}).get(name)
    folds = metrics["folds"]
    speeds = [one["images_per_second"] for one in folds if one.get("images_per_second")]
    seconds = [one["seconds"] for one in folds if "seconds" in one]
    return replace(
        standing,
        state="finished",
        metric=str(name),
        greater_is_better=bool(metrics["greater_is_better"]),
        cv=_number(cv),
        mean=_number(metrics["mean"].get(name)),
        std=_number(metrics["std"].get(name)) if len(folds) > 1 else None,
        nested=_number(nested),
        in_sample=_number(in_sample),
        seconds=float(sum(seconds)) if seconds else None,
        images_per_second=float(np.mean(speeds)) if speeds else None,
        fold_hash=str(metrics["fold_hash"]),
        folds=tuple(int(one["fold"]) for one in folds),
        fold_scores=tuple(_number(one["best"].get(name)) for one in folds),
        scores_of=str(metrics.get("scores_of") or ""),
    )


def _with_lb(standing: Standing, ledger: Sequence[LedgerRow]) -> Standing:
    """The run with the newest scores of its present submission.csv, else with those of an earlier one, marked."""
    file = standing.folder / "submission.csv"
    rows = [row for row in ledger if row.run == standing.name]
    if file.is_file():
        sha256 = file_hash(file)
        same = [row for row in ledger if row.sha256 == sha256]
    else:
        same = rows
    scored = [row for row in same if row.status == "complete"]
    if scored or same:
        row = (scored or same)[-1]
        note = "" if row.status == "complete" else row.status
    elif rows:
        row, note = rows[-1], "of an earlier file"
    else:
        return standing
    return replace(standing, public=row.lb_public, private=row.lb_private, lb_note=note)


def _number(value: Any) -> float | None:
    """A score; None where it could not be computed."""
    return float(value) if value is not None and math.isfinite(value) else None
