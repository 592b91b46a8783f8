"""What probes leave in a fold's folder: probes.csv, a row a layer and probe, and probes.npz, everything else."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from compkit.files import atomic_path
from compkit.probes.watch import STATISTICS

LAYERS, ARRAYS = "probes.csv", "probes.npz"


class ProbeRecord(NamedTuple):
    """What was written.

    Attributes:
        layers: epoch, step, layer, kind and the statistics of `STATISTICS`, a row for each layer of each probe, the
            layers in the order in which they run.
        arrays: by name; see `entered`, `FoldProbes.end_epoch`. Those of predictions are `followed_rows` [n],
            `followed_labels`, `followed_merit` and `followed_answer` [E, n], `followed_change` [E] and
            `followed_epoch` [E].
    """

    layers: pd.DataFrame
    arrays: dict[str, np.ndarray]


def write_probes(
    folder: Path,
    names: Sequence[str],
    kinds: Sequence[str],
    places: Sequence[Sequence[int]],
    tables: Sequence[Tensor],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write both files, whole.

    Args:
        folder: of the fold.
        names, kinds: of L layers.
        places: epoch and step of each of P probes.
        tables: of each probe, float32 [l, S], l <= L.
        arrays: what goes into probes.npz.
    """
    lengths = [len(table) for table in tables]
    epochs, steps = np.array(places).T
    frame = pd.DataFrame({"epoch": epochs.repeat(lengths), "step": steps.repeat(lengths)})
    frame["layer"] = [name for length in lengths for name in names[:length]]
    frame["kind"] = [kind for length in lengths for kind in kinds[:length]]
    values = np.concatenate([table.numpy() for table in tables])
    frame[list(STATISTICS)] = values
    with atomic_path(folder / LAYERS) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.5g")
    with atomic_path(folder / ARRAYS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_probes(folder: Path) -> ProbeRecord | None:
    """The probes of a fold; None when there are none.

    Raises:
        ValueError: one of the files cannot be read, or is missing beside the other.
    """
    files = [folder / LAYERS, folder / ARRAYS]
    if not any(path.is_file() for path in files):
        return None
    try:
        layers = pd.read_csv(files[0], dtype={"layer": str, "kind": str})
        with np.load(files[1], allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{folder}: {LAYERS} and {ARRAYS} are not what a run writes ({error}). Delete both, or restore them."
        ) from error
    missing = {"epoch", "step", "layer", "kind", *STATISTICS} - set(layers)
    if missing:
        raise ValueError(
            f"{files[0]}: has no column {sorted(missing)}; it has {list(layers)}. Delete {LAYERS} and {ARRAYS}, or "
            "restore them."
        )
    return ProbeRecord(layers, arrays)
