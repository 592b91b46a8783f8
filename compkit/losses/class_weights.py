"""Weights that let rare classes count more."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compkit.ranges import below_one

KINDS = ("inverse_frequency", "effective_number")


def class_weights(kind: str, class_counts: np.ndarray, beta: float = 0.999) -> np.ndarray:
    """Weights of classes from their numbers of samples, with mean 1 over the classes that occur.

    inverse_frequency: w_c in proportion to 1 / n_c. effective_number: to (1 - beta) / (1 - beta^n_c),
    which stops growing for large classes: beta 0 is no weights, beta near 1 inverse frequency.

    A class without samples gets 1, the mean: its label is still learnt as absent, and a validation
    image of it has a finite loss.

    Args:
        kind: inverse_frequency or effective_number.
        class_counts: training samples of each class, or with each label, [C].
        beta: of effective_number, in [0, 1).

    Returns:
        float64 [C].

    Source: Cui et al. 2019, arXiv:1901.05555, eq. 2 and section 4.2.

    >>> class_weights("inverse_frequency", np.array([30, 10, 0]))
    array([0.5, 1.5, 1. ])
    """
    assert kind in KINDS, kind
    counts = np.asarray(class_counts, dtype=np.float64)
    present = counts > 0
    assert present.any(), "no class has a sample"
    amount = counts[present] if kind == "inverse_frequency" else 1 - beta ** counts[present]
    weights = np.ones_like(counts)
    weights[present] = (1 / amount) / np.mean(1 / amount)
    return weights


def given_weights(key: str, weights: Sequence[float], num_classes: int | None) -> Tensor:
    """A list of weights from the config as float32 [C].

    Args:
        key: what the user typed, for the message.
        weights: one number a class.
        num_classes: C; None does not check the length.

    Raises:
        ValueError: another length, or a weight that is no number above 0.

    >>> given_weights("loss.class_weight", [1, 2], num_classes=2)
    tensor([1., 2.])
    """
    if num_classes is not None and len(weights) != num_classes:
        raise ValueError(f"{key}: {len(weights)} weights given for {num_classes} classes; give one for each.")
    if not all(isinstance(weight, int | float) and 0 < weight < np.inf for weight in weights):
        raise ValueError(f"{key}: got {weights!r}; expected a list of numbers above 0.")
    return torch.tensor(weights, dtype=torch.float32)


def resolve_class_weight(
    class_weight: str | Sequence[float] | None, class_counts: np.ndarray | None, beta: float
) -> Tensor | None:
    """The weights meant by `loss.class_weight`, float32 [C]; None stays None.

    Raises:
        ValueError: an unknown name, a name without class_counts, beta outside [0, 1); see given_weights.

    >>> resolve_class_weight("inverse_frequency", np.array([30, 10]), beta=0.999)
    tensor([0.5000, 1.5000])
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, str):
        return given_weights(
            "loss.class_weight", class_weight, None if class_counts is None else len(class_counts)
        )
    if class_weight not in KINDS:
        raise ValueError(
            f"loss.class_weight: got {class_weight!r}; expected null, one number a class, or one of "
            f"{', '.join(KINDS)}."
        )
    if class_counts is None:
        raise ValueError(
            f"loss.class_weight: {class_weight} needs the samples of each class; give class_counts, or the "
            "weights as a list."
        )
    beta = below_one("loss.beta", beta, "0.999")
    return torch.from_numpy(class_weights(class_weight, class_counts, beta)).float()
