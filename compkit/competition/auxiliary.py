"""Further columns of the training table that a network learns beside the target: it predicts them for nobody."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from compkit.ranges import require
from compkit.types import Task


@dataclass(frozen=True)
class AuxiliaryColumn:
    """One entry of `auxiliary` in conf/train.yaml.

    Raises:
        ValueError: an unknown task, or a weight that is not above 0.
    """

    column: str
    task: str = "multiclass"
    weight: float = 0.3

    def __post_init__(self) -> None:
        if self.task not in (Task.MULTICLASS, Task.REGRESSION):
            raise ValueError(
                f"auxiliary: task {self.task!r} for column {self.column!r}; expected multiclass (any values, each a "
                "class) or regression (numbers)."
            )
        where = f"auxiliary: weight of column {self.column!r}"
        require(where, self.weight, lambda weight: weight > 0, "a number > 0, usually 0.1-1")


class AuxiliaryLabels(NamedTuple):
    """A column as the loss wants it.

    Attributes:
        values: int64 [N], -1 where missing; or float32 [N, 1] in units of its spread, NaN where missing.
    """

    values: np.ndarray
    task: Task
    num_outputs: int
    weight: float


def read_auxiliary(frame: pd.DataFrame, name: str, column: AuxiliaryColumn) -> AuxiliaryLabels:
    """The labels of an auxiliary column.

    Raises:
        ValueError: no such column, nothing in it to learn, or it is not what its task says.

    >>> frame = pd.DataFrame({"genus": ["oak", "", "ash"]})
    >>> read_auxiliary(frame, "genus", AuxiliaryColumn("genus")).values
    array([ 1, -1,  0])
    """
    key = f"auxiliary.{name}.column"
    if column.column not in frame.columns:
        raise ValueError(
            f"{key}={column.column}: the training table has no such column, only {list(frame.columns)}."
        )
    cells = frame[column.column].replace("", None)
    if cells.nunique() < 2:
        what = "every row is empty" if cells.isna().all() else f"every row says {cells.dropna().iloc[0]!r}"
        raise ValueError(
            f"{key}={column.column}: {what}, so there is nothing to learn. Leave this column out."
        )
    if column.task == Task.MULTICLASS:
        codes, classes = pd.factorize(cells, sort=True)
        return AuxiliaryLabels(codes.astype(np.int64), Task.MULTICLASS, len(classes), float(column.weight))
    try:
        numbers = pd.to_numeric(cells).to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{key}={column.column}: holds text ({error}), but its task is regression. "
            f"Set auxiliary.{name}.task=multiclass."
        ) from error
    if np.isinf(numbers).any():
        raise ValueError(
            f"{key}={column.column}: holds infinite numbers. Empty these cells, or leave it out."
        )
    scaled = (numbers - np.nanmean(numbers)) / np.nanstd(numbers)
    return AuxiliaryLabels(scaled[:, None].astype(np.float32), Task.REGRESSION, 1, float(column.weight))
