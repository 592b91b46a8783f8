"""Predictions written in the sample submission's own shape, and read back to be sure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compkit.competition.submission_format import FORMAT_KEY, SAMPLE_KEY, resolve_format
from compkit.competition.table import duplicates, first_few, read_ids, read_table
from compkit.files import atomic_path
from compkit.types import Predictions, Task


def write_submission(
    path: Path,
    sample: Path,
    predictions: Predictions,
    classes: Sequence[str],
    task: Task,
    format: str = "auto",
    metric_kind: str = "labels",
    empty_token: str = "",
    id_column: str = "id",
    separator: str = " ",
    top_k: int = 5,
) -> str:
    """Write predictions with the columns, the column order and the row order of the sample.

    Numbers are written with the fewest digits that read back as the same float32 (at most nine) and
    never as 1e-05. Names and ids are written as they stand in the competition's own files.

    Args:
        path: the CSV to write; it appears whole or not at all.
        sample: the competition's sample submission.
        predictions: ids [N] in any order, values [N, C].
        classes: C names of the model's outputs, in the order of the values' columns.
        task, format, metric_kind, id_column, separator: as in `check_submission_shape`.
        empty_token: written in one multilabel column when no class is above 0.5.
        top_k: how many names a ranking has, if there are as many classes.

    Returns:
        The format that was written.

    Raises:
        FileNotFoundError: no such sample.
        ValueError: predictions are missing, superfluous, repeated, not finite, outside 0 to 1 for
            probabilities, or do not fit the sample.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "sample.csv").write_text("id,label\\n02,x\\n01,x\\n")
    >>> predictions = Predictions(np.array(["01", "02"]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> names = ["cat", "dog"]
    >>> write_submission(folder / "a.csv", folder / "sample.csv", predictions, names, Task.MULTICLASS)
    'labels'
    >>> (folder / "a.csv").read_text()
    'id,label\\n02,dog\\n01,cat\\n'
    """
    if top_k < 1:
        raise ValueError(f"top_k={top_k}: expected at least 1 name in a ranking. Set e.g. 5.")
    frame = read_table(sample, SAMPLE_KEY)
    ids = read_ids(frame, id_column, sample)
    columns = [name for name in frame.columns if name != id_column]
    format = resolve_format(columns, classes, task, format, metric_kind, separator, str(sample))
    values = _in_sample_order(predictions, ids, classes, sample)
    if format == "probabilities":
        values = _within_bounds(values, ids)
    if format in ("values", "probabilities"):
        for column, place in zip(columns, _value_columns(columns, classes), strict=True):
            frame[column] = [np.format_float_positional(value, trim="-") for value in values[:, place]]
    elif format == "ranking":
        best = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
        frame[columns[0]] = [separator.join(classes[place] for place in row) for row in best.tolist()]
    elif task == Task.MULTICLASS:
        frame[columns[0]] = [classes[place] for place in values.argmax(axis=1).tolist()]
    else:
        chosen = [[classes[place] for place in np.flatnonzero(row > 0.5).tolist()] for row in values]
        frame[columns[0]] = [separator.join(names) if names else empty_token for names in chosen]
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
    return format


def validate_submission(
    path: Path,
    sample: Path,
    classes: Sequence[str],
    task: Task,
    format: str = "auto",
    metric_kind: str = "labels",
    empty_token: str = "",
    id_column: str = "id",
    separator: str = " ",
) -> None:
    """Read a written submission back and compare it with the sample, as a grader would.

    The arguments are those of `write_submission`.

    Raises:
        FileNotFoundError: no such submission or sample.
        ValueError: other columns, ids or order than the sample's; a cell that is empty, no finite
            number, no probability or no class.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, label in (("sample.csv", "x"), ("a.csv", "cat"), ("b.csv", "cow")):
    ...     _ = (folder / name).write_text(f"id,label\\n1,{label}\\n")
    >>> validate_submission(folder / "a.csv", folder / "sample.csv", ["cat", "dog"], Task.MULTICLASS)
    """
    expected, frame = read_table(sample, SAMPLE_KEY), read_table(path, "submission")
    if list(frame.columns) != list(expected.columns):
        raise ValueError(
            f"{path}: columns {first_few(frame.columns, 40)}; expected those of {sample}, in order: "
            f"{first_few(expected.columns, 40)}. Write it again with compkit.competition.write_submission."
        )
    ids, want = read_ids(frame, id_column, path), read_ids(expected, id_column, sample)
    _require_same_ids(ids, want, str(path), str(sample))
    if (ids != want).any():
        row = int(np.flatnonzero(ids != want)[0])
        raise ValueError(
            f"{path}: line {row + 2} has id {str(ids[row])!r}; expected {str(want[row])!r}, the order of "
            f"{sample}. Write it again with compkit.competition.write_submission."
        )
    columns = [name for name in frame.columns if name != id_column]
    format = resolve_format(columns, classes, task, format, metric_kind, separator, str(sample))
    for column in columns:
        if format in ("values", "probabilities"):
            wrong, expectation = _wrong_numbers(frame[column], format)
        elif task == Task.MULTICLASS and format == "labels":
            wrong, expectation = ~frame[column].isin(classes).to_numpy(), f"one of {first_few(classes)}"
        else:
            token = empty_token if format == "labels" else None
            wrong, expectation = _wrong_names(frame[column], classes, separator, token)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{path}: {wrong.sum()} cells of column {column!r} are wrong, first "
                f"{frame[column].iloc[row]!r} of id {str(ids[row])!r}; expected {expectation}. Correct the "
                f"predictions, or set {FORMAT_KEY}."
            )


def _in_sample_order(
    predictions: Predictions, ids: np.ndarray, classes: Sequence[str], sample: Path
) -> np.ndarray:
    """Check the predictions and sort their rows like the sample -> float32 [N, C]."""
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
    _require_same_ids(given, ids, "predictions", str(sample))
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise ValueError(
            f"predictions: NaN or infinite for {broken.sum()} ids: {first_few(given[broken].tolist())}; "
            "expected finite numbers. Predict again with trainer.precision=fp32, or from an earlier "
            "checkpoint."
        )
    by_id = np.argsort(given)
    return values[by_id[np.searchsorted(given, ids, sorter=by_id)]]


def _within_bounds(probs: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Probabilities [N, C] without what rounding added: a float32 mean of ones may be 1.0000001."""
    wrong = ((probs < -1e-5) | (probs > 1 + 1e-5)).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"predictions: {wrong.sum()} ids have values outside 0 to 1: {first_few(ids[wrong].tolist())}; "
            f"expected probabilities. Apply softmax or sigmoid to logits first, or set {FORMAT_KEY}."
        )
    return probs.clip(0, 1)


def _require_same_ids(given: np.ndarray, wanted: np.ndarray, where: str, sample: str) -> None:
    """Both hold the same ids, in whatever order."""
    missing = np.setdiff1d(wanted, given).tolist()
    extra = np.setdiff1d(given, wanted).tolist()
    if missing or extra:
        raise ValueError(
            f"{where}: {len(missing)} ids of {sample} are missing: {first_few(missing) or 'none'}; "
            f"{len(extra)} are not in it: {first_few(extra) or 'none'}; expected the same ids. Predict all "
            f"test images (limit=null), or set {SAMPLE_KEY} to the sample of this test set."
        )


def _value_columns(columns: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Which output fills each column: the one of its name, else, for a single column, the last."""
    return [classes.index(name) if name in classes else len(classes) - 1 for name in columns]


def _wrong_numbers(cells: pd.Series, format: str) -> tuple[np.ndarray, str]:
    """Which cells are no such number, bool [N], and what was expected."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy("float64")
    if format == "values":
        return ~np.isfinite(numbers), "a finite number"
    return ~((numbers >= 0) & (numbers <= 1)), "a probability from 0 to 1"


def _wrong_names(
    cells: pd.Series, classes: Sequence[str], separator: str, empty_token: str | None
) -> tuple[np.ndarray, str]:
    """Which cells are not different classes joined by the separator, bool [N], and what was expected."""
    known = set(classes)
    rows = [[] if cell == empty_token else cell.split(separator) for cell in cells]
    wrong = [not known.issuperset(names) or len(set(names)) < len(names) for names in rows]
    return np.array(wrong), f"different names among {first_few(classes)}, joined by {separator!r}"
