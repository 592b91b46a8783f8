"""What rules must know of a fold beside its history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compkit.diagnosis.loss_terms import Term, main_term, prior_loss, seen_shares
from compkit.diagnosis.priors import Labels
from compkit.diagnosis.scores import judged_by, score_error
from compkit.types import Task


@dataclass(frozen=True)
class FoldFacts:
    """A fold's size, aims and reference values.

    Attributes:
        fold: its number.
        task: of the competition.
        epochs: planned.
        is_over: training has ended, be it early.
        metric, greater_is_better: of the score that chooses the epoch.
        train_rows, val_rows: of the fold.
        val_class_rows: validation rows of each class or with each label, [C]; None where not known.
        term, term_weight: column of history.csv with the loss that `prior` belongs to, and what it is multiplied by.
        prior: loss of the best answer that looks at no picture, on the training rows; None where it has no meaning.
        prior_is_exact: false where it was estimated from other rows.
        valid_prior: the same on the validation rows.
        judged_by, chance: a metric with a known score of guessing, and that score; "" and None without one.
        classes: of a multiclass task trained by plain cross-entropy, by which a loss limits the errors; else None.
        smoothing: of its labels.
        is_mixed: training pictures are mixed, so that their loss cannot get small.
        frozen_epochs: first epochs in which the backbone is not trained.
        anneals: the schedule lowers the rate by itself later on.
        stops_early: training ends by itself when the score no longer gets better.
    """

    fold: int
    task: Task
    epochs: int
    is_over: bool
    metric: str
    greater_is_better: bool
    train_rows: int
    val_rows: int
    val_class_rows: np.ndarray | None = None
    term: str = "train_loss"
    term_weight: float = 1.0
    prior: float | None = None
    prior_is_exact: bool = True
    valid_prior: float | None = None
    judged_by: str = ""
    chance: float | None = None
    classes: int | None = None
    smoothing: float = 0.0
    is_mixed: bool = False
    frozen_epochs: int = 0
    anneals: bool = True
    stops_early: bool = False

    def error_of(self, score: float, name: str | None = None) -> float | None:
        """Standard error of a validation score, of the choosing metric unless another is named; see `score_error`."""
        if not self.val_rows:
            return None
        return score_error(name or self.metric, score, self.val_rows, self.val_class_rows)


def gather_facts(
    config: Mapping[str, Any],
    fold: int,
    metric: str,
    greater_is_better: bool,
    train: Labels,
    valid: Labels,
    scored: Sequence[str],
    is_over: bool,
    exact: bool = True,
) -> FoldFacts:
    """The facts of a fold, from the run's settings and the labels of its rows.

    Args:
        config: of the run, resolved, as in config.yaml.
        fold: its number.
        metric: that chooses the epoch.
        greater_is_better: whether that metric is better higher.
        train, valid: labels of the fold's training and validation rows.
        scored: names of all metrics in its history.
        is_over: training has ended.
        exact: whether `train` describes the training rows themselves rather than others like them.
    """
    counts = None if train.shares is None else np.round(train.shares * train.rows).astype(np.int64)
    term = main_term(config)
    seen = seen_shares(config.get("sampler") or {"_target_": "Shuffle"}, train)
    prior = None if term is None or seen is None else prior_loss(term.loss, seen, counts)
    valid_prior = (
        None if term is None or term.column != "train_loss" else prior_loss(term.loss, valid, counts)
    )
    judged = judged_by(metric, scored, valid)
    finetune, schedule = config.get("finetune") or {}, config.get("schedule") or {}
    return FoldFacts(
        fold=fold,
        task=train.task,
        epochs=int(config["epochs"]),
        is_over=is_over,
        metric=metric,
        greater_is_better=greater_is_better,
        train_rows=train.rows,
        val_rows=valid.rows,
        val_class_rows=None if valid.shares is None else np.round(valid.shares * valid.rows),
        term="train_loss" if term is None else term.column,
        term_weight=1.0 if term is None else term.weight,
        prior=prior if prior else None,  # 0: all labels are equal, and there is nothing to learn
        prior_is_exact=exact,
        valid_prior=valid_prior if valid_prior else None,
        judged_by=judged[0] if judged else "",
        chance=judged[1] if judged else None,
        classes=_classes(term, train),
        smoothing=float(term.loss.get("smoothing") or 0.0) if term is not None else 0.0,
        is_mixed="mixup_alpha" in (config.get("mixing") or {}),
        frozen_epochs=int(finetune.get("freeze_backbone_epochs") or 0),
        stops_early=(config.get("trainer") or {}).get("early_stopping_epochs") is not None,
        anneals=not str(schedule.get("_target_", "")).endswith(".Constant"),
    )


def _classes(term: Term | None, train: Labels) -> int | None:
    """Number of classes where each sample costs plain cross-entropy."""
    if term is None or train.shares is None or train.task != Task.MULTICLASS:
        return None
    return len(train.shares) if term.loss.get("class_weight") is None else None
