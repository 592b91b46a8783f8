"""Several predictions of the same picture become one."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compkit.types import Task

MEANS = ("probability", "logit", "geometric")


def activate(logits: Tensor, task: Task) -> np.ndarray:
    """Logits to what is written down: probabilities, or the regression values themselves, float32 [N, C].

    >>> activate(torch.zeros(1, 2), Task.MULTICLASS)
    array([[0.5, 0.5]], dtype=float32)
    """
    if task == Task.MULTICLASS:
        logits = logits.softmax(dim=1)
    elif task == Task.MULTILABEL:
        logits = logits.sigmoid()
    return logits.numpy()


def average_views(logits: Tensor, weights: Sequence[float], task: Task, mean: str) -> np.ndarray:
    """The weighted mean of what M views (or models) say.

    A mean of equal logits gives the bits of a single one: it is taken in float64, whose rounding is lost again in
    float32, of what `activate` works on or gives.

    Args:
        logits: float32 [M, N, C], on the CPU.
        weights: M numbers > 0; only their ratios count.
        task: decides the activation.
        mean: `probability`: of probabilities (of values in regression). `logit`: the activation of the mean logits.
            `geometric`: the geometric mean of probabilities; for exclusive classes it is normalised to sum 1 again,
            which makes it the softmax of the mean logits.

    Returns:
        probabilities or regression values, float32 [N, C].

    >>> views = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    >>> average_views(views, [1, 1], Task.MULTICLASS, "probability").round(3)
    array([[0.69, 0.31]], dtype=float32)
    >>> average_views(views, [1, 1], Task.MULTICLASS, "logit").round(3)
    array([[0.731, 0.269]], dtype=float32)
    """
    if mean == "logit" or (mean == "geometric" and task == Task.MULTICLASS):
        return activate(torch.from_numpy(_weighted_mean(list(logits.numpy()), weights)), task)
    values = [activate(one, task) for one in logits]
    if mean == "geometric":
        with np.errstate(divide="ignore"):  # a probability of 0 stays 0
            logs = [np.log(one.astype(np.float64)) for one in values]
        return np.exp(_weighted_mean(logs, weights, np.float64)).astype(np.float32)
    return _weighted_mean(values, weights)


def _weighted_mean(
    values: Sequence[np.ndarray], weights: Sequence[float], dtype: type = np.float32
) -> np.ndarray:
    total = np.zeros_like(values[0], dtype=np.float64)
    for one, weight in zip(values, weights, strict=True):
        total += float(weight) * one.astype(np.float64)
    return (total / sum(float(weight) for weight in weights)).astype(dtype)
