"""A loss that is no number must stop the run before it reaches a checkpoint."""

import math

import numpy as np
import torch
from torch import Tensor

SKIPS_TOLERATED = (
    10  # fp16 halves its scale at each skipped step; 2^10 below the start something else is wrong
)


class FiniteWatch:
    """Checks each step's loss and gradient one step late, when a GPU has computed them anyway.

    Args:
        ids: of the table's rows, to name the pictures of a bad step.
        is_fp16: an infinite gradient only makes the scaler skip the step, some times in a row.
    """

    def __init__(self, ids: np.ndarray, is_fp16: bool):
        self.ids, self.is_fp16 = ids, is_fp16
        self.pending: tuple[Tensor, list[Tensor], int, int] | None = None
        self.skips = 0

    def remember(self, loss: Tensor, grad_norm: Tensor, rows: list[Tensor], epoch: int, window: int) -> None:
        """Keep a step's figures for the next `check`."""
        self.pending = torch.stack([loss, grad_norm]), rows, epoch, window

    def check(self) -> float:
        """The remembered step's loss, NaN when there is none.

        Raises:
            ValueError: it, or the gradient, is not finite.
        """
        if self.pending is None:
            return math.nan
        figures, rows, epoch, window = self.pending
        self.pending = None
        loss, grad_norm = figures.tolist()
        if math.isfinite(loss) and math.isfinite(grad_norm):
            self.skips = 0
            return loss
        self.skips += 1
        if math.isfinite(loss) and self.is_fp16 and self.skips <= SKIPS_TOLERATED:
            return loss
        ids = ", ".join(self.ids[torch.cat(rows).cpu().numpy()][:16])
        raise ValueError(
            f"loss {loss} and gradient norm {grad_norm} at epoch {epoch}, step {window} are not finite; "
            f"the step's pictures: {ids}. Nothing of it was saved. Set a smaller lr, trainer.clip_at=1.0 or "
            "trainer.precision=fp32, look at these pictures and their labels, then continue with resume=true."
        )
