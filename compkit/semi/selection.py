"""Predictions of unlabelled pictures to labels: which are sure enough to learn from, and how sharp they become."""

import math
from dataclasses import dataclass

import numpy as np

from compkit.ranges import one_of, positive
from compkit.types import Task

KINDS = ("hard", "soft")
CONFIDENCES = ("weakest", "mean")
QUANTILES = (0.1, 0.5, 0.9, 1.0)


def confidence(values: np.ndarray, task: Task, rule: str = "weakest") -> np.ndarray:
    """How sure a prediction is of the label it leads to, float64 [N].

    One class: the probability of the likeliest. Several labels: each is as sure as max(p, 1 - p), and the picture
    as its `weakest` label or as their `mean`. Numbers tell nothing of that: 1 throughout.

    >>> confidence(np.array([[0.1, 0.9]]), Task.MULTICLASS), confidence(np.array([[0.25, 1.0]]), Task.MULTILABEL)
    (array([0.9]), array([0.75]))
    """
    if task == Task.REGRESSION:
        return np.ones(len(values))
    wide = values.astype(np.float64)
    if task == Task.MULTICLASS:
        return wide.max(axis=1)
    sure = np.maximum(wide, 1 - wide)
    return sure.min(axis=1) if rule == "weakest" else sure.mean(axis=1)


def choose_rows(
    sure: np.ndarray,
    classes: np.ndarray | None,
    threshold: float,
    at_most: float,
    shares: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Positions of the pictures to learn from, the surest first, int64 [K].

    Of those at least as sure as the threshold, M = at_most or fewer; of class c no more than shares[c] * M, rounded up.

    Args:
        sure: confidence of each picture, [N].
        classes: its likeliest class, int64 [N]; None without `shares`.
        threshold: lowest confidence that is kept.
        at_most: how many pictures to keep, or infinity.
        shares: the largest share of each class, [C], usually above the class's own; None is no limit.
        rng: decides among pictures that are equally sure; their order may tell their class.

    >>> rng = np.random.default_rng(0)
    >>> sure, classes = np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1])
    >>> choose_rows(sure, classes, 0.5, math.inf, np.array([0.5, 0.5]), rng).tolist()
    [0, 1, 3]
    """
    shuffled = rng.permutation(len(sure))
    order = shuffled[np.argsort(-sure[shuffled], kind="stable")]
    order = order[sure[order] >= threshold]
    room = math.floor(min(at_most, len(order)))
    if shares is not None:
        assert classes is not None
        # 0.07 * 100 is 7.000000000000001, of which the ceiling would be 8
        quotas = np.ceil(np.round(shares * room, 9))
        of_class = classes[order]
        place = np.empty(len(order), dtype=np.int64)  # among the surest of its class, 0 the first
        for one in np.unique(of_class):
            place[of_class == one] = np.arange((of_class == one).sum())
        order = order[place < quotas[of_class]]
    return order[:room]


def sharpened(values: np.ndarray, task: Task, temperature: float) -> np.ndarray:
    """Probabilities to the power of 1 / temperature, made to sum to 1 again; float32 [N, C].

    Below 1 it sharpens, 1 leaves them alone. Several labels: each against its absence.

    Source: Berthelot et al. 2019, arXiv:1905.02249, eq. 7.

    >>> sharpened(np.array([[0.25, 0.75]]), Task.MULTICLASS, temperature=0.5).round(4).tolist()
    [[0.10000000149011612, 0.8999999761581421]]
    """
    wide = values.astype(np.float64)
    if task == Task.MULTICLASS:
        # the largest becomes 1 first: powers of small numbers alone would vanish
        powers = (wide / wide.max(axis=1, keepdims=True)) ** (1 / temperature)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    largest = np.maximum(wide, 1 - wide)
    present, absent = (wide / largest) ** (1 / temperature), ((1 - wide) / largest) ** (1 / temperature)
    return (present / (present + absent)).astype(np.float32)


def hardened(values: np.ndarray, task: Task) -> np.ndarray:
    """The likeliest class, or each label above 0.5, as 0 and 1, float32 [N, C]; numbers stay as they are.

    >>> hardened(np.array([[0.2, 0.8]]), Task.MULTICLASS), hardened(np.array([[0.5, 0.8]]), Task.MULTILABEL)
    (array([[0., 1.]], dtype=float32), array([[0., 1.]], dtype=float32))
    """
    if task == Task.MULTICLASS:
        return np.eye(values.shape[1], dtype=np.float32)[values.argmax(axis=1)]
    return (values > 0.5).astype(np.float32) if task == Task.MULTILABEL else values.astype(np.float32)


def share_right(values: np.ndarray, truth: np.ndarray, task: Task) -> np.ndarray:
    """Whether each picture's label is right, or the share of its labels that are, float64 [N].

    Args:
        values: predictions, [N, C].
        truth: int64 [N], or 0 and 1, [N, C].

    >>> share_right(np.array([[0.9, 0.1]]), np.array([[1, 1]]), Task.MULTILABEL)
    array([0.5])
    """
    if task == Task.MULTICLASS:
        return (values.argmax(axis=1) == truth).astype(np.float64)
    return ((values > 0.5) == (truth > 0.5)).mean(axis=1)


def expected_right(values: np.ndarray, task: Task) -> np.ndarray:
    """What `share_right` would be on average if the probabilities were right, float64 [N].

    >>> expected_right(np.array([[0.9, 0.4]]), Task.MULTILABEL)
    array([0.75])
    """
    return confidence(values, task, "mean")


@dataclass(frozen=True)
class Selection:
    """Which predictions become labels, and which kind of labels; conf/pseudo_label.yaml explains each key.

    Raises:
        ValueError: a value out of range, or two that do not go together.

    >>> Selection(kind="soft", sharpen=1).sharpen
    1.0
    """

    confidence: str = "weakest"
    kind: str = "hard"
    sharpen: float = 1.0
    max_share: float | None = None
    balance: float | None = None

    def __post_init__(self) -> None:
        one_of("confidence", self.confidence, CONFIDENCES)
        one_of("kind", self.kind, KINDS)
        object.__setattr__(self, "sharpen", positive("sharpen", self.sharpen, "0.5"))
        for key, usual in (("max_share", "1"), ("balance", "1.5")):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, positive(key, getattr(self, key), usual))
        if self.kind == "hard" and self.sharpen != 1:
            raise ValueError(f"sharpen={self.sharpen:g}: hard labels are as sharp as can be. Set kind=soft.")

    def check_task(self, task: Task) -> None:
        """Refuse what the task has no meaning for."""
        if task != Task.MULTICLASS and self.balance is not None:
            raise ValueError(
                f"balance={self.balance:g}: needs exactly one class a picture, but the task is {task}. "
                "Set balance=null."
            )
        if task == Task.REGRESSION and self.kind == "soft":
            raise ValueError("kind=soft: numbers are neither hard nor soft. Set kind=hard.")

    def choose(
        self,
        values: np.ndarray,
        task: Task,
        threshold: float | None,
        labels: np.ndarray,
        rng: np.random.Generator,
        part: float = 1.0,
    ) -> np.ndarray:
        """Positions of the pictures to learn from, in rising order, int64 [K].

        Args:
            values: predictions, [N, C].
            task: which decides what confidence is.
            threshold: lowest confidence that is kept; None keeps all.
            labels: of the labelled rows that the student learns from, int64 [L] or [L, C].
            rng: decides among the equally sure.
            part: how much of `max_share` these pictures may fill, in (0, 1].
        """
        at_most = math.inf if self.max_share is None else self.max_share * len(labels) * part
        shares, classes = None, None
        if self.balance is not None:
            shares = self.balance * np.bincount(labels, minlength=values.shape[1]) / len(labels)
            classes = values.argmax(axis=1)
        sure = confidence(values, task, self.confidence)
        chosen = choose_rows(
            sure, classes, -math.inf if threshold is None else threshold, at_most, shares, rng
        )
        return np.sort(chosen)

    def labels(self, values: np.ndarray, task: Task) -> np.ndarray:
        """What is learnt of these predictions, float32 [N, C]."""
        return hardened(values, task) if self.kind == "hard" else sharpened(values, task, float(self.sharpen))


def quantiles_text(sure: np.ndarray) -> str:
    """How sure predictions are, in words.

    >>> quantiles_text(np.array([0.2, 0.4, 0.6]))
    '10 % below 0.240, 50 % below 0.400, 90 % below 0.560, the surest 0.600'
    """
    *lower, top = np.quantile(sure, QUANTILES)
    parts = [
        f"{share:.0%} below {value:.3f}".replace("%", " %")
        for share, value in zip(QUANTILES, lower, strict=False)
    ]
    return ", ".join([*parts, f"the surest {top:.3f}"])
