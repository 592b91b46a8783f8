"""Which part of a run's loss has a known value without looking, and that value."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from compkit import losses, models
from compkit.diagnosis.priors import Labels, binary_prior, cross_entropy_prior, error_prior
from compkit.losses.class_weights import resolve_class_weight
from compkit.types import Task

SAMPLERS = {
    "Shuffle": 0.0,
    "PKSampler": 1.0,
}  # how far towards equal classes, as the power of FrequencySampler


class Term(NamedTuple):
    """The part of the training loss whose value without looking is known.

    Attributes:
        column: of history.csv that holds it.
        weight: that is multiplied into the column.
        loss: the settings of its loss, as in config.yaml.
    """

    column: str
    weight: float
    loss: Mapping[str, Any]


def main_term(config: Mapping[str, Any]) -> Term | None:
    """The term to hold against `prior_loss`; None where labels, logits or weights are not those of the table.

    Margin heads, teachers, pseudo-labels and unknown losses change what the loss is of a network that knows nothing.
    """
    if _may_have_margin((config.get("model") or {}).get("head") or {}):
        return None
    semi = config.get("semi") or {}
    if config.get("pseudo_labels") is not None or _name(semi) not in ("", "LabelsAlone"):
        return None
    loss, has_more = config["loss"], bool(config.get("auxiliary"))
    if _name(loss) != "WeightedSum":
        return Term("train_target" if has_more else "train_loss", 1.0, loss) if has_prior(loss) else None
    known = [name for name, one in loss["terms"].items() if one is not None and has_prior(one)]
    weights = {name: float((loss.get("weights") or {}).get(name, 1.0)) for name in known}
    known = [name for name in known if weights[name] > 0]
    if not known:
        return None
    alone = sum(one is not None for one in loss["terms"].values()) == 1 and not has_more
    return Term("train_loss" if alone else f"train_{known[0]}", weights[known[0]], loss["terms"][known[0]])


def _may_have_margin(head: Mapping[str, Any]) -> bool:
    """Whether the head's logits in training are others than in evaluation, or it is somebody's own."""
    if not head:  # a network that is all its own
        return False
    return not _is_ours(head, models) or getattr(models, _name(head)).has_margin


def has_prior(loss: Mapping[str, Any]) -> bool:
    """Whether `prior_loss` knows this loss: means of cross-entropies or of errors, all samples counted."""
    reduce = loss.get("reduce")
    counts_all = not reduce or _name(reduce) == "Mean"
    return counts_all and _is_ours(loss, losses) and _name(loss) in PRIORS


def prior_loss(loss: Mapping[str, Any], labels: Labels, counts: np.ndarray | None) -> float | None:
    """The smallest loss of one answer to all pictures, in the loss's own unit.

    Mixing pictures changes nothing here: the loss of mixed labels is the mean of those of both.

    Args:
        loss: its settings in config.yaml, for which `has_prior`.
        labels: of the rows it is the mean over.
        counts: training rows of each class [C], by which classes may be weighted; None for regression.

    Returns:
        None where the labels are not known.

    >>> fair = Labels(Task.MULTICLASS, np.array([0.5, 0.5]), None, rows=2)
    >>> round(prior_loss({"_target_": "compkit.losses.CrossEntropy"}, fair, np.array([1, 1])), 4)
    0.6931
    """
    if labels.shares is None and labels.numbers is None:
        return None
    return PRIORS[_name(loss)](loss, labels, counts)


def seen_shares(sampler: Mapping[str, Any], labels: Labels) -> Labels | None:
    """The labels as an epoch shows them, which samplers change; None where that is not known.

    >>> rare = Labels(Task.MULTICLASS, np.array([0.75, 0.25]), None, rows=4)
    >>> seen_shares({"_target_": "compkit.data.FrequencySampler", "power": 1.0}, rare).shares
    array([0.5, 0.5])
    """
    power = sampler.get("power") if _name(sampler) == "FrequencySampler" else SAMPLERS.get(_name(sampler))
    if power == 0:
        return labels
    if power is None or labels.task != Task.MULTICLASS or labels.shares is None:
        return None
    shares = np.where(labels.shares > 0, labels.shares, np.inf) ** (1 - power) if power < 1 else 1.0
    shares = np.where(labels.shares > 0, shares, 0.0)
    return labels._replace(shares=shares / shares.sum())


def _of_classes(loss: Mapping[str, Any], labels: Labels, counts: np.ndarray | None) -> float:
    assert labels.shares is not None
    return cross_entropy_prior(labels.shares, _weights(loss, labels.shares, counts), _smoothing(loss))


def _of_labels(loss: Mapping[str, Any], labels: Labels, counts: np.ndarray | None) -> float:
    assert labels.shares is not None
    positive = loss.get("pos_weight")
    factor = 1.0 if positive is None else np.asarray(positive, np.float64)
    return binary_prior(labels.shares, _weights(loss, labels.shares, counts), factor, _smoothing(loss))


def _of_numbers(loss: Mapping[str, Any], labels: Labels, counts: np.ndarray | None) -> float:
    assert labels.numbers is not None
    given: Sequence[float] | None = loss.get("column_weight")
    weight = np.ones(labels.numbers.shape[1]) if given is None else np.asarray(given, np.float64)
    return error_prior(labels.numbers, weight, _name(loss), float(loss.get("delta") or 1.0))


def _weights(loss: Mapping[str, Any], shares: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    weight: torch.Tensor | None = resolve_class_weight(
        loss.get("class_weight"), counts, float(loss.get("beta") or 0.0)
    )
    return np.ones(len(shares)) if weight is None else weight.double().numpy()


def _smoothing(loss: Mapping[str, Any]) -> float:
    return float(loss.get("smoothing") or 0.0)


def _name(node: Mapping[str, Any]) -> str:
    """The class a node of the config names.

    >>> _name({"_target_": "compkit.losses.MSE"})
    'MSE'
    """
    return str(node.get("_target_", "")).rpartition(".")[2]


def _is_ours(node: Mapping[str, Any], package: Any) -> bool:
    return str(node.get("_target_", "")).startswith(package.__name__ + ".")


PRIORS = {
    "CrossEntropy": _of_classes,
    "BCE": _of_labels,
    "MSE": _of_numbers,
    "MAE": _of_numbers,
    "Huber": _of_numbers,
}
