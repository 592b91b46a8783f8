"""The ids and columns of predictions and submissions, held against those of the sample."""

from pathlib import Path

import numpy as np

from compkit.competition.submission_format import SAMPLE_KEY
from compkit.competition.table import duplicates, first_few
from compkit.types import Predictions


def in_sample_order(
    predictions: Predictions, ids: np.ndarray, classes: tuple[str, ...], sample: Path
) -> np.ndarray:
    """Check predictions and sort their rows like the sample's ids [N] -> float32 [N, C].

    Raises:
        ValueError: an id is missing, superfluous or given twice, or a value is not finite.
    """
    given = np.asarray(predictions.ids).astype(str)
    values = np.asarray(predictions.values, dtype=np.float32)
    if values.shape != (len(given), len(classes)):
        raise ValueError(
            f"predictions: values {list(values.shape)} for {len(given)} ids and {len(classes)} classes; "
            f"expected [{len(given)}, {len(classes)}]. Use the classes that the model was trained with "
            "(competition.classes)."
        )
    if repeated := duplicates(given):
        raise ValueError(
            f"predictions: {len(repeated)} ids occur more than once: {first_few(repeated)}; expected one "
            "row an id. Average or remove the repetitions first."
        )
    require_same_ids(given, ids, "predictions", sample)
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise ValueError(
            f"predictions: NaN or infinite for {broken.sum()} ids: {first_few(given[broken].tolist())}; "
            "expected finite numbers. Predict again with trainer.precision=fp32, or from an earlier "
            "checkpoint."
        )
    by_id = np.argsort(given)
    return values[by_id[np.searchsorted(given, ids, sorter=by_id)]]


def require_same_columns(given: list[str], wanted: list[str], path: Path, sample: Path) -> None:
    """Both have the same columns in the same order.

    Raises:
        ValueError: they have not.
    """
    if given != wanted:
        raise ValueError(
            f"{path}: columns {first_few(given, 40)}; expected those of {sample}, in order: "
            f"{first_few(wanted, 40)}. Write it again with scripts/predict.py."
        )


def require_same_ids(given: np.ndarray, wanted: np.ndarray, where: str, sample: Path) -> None:
    """Both hold the same ids, in whatever order.

    Raises:
        ValueError: they do not, with the first ids of each kind.
    """
    missing = np.setdiff1d(wanted, given).tolist()
    extra = np.setdiff1d(given, wanted).tolist()
    if missing or extra:
        raise ValueError(
            f"{where}: {len(missing)} ids of {sample} are missing: {first_few(missing) or 'none'}; "
            f"{len(extra)} are not in it: {first_few(extra) or 'none'}; expected the same ids. Predict all "
            f"test images (limit=null), or set {SAMPLE_KEY} to the sample of this test set."
        )


def require_same_order(keys: np.ndarray, wanted: np.ndarray, path: Path, sample: Path) -> None:
    """The same ids stand in the same lines.

    Raises:
        ValueError: they do not, with the first line that differs.
    """
    if (keys != wanted).any():
        row = int(np.flatnonzero(keys != wanted)[0])
        raise ValueError(
            f"{path}: line {row + 2} has id {str(keys[row])!r}; expected {str(wanted[row])!r}, the order of "
            f"{sample}. Write it again with scripts/predict.py."
        )
