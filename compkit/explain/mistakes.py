"""Which rows a network is most wrong about, and what to ask it about each."""

from typing import NamedTuple

import numpy as np

from compkit.types import Task

SMALLEST = 1e-7  # probabilities are kept this far from 0 and 1 before a logarithm
THRESHOLD = 0.5  # probability from which a label counts as predicted


class Question(NamedTuple):
    """What a map answers: what raises an output, or lowers it."""

    text: str
    column: int
    sign: float = 1.0


def output_losses(
    task: Task, targets: np.ndarray, values: np.ndarray, spread: np.ndarray | float = 1.0
) -> np.ndarray:
    """How wrong each output is that was asked for: one of multiclass, all of the others.

    Multiclass: -log of the true class's probability. Multilabel: binary cross-entropy of each label. Regression: the
    absolute error over `spread`.

    Args:
        task: what targets and values are.
        targets: int64 [N] for multiclass, else [N, C].
        values: probabilities or regression values, [N, C].
        spread: unit of the errors, [C]; read for regression only, where 0 counts as 1.

    Returns:
        [N, 1] or [N, C].

    >>> output_losses(Task.REGRESSION, np.array([[1.0], [3.0]]), np.array([[1.0], [2.5]])).tolist()
    [[0.0], [0.5]]
    """
    if task == Task.REGRESSION:
        return np.abs(values - targets) / np.where(np.asarray(spread) > 0, spread, 1)
    values = np.clip(values.astype(np.float64), SMALLEST, 1 - SMALLEST)
    if task == Task.MULTICLASS:
        return -np.log(values[np.arange(len(targets)), targets])[:, None]
    return -np.where(targets > THRESHOLD, np.log(values), np.log(1 - values))


def worst_rows(
    task: Task, targets: np.ndarray, values: np.ndarray, count: int, spread: np.ndarray | float = 1.0
) -> np.ndarray:
    """Positions of the worst mistakes, worst first, at most `count`; by the worst output of each row.

    Only rows that are called wrong are mistakes; in regression every row with an error is.

    Args:
        task, targets, values, spread: see `output_losses`.
        count: how many at most.

    >>> values = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    >>> worst_rows(Task.MULTICLASS, np.array([1, 1, 1]), values, count=5).tolist()
    [0, 1]
    """
    losses = output_losses(task, targets, values, spread).max(axis=1)
    if task == Task.MULTICLASS:
        wrong = values.argmax(axis=1) != targets
    else:
        wrong = losses > (-np.log(THRESHOLD) if task == Task.MULTILABEL else 0)
    order = np.argsort(-losses, kind="stable")
    return order[wrong[order]][:count]


def outputs_in_question(
    task: Task, targets: np.ndarray | None, values: np.ndarray, spread: np.ndarray | float = 1.0
) -> np.ndarray:
    """The output of each row that a mistake is about, int64 [N].

    The class that is predicted; the label or number that is most wrong. Where the truth is not known, the most
    probable label, and the first number.

    >>> outputs_in_question(Task.MULTILABEL, np.array([[1.0, 0.0]]), np.array([[0.9, 0.7]])).tolist()
    [1]
    """
    if task != Task.MULTICLASS and targets is not None:
        return output_losses(task, targets, values, spread).argmax(axis=1)
    return np.zeros(len(values), np.int64) if task == Task.REGRESSION else values.argmax(axis=1)


def questions(task: Task, target: np.ndarray | None, value: np.ndarray, column: int) -> list[Question]:
    """What to ask about one picture, always two questions; the texts take the output's name as {}.

    Args:
        task: decides what there is to ask.
        target: int64 [] of multiclass, not read else; None when it is not known.
        value: probabilities or regression values, [C].
        column: the output in question, for multilabel and regression.

    >>> [one.text for one in questions(Task.MULTICLASS, np.array(1), np.array([0.9, 0.1]), 0)]
    ['for {}, the prediction', 'for {}, the truth']
    """
    if task == Task.REGRESSION:
        return [Question("raises {}", column), Question("lowers {}", column, -1.0)]
    if task == Task.MULTILABEL:
        return [Question("for {}", column), Question("against {}", column, -1.0)]
    called, second = np.argsort(-value, kind="stable")[:2].tolist() if len(value) > 1 else (0, 0)
    first = Question("for {}, the prediction", called)
    if target is None or target == called:
        return [first, Question("for {}, the runner-up", second)]
    return [first, Question("for {}, the truth", int(target))]
