"""Level-2 models of a stack as plain arrays: numbers can be read from anybody's file, pickled models cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit, softmax
from torch import nn

from compkit.bundle.trees import Trees
from compkit.ensemble import Aligned, crossfit_parts
from compkit.ensemble.stackers import CNNStacker, Fitted, Inputs, MLPStacker, Stacker
from compkit.ensemble.stackers.classes import Classes
from compkit.ensemble.stackers.classifiers import FittedClassifiers
from compkit.ensemble.stackers.gbdt import FittedCorrections
from compkit.ensemble.stackers.inputs import Scale, side_by_side, to_scores
from compkit.ensemble.stackers.networks import Corrected, FittedNetworks
from compkit.ensemble.stackers.ridge import FittedRidge
from compkit.types import Task

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SavedLevel2:
    """A level-2 model made of arrays alone.

    Attributes:
        arrays: what `level2_arrays` returned.
        task: of the competition.
    """

    arrays: Arrays
    task: Task

    def predict(self, predictions: np.ndarray) -> np.ndarray:
        """Predictions of M runs, float64 [M, T, C], to those of the stack, float64 [T, C]."""
        inputs = Inputs(predictions, np.zeros((predictions.shape[1], 0)), self.task)
        kind = str(self.arrays["kind"])
        if kind == "networks":
            return _networks(self.arrays, inputs).predict(inputs)
        if kind == "ridge":
            return _ridge(self.arrays, inputs)
        if kind == "corrections":
            features = side_by_side(predictions, inputs.extra)
            lacking = [
                Trees.of(self.arrays, f"{place}.").raw(features)[:, 0] for place in range(inputs.num_classes)
            ]
            return predictions.mean(axis=0) + np.column_stack(lacking)
        features = side_by_side(to_scores(inputs) if kind == "logistic" else predictions, inputs.extra)
        if self.task == Task.MULTICLASS:
            return _classes(self.arrays, "0.", features)
        return np.column_stack(
            [_classes(self.arrays, f"{place}.", features)[:, 1] for place in range(inputs.num_classes)]
        )


def fit_level2(aligned: Aligned, stacker: Stacker, seed: int) -> dict[int, Fitted]:
    """The level-2 models that a stack of these runs fits for its test rows, by the part that each leaves out.

    Fitting is as in compkit.ensemble.stack: the same rows, parts and seed.
    """

    def parts_of(rows: np.ndarray) -> np.ndarray:
        groups = None if aligned.groups is None else aligned.groups[rows]
        return crossfit_parts(aligned.fold[rows], aligned.targets[rows], groups, seed)

    parts, fitted = parts_of(np.arange(len(aligned.ids))), {}
    for part in np.unique(parts).tolist():
        rows = np.flatnonzero(parts != part)
        inputs = Inputs(aligned.oof[:, rows], np.zeros((len(rows), 0)), aligned.task)
        fitted[part] = stacker.fit(inputs, aligned.targets[rows], parts_of(rows), seed)
    return fitted


def level2_arrays(fitted: Fitted, name: str) -> dict[str, np.ndarray]:
    """A fitted level-2 model of the stacker of this name as arrays, none of which holds objects."""
    arrays: dict[str, np.ndarray] = {"kind": np.array(name)}
    if isinstance(fitted, FittedRidge):
        return arrays | _linear_arrays(fitted.model) | {"least": np.array(fitted.least)}
    if isinstance(fitted, FittedNetworks):
        arrays |= {
            "kind": np.array("networks"),
            "of": np.array(name),
            "count": np.array(len(fitted.networks)),
        }
        arrays |= {
            f"scale.{key}": np.asarray(getattr(fitted.scale, key)) for key in Scale.__dataclass_fields__
        }
        for place, network in enumerate(fitted.networks):
            state = {f"{place}.{key}": tensor.numpy() for key, tensor in network.state_dict().items()}
            arrays |= state
        return arrays
    if isinstance(fitted, FittedCorrections):
        arrays["kind"] = np.array("corrections")
        for place, model in enumerate(fitted.models):
            arrays |= _named(f"{place}.", Trees.fitted(model).arrays())
        return arrays
    assert isinstance(fitted, FittedClassifiers)
    for place, one in enumerate(fitted.models):
        arrays |= _named(f"{place}.", _classes_arrays(one))
    return arrays


def _classes_arrays(one: Classes) -> dict[str, np.ndarray]:
    arrays = {"present": one.present, "absent": one.absent}
    if one.model is None:
        return arrays
    if hasattr(one.model, "coef_"):
        return arrays | _linear_arrays(one.model)
    return arrays | Trees.fitted(one.model).arrays()


def _linear_arrays(regression: Any) -> dict[str, np.ndarray]:
    return {"coef": np.atleast_2d(regression.coef_), "intercept": np.atleast_1d(regression.intercept_)}


def _classes(arrays: Arrays, prefix: str, features: np.ndarray) -> np.ndarray:
    """Probabilities of a `Classes`, float64 [T, C]."""
    present, absent = arrays[f"{prefix}present"], arrays[f"{prefix}absent"]
    values = np.tile(absent, (len(features), 1))
    if len(present) == 1:
        known = np.ones((len(features), 1))
    elif f"{prefix}coef" in arrays:
        known = _probabilities(_linear(arrays, prefix, features))
    else:
        known = _probabilities(Trees.of(arrays, prefix).raw(features))
    values[:, present] = (1 - absent.sum()) * known
    return values


def _probabilities(raw: np.ndarray) -> np.ndarray:
    """Raw scores [T, K] to probabilities; a single column speaks for the second of two classes."""
    if raw.shape[1] > 1:
        return softmax(raw, axis=1)
    second = expit(raw[:, 0])
    return np.column_stack([1 - second, second])


def _linear(arrays: Arrays, prefix: str, features: np.ndarray) -> np.ndarray:
    return features @ arrays[f"{prefix}coef"].T + arrays[f"{prefix}intercept"]


def _ridge(arrays: Arrays, inputs: Inputs) -> np.ndarray:
    values = _linear(arrays, "", side_by_side(inputs.predictions, inputs.extra))
    if inputs.task == Task.REGRESSION:
        return values
    least = float(arrays["least"])
    probs = values.clip(least, 1 - least)
    return probs / probs.sum(axis=1, keepdims=True) if inputs.task == Task.MULTICLASS else probs


def _networks(arrays: Arrays, inputs: Inputs) -> FittedNetworks:
    models, classes = len(inputs.predictions), inputs.num_classes
    extra = arrays["scale.extra_mean"], arrays["scale.extra_std"]
    scale = Scale(float(arrays["scale.mean"]), float(arrays["scale.std"]), *extra)
    networks = []
    for place in range(int(arrays["count"])):
        prefix = f"{place}."
        state = {
            key.removeprefix(prefix): torch.from_numpy(np.array(value))
            for key, value in arrays.items()
            if key.startswith(prefix)
        }
        network = Corrected(_correction(str(arrays["of"]), state, models, classes), scale)
        network.load_state_dict(state)
        networks.append(network.eval())
    return FittedNetworks(networks, scale)


def _correction(name: str, state: Mapping[str, torch.Tensor], models: int, classes: int) -> nn.Module:
    """A network of the shape of these weights."""
    if name == "mlp":
        return MLPStacker(hidden=len(state["correction.hidden.weight"])).make_correction(models, classes, 0)
    channels, context = (
        len(state["correction.over_models.weight"]),
        len(state["correction.over_classes.weight"]),
    )
    return CNNStacker(channels=channels, context=context).make_correction(models, classes, 0)


def _named(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    return {f"{prefix}{key}": value for key, value in arrays.items()}
