"""A fold's trained model, from memory or from a run's folder."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compkit.data import Preprocessing
from compkit.engine import Ranks, load_weights, read_metadata
from compkit.files import file_hash
from compkit.inference import AVERAGES, InferenceSettings
from compkit.run.plan import Plan
from compkit.types import Task


@dataclass(frozen=True)
class TrainedFold:
    """One fold's trained model, or several checkpoints of it that predict together.

    Attributes:
        models: in the order of `settings.kinds`, on the device where they predict.
        settings: of inference, resolved for the weights that this fold has.
        classes: names of the C outputs.
        prior: what it predicts for a picture that cannot be read, float32 [C].
    """

    fold: int
    models: tuple[torch.nn.Module, ...]
    settings: InferenceSettings
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    prior: np.ndarray

    @property
    def model(self) -> torch.nn.Module:
        """The model of the first weights, the only ones but for ensembles of checkpoints."""
        return self.models[0]


def load_models(folder: Path, kinds: Sequence[str], model: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
    """A fold's weights of these kinds, the first in the given model, the others in copies of it."""
    models = (model, *(deepcopy(model) for _ in kinds[1:]))
    for kind, one in zip(kinds, models, strict=True):
        load_weights(folder / f"{kind}.safetensors", one)
    return models


def find_snapshots(folder: Path) -> list[str]:
    """The names of the snapshots that lie in a fold's folder, oldest first."""
    found = [path.stem for path in folder.glob("snapshot_*.safetensors")]
    return sorted(found, key=lambda name: int(name.removeprefix("snapshot_")))


def trained_folds(plan: Plan) -> list[int]:
    """The wanted folds, each of which must have the weights that the run's inference settings choose.

    Raises:
        ValueError: a fold has none; the run was made of other runs and has none at all; views that do not fit.
    """
    folders = sorted(plan.folder.glob("fold_*"), key=lambda folder: int(folder.name.removeprefix("fold_")))
    found = [int(one.name.removeprefix("fold_")) for one in folders if any(one.glob("*.safetensors"))]
    made = plan.config.get("made")
    if made and "runs" in made and not found:
        raise ValueError(
            f"{plan.folder}: made by {made['by']} of {made['runs']}, it has predictions but no weights. Set run= to "
            "one of those runs."
        )
    wanted = found if plan.train_folds is None else plan.train_folds
    missing = [
        fold
        for fold in wanted
        if fold not in found or not all(path.is_file() for path in weights_files(plan, fold))
    ]
    if missing or not found:
        raise ValueError(
            f"{plan.folder}: no weights for fold(s) {missing or 'any'}; there are weights of folds {found}. "
            "Train the run to its end, or set folds=[…]."
        )
    first = read_metadata(weights_files(plan, wanted[0])[0])
    plan.inference.check(plan.competition.task, first["classes"], plan.image_size)
    return wanted


def fold_settings(plan: Plan, fold: int) -> InferenceSettings:
    """The run's inference settings, resolved for the weights that lie in the fold's folder."""
    folder = plan.folder / f"fold_{fold}"
    averages = [kind for kind in AVERAGES if (folder / f"{kind}.safetensors").is_file()]
    return plan.inference.resolve(averages[0] if averages else "none", find_snapshots(folder))


def weights_files(plan: Plan, fold: int) -> list[Path]:
    """The weights of a fold that predict."""
    kinds = fold_settings(plan, fold).kinds
    return [plan.folder / f"fold_{fold}" / f"{kind}.safetensors" for kind in kinds]


def weights_hash(plan: Plan, fold: int) -> str:
    """Of the weights of a fold that predict; another one after further training."""
    return "+".join(file_hash(path) for path in weights_files(plan, fold))


def load_fold(plan: Plan, fold: int, ranks: Ranks) -> TrainedFold:
    """One fold of a run on disk, with the preprocessing and class order that are stored with its weights."""
    settings, files = fold_settings(plan, fold), weights_files(plan, fold)
    metadata = read_metadata(files[0])
    classes = tuple(metadata["classes"])
    model = plan.make_model(
        num_outputs=len(classes),
        auxiliary=metadata.get("auxiliary", {}),
        **_placeholders(plan, len(classes)),
        **plan.size_options,
    )
    models = load_models(files[0].parent, settings.kinds, model)
    return TrainedFold(
        fold,
        tuple(one.to(ranks.device) for one in models),
        settings,
        Preprocessing.from_dict(metadata["preprocessing"]),
        classes,
        np.array(metadata["prior"], dtype=np.float32),
    )


def _placeholders(plan: Plan, num_outputs: int) -> dict[str, Any]:
    """What a model is made from in training and then keeps among its weights; these values are replaced."""
    if plan.competition.task != Task.REGRESSION:
        return {"class_counts": np.ones(num_outputs, dtype=np.int64)}
    return {"target_mean": np.zeros(num_outputs), "target_std": np.ones(num_outputs)}
