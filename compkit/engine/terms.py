"""Terms of a summed loss must not drown each other unnoticed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compkit.engine.console import Console
from compkit.losses import drowned_terms

STEPS = 20  # after these the scales are compared, once


class TermScales:
    """Adds up the terms of the first steps and warns when one is far larger than another.

    Args:
        names: of the terms.
        console: where the warning goes.
    """

    def __init__(self, names: Sequence[str], console: Console) -> None:
        self.names, self.console = names, console
        self.left = STEPS if len(names) > 1 else 0
        self.total: Tensor | None = None

    def add(self, terms: Tensor) -> None:
        """Note a step's terms [T]."""
        if self.left == 0:
            return
        self.left -= 1
        self.total = terms.clone() if self.total is None else self.total + terms
        if self.left == 0:
            means = dict(zip(self.names, torch.div(self.total, STEPS).tolist(), strict=True))
            told = drowned_terms(means)
            if told:
                self.console.warn(told)
