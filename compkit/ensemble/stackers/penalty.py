"""How strongly the weights of a linear level-2 model are held at zero."""

from collections.abc import Callable

import numpy as np

from compkit.ensemble.stackers.inputs import Inputs
from compkit.ensemble.stackers.selection import held_out_losses, some_rows
from compkit.ensemble.stackers.stacker import Fitted
from compkit.ranges import positive

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)  # what `auto` tries; features have a spread of about 1


def penalty_or_auto(value: float | str) -> float | None:
    """A number > 0, or None for `auto`.

    Raises:
        ValueError: neither.

    >>> penalty_or_auto("auto"), penalty_or_auto(10)
    (None, 10.0)
    """
    return None if value == "auto" else positive("stacker.penalty", value, "100 or stacker.penalty=auto")


def choose_penalty(
    given: float | None,
    fit: Callable[[float, np.ndarray], Fitted],
    inputs: Inputs,
    targets: np.ndarray,
    parts: np.ndarray,
    seed: int,
) -> float:
    """The given penalty, or the one of PENALTIES with the smallest loss on parts that were not fitted on.

    Args:
        given: None to choose.
        fit: (penalty, positions of rows) -> a model fitted on them.
        inputs: N rows.
        targets: int64 [N], or float [N, C].
        parts: int64 [N], held out together.
        seed: of the rows that are looked at where there are very many.
    """
    if given is not None:
        return given
    looked_at = some_rows(len(targets), seed)

    def fit_predict(penalty: float, fitted: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        return fit(penalty, looked_at[fitted]).predict(inputs.take(looked_at[held_out]))

    losses = held_out_losses(PENALTIES, fit_predict, targets[looked_at], parts[looked_at], inputs.task)
    # the loss is summed over rows, the penalty is not: more rows than were looked at want more of it
    return PENALTIES[losses.argmin()] * len(targets) / len(looked_at)
