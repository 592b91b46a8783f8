"""Weights copied into a bundle: the tensors, and of what is written beside them what prediction needs."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from compkit.engine import read_metadata
from compkit.files import atomic_path

KEPT = ("preprocessing", "classes", "task", "auxiliary", "prior")


def copy_weights(source: Path, target: Path) -> None:
    """Write the tensors of a safetensors file anew, with a header of known content.

    Raises:
        ValueError: it is no file that train.py wrote.
    """
    metadata = read_metadata(source)
    try:
        tensors = load_file(source)
    except SafetensorError as error:
        raise ValueError(
            f"{source}: cannot be read ({error}). Restore the file, or train the fold again."
        ) from error
    kept = {key: metadata[key] for key in KEPT if key in metadata}
    with atomic_path(target) as temporary:
        save_file(tensors, temporary, metadata={"compkit": json.dumps(kept)})
