"""How well does a small tree tell the label from a few columns? Cross-validated, with its uncertainty."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from compkit.types import Task

DEPTH = 3  # of the trees: 8 leaves
PARTS = 5  # of the cross-validation
MOST_ROWS, ROWS_OF_ONE = 20_000, 5_000
MOST_OUTPUTS = 10  # labels, or numbers to predict, that are tried, the most frequent first
LEAST_ROWS = 10  # of a class that takes part
ERRORS = 3.0  # standard errors that a score must lie above its limit


class Skill(NamedTuple):
    """How much of what can be known the columns tell: 0 = nothing, 1 = all that a tree of eight leaves can say."""

    value: float
    error: float  # standard error
    score: str  # in the usual measure, as text
    column: str  # that the tree asks most

    @property
    def low(self) -> float:
        """What the skill is at least, three standard errors below its value."""
        return self.value - ERRORS * self.error


NONE = Skill(0.0, np.inf, "", "")  # could not be judged; of several skills never the best


def probe(
    columns: pd.DataFrame, targets: np.ndarray, task: Task, classes: tuple[str, ...], groups: np.ndarray
) -> Skill:
    """The skill of a tree of depth 3 that sees only these columns, of several labels the best.

    Args:
        columns: numbers, [N, F].
        targets: int64 [N], or float [N, C].
        task, classes: what the targets are.
        groups: rows of one are never in training and validation at once, int64 [N].

    >>> rows = np.arange(200)
    >>> columns = pd.DataFrame({"position": rows, "noise": rows * 7 % 11})
    >>> told = probe(columns, (rows >= 100).astype(np.int64), Task.MULTICLASS, ("cat", "dog"), rows)
    >>> round(told.value, 2), told.column, told.score
    (0.99, 'position', 'balanced accuracy 0.995, by chance 0.500')
    """
    columns, targets, groups = _some_rows(columns, targets, groups, MOST_ROWS)
    if columns.empty or len(np.unique(groups)) < 2 * PARTS:
        return NONE
    if task == Task.MULTICLASS:
        return _class_skill(columns, targets, groups, "")
    if task == Task.MULTILABEL:
        chosen = np.argsort(-np.minimum(targets.sum(0), len(targets) - targets.sum(0)), kind="stable")
        found = [
            _class_skill(columns, (targets[:, label] > 0.5).astype(np.int64), groups, f" of {classes[label]}")
            for label in chosen[:MOST_OUTPUTS]
        ]
    else:
        found = [
            _number_skill(columns, targets[:, place], groups, f" of {classes[place]}")
            for place in range(min(MOST_OUTPUTS, targets.shape[1]))
        ]
    return max(found, key=lambda skill: skill.low)


def probe_each_class(
    columns: pd.DataFrame, labels: np.ndarray, classes: tuple[str, ...], groups: np.ndarray
) -> Skill:
    """The best skill of telling one class from all others, which the mean over many classes hardly shows.

    Args:
        columns: numbers, [N, F].
        labels: exclusive classes, int64 [N].
        classes: their names.
        groups: rows of one are never in training and validation at once, int64 [N].

    >>> rows = np.arange(300)
    >>> columns = pd.DataFrame({"width": np.where(rows % 10 == 4, 20.0, 30.0)})
    >>> told = probe_each_class(columns, rows % 10, tuple("abcdefghij"), rows)
    >>> round(told.value, 2), told.score
    (1.0, 'balanced accuracy of e 1.000, by chance 0.500')
    """
    columns, labels, groups = _some_rows(columns, labels, groups, ROWS_OF_ONE)
    counts = np.bincount(labels, minlength=len(classes))
    if columns.empty or len(np.unique(groups)) < 2 * PARTS or (counts > 0).sum() < 3:
        return NONE
    chosen = np.argsort(-counts, kind="stable")[:MOST_OUTPUTS]
    found = [
        _class_skill(columns, (labels == label).astype(np.int64), groups, f" of {classes[label]}")
        for label in chosen
    ]
    return max(found, key=lambda skill: skill.low)


def _some_rows(
    columns: pd.DataFrame, targets: np.ndarray, groups: np.ndarray, most: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """At most so many rows, of the columns that change."""
    columns = columns.loc[:, columns.nunique() > 1]
    if len(columns) <= most:
        return columns, targets, groups
    drawn = np.random.default_rng(0).choice(len(columns), most, replace=False)
    return columns.iloc[drawn], targets[drawn], groups[drawn]


def neighbour_skill(agree: np.ndarray, chance: float) -> Skill:
    """How much more often than by chance a row's label is that of the next row.

    Args:
        agree: of pairs of neighbours of different groups, bool [P].
        chance: how often two rows drawn at random agree.
    """
    if len(agree) < LEAST_ROWS or chance > 0.99:
        return NONE
    share, spread = float(agree.mean()), np.sqrt(chance * (1 - chance) / len(agree))
    return Skill(
        (share - chance) / (1 - chance),
        float(spread / (1 - chance)),
        f"the next row has the same label in {share:.1%}, by chance in {chance:.1%}",
        "the row before",
    )


def _class_skill(columns: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, of: str) -> Skill:
    """Balanced accuracy, from chance (0) to the best that eight leaves can reach (1)."""
    counts = np.bincount(labels)
    rows = counts[labels] >= LEAST_ROWS
    kept = np.unique(labels[rows])
    if len(kept) < 2 or len(np.unique(groups[rows])) < 2 * PARTS:
        return NONE
    columns, labels, groups = columns[rows], labels[rows], groups[rows]
    tree = DecisionTreeClassifier(max_depth=DEPTH, class_weight="balanced", random_state=0)
    called, column = _out_of_fold(tree, columns, labels, groups)
    recall = np.array([(called[labels == label] == label).mean() for label in kept])
    # pictures of one patient are no independent evidence
    independent = np.array([len(np.unique(groups[labels == label])) for label in kept])
    chance, ceiling = 1 / len(kept), min(2**DEPTH, len(kept)) / len(kept)
    # a recall of exactly 0 or 1 has some uncertainty too: one more hit and one more miss
    share = (recall * independent + 1) / (independent + 2)
    error = np.sqrt((share * (1 - share) / (independent + 2)).sum()) / len(kept)
    return Skill(
        float(recall.mean() - chance) / (ceiling - chance),
        float(error) / (ceiling - chance),
        f"balanced accuracy{of} {recall.mean():.3f}, by chance {chance:.3f}",
        column,
    )


def _number_skill(columns: pd.DataFrame, values: np.ndarray, groups: np.ndarray, of: str) -> Skill:
    """The share of the variance that the tree explains."""
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAST_ROWS // 2, random_state=0)
    told, column = _out_of_fold(tree, columns, values, groups)
    plain, rest = (values - values.mean()) ** 2, (values - told) ** 2
    if not plain.any():
        return NONE
    gain = pd.Series(plain - rest).groupby(groups).sum().to_numpy() / plain.sum()
    value = float(gain.sum())
    return Skill(
        value,
        float(gain.std() * np.sqrt(len(gain))),
        f"explained variance{of} {value:.3f}, by chance 0",
        column,
    )


def _out_of_fold(
    tree: DecisionTreeClassifier | DecisionTreeRegressor,
    columns: pd.DataFrame,
    targets: np.ndarray,
    groups: np.ndarray,
) -> tuple[np.ndarray, str]:
    """What trees that have not seen a row say of it, and the column they ask most."""
    values, told = columns.to_numpy(float), np.zeros_like(targets)
    weight = np.zeros(values.shape[1])
    for train, valid in GroupKFold(PARTS, shuffle=True, random_state=0).split(values, groups=groups):
        tree.fit(values[train], targets[train])
        told[valid] = tree.predict(values[valid])
        weight += tree.feature_importances_
    return told, str(columns.columns[int(weight.argmax())])
