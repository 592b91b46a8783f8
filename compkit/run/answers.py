"""Truths and predictions as they are shown beside pictures and points."""

from typing import Any

import numpy as np

from compkit.types import Task

PRESENT = ("absent", "present")  # of a label
THRESHOLD = 0.5  # probability from which a label counts as predicted


def answer(
    task: Task, target: np.ndarray | None, value: np.ndarray, column: int, classes: tuple[str, ...]
) -> dict[str, Any]:
    """What is said of one output of a picture, and what is true, as plain values.

    Args:
        task: decides what there is to say.
        target: of the picture; None where it is not known.
        value: probabilities or regression values, [C].
        column: the output in question.
        classes: names of the C outputs.

    Returns:
        output (its name), truth (None where not known), prediction, and probability (None for regression).

    >>> answer(Task.MULTILABEL, np.array([1.0, 0.0]), np.array([0.25, 0.5]), 0, ("cat", "dog"))
    {'output': 'cat', 'truth': 'present', 'prediction': 'absent', 'probability': 0.25}
    """
    said = float(value[column])
    if task == Task.MULTICLASS:
        truth = None if target is None else classes[int(target)]
        return {"output": classes[column], "truth": truth, "prediction": classes[column], "probability": said}
    if task == Task.MULTILABEL:
        truth = None if target is None else PRESENT[int(target[column] > THRESHOLD)]
        prediction = PRESENT[int(said >= THRESHOLD)]
        return {"output": classes[column], "truth": truth, "prediction": prediction, "probability": said}
    known = None if target is None else float(target[column])
    return {"output": classes[column], "truth": known, "prediction": said, "probability": None}


def true_names(task: Task, targets: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Targets [N] or [N, C] as they are shown, [N]: names of classes, labels joined by commas, the first number.

    >>> true_names(Task.MULTILABEL, np.array([[1.0, 1.0], [0.0, 0.0]]), ("cat", "dog")).tolist()
    ['cat, dog', 'none']
    """
    if task == Task.MULTICLASS:
        return np.array(classes, dtype=object)[targets]
    if task == Task.REGRESSION:
        return targets[:, 0].astype(np.float64)
    joined = [", ".join(np.array(classes)[row > THRESHOLD]) or "none" for row in targets]
    return np.array(joined, dtype=object)


def predicted_names(task: Task, values: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Predictions [N, C] as `true_names` shows targets, [N].

    >>> predicted_names(Task.MULTICLASS, np.array([[0.2, 0.8]]), ("cat", "dog")).tolist()
    ['dog']
    """
    if task == Task.MULTICLASS:
        return true_names(task, values.argmax(axis=1), classes)
    decided = values if task == Task.REGRESSION else (values >= THRESHOLD).astype(np.float32)
    return true_names(task, decided, classes)
