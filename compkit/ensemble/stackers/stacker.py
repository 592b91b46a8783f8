"""What every stacker does: learn from some rows, then predict any rows."""

from typing import Protocol

import numpy as np

from compkit.ensemble.stackers.inputs import Inputs


class Fitted(Protocol):
    """A level-2 model that has learned."""

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Probabilities, or values in the target's unit, float64 [N, C]."""
        ...


class Stacker(Protocol):
    """A way to learn from the predictions of other models; `name` is its option of conf/stacker."""

    name: str

    def fit(self, inputs: Inputs, targets: np.ndarray, parts: np.ndarray, seed: int) -> Fitted:
        """Learn from rows whose predictions come from models that have not seen them.

        Args:
            inputs: N rows.
            targets: int64 [N] for multiclass, else float [N, C].
            parts: int64 [N]; rows of one part (a fold, with whole groups) are held out together where settings
                or the moment to stop are chosen.
            seed: of everything drawn.

        Raises:
            ValueError: a task it is not for, or see check_inputs.
        """
        ...
