"""Weights to use and state to resume from, on disk."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file
from torch import nn

from compkit.files import atomic_path

LAST, PREVIOUS = "last.pt", "last.previous.pt"


def save_weights(path: Path, model: nn.Module, metadata: dict[str, Any]) -> None:
    """Write a model's weights as safetensors, with what is needed to use them in the file's header."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata={"compkit": json.dumps(metadata)})


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata that `save_weights` stored."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["compkit"])
    except (SafetensorError, KeyError) as error:
        raise ValueError(
            f"{path}: not weights of a compkit run ({error!r}). Train the fold again or restore the file."
        ) from error


def load_weights(path: Path, model: nn.Module) -> None:
    """Load weights into a model of the same shape."""
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path}: these weights do not fit the model of the run's config.yaml: {error}. "
            "Restore the file, or the config it was trained with."
        ) from error


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write all state to resume from. The one before is kept until the new one lies whole on the disk."""
    last = folder / LAST
    with atomic_path(last) as temporary:
        torch.save(state, temporary)
        if last.exists():
            last.replace(folder / PREVIOUS)


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The newest state that can be read whole; None when there is none at all.

    Raises:
        ValueError: files exist, but all are torn.
    """
    torn = []
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, KeyError) as error:
            torn.append(f"{path}: {error}")
    if torn:
        raise ValueError(
            "no checkpoint can be read: " + "; ".join(torn) + f". Delete {folder} to train this fold again."
        )
    return None
