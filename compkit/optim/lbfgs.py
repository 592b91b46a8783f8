"""Second-order steps for problems small enough for them."""

from typing import Any

import torch
from torch.optim import Optimizer

from compkit.optim.builder import OptimizerBuilder
from compkit.ranges import whole


class LBFGS(OptimizerBuilder):
    """Quasi-Newton steps from the last few gradients, several passes over a batch in each.

    For small problems, where one batch holds all the data and only little is trained (a head on a frozen
    backbone): the curvature it builds is wrong as soon as the next batch is another one, and its memory is
    `2 * history_size` copies of the parameters.

    All parameters are one vector with one rate, hence no weight decay (the penalty would belong to the
    loss) and no rates of their own for parts of the model.

    Args:
        lr: length of a step; 1 with the line search, which shortens it.
        weight_decay: must be 0.
        max_iter: iterations a step, each one or more passes over the batch, >= 1.
        history_size: gradients the curvature is built from, >= 1.
        line_search: whether a step is shortened until it satisfies the strong Wolfe conditions.

    Raises:
        ValueError: one of them is outside its range; `from_groups`: the groups have different rates.

    Source: Liu and Nocedal 1989, Mathematical Programming 45:503-528.

    >>> optimizer = LBFGS(lr=1.0)(torch.nn.Linear(2, 1))
    >>> len(optimizer.param_groups), len(optimizer.param_groups[0]["params"])
    (1, 2)
    """

    needs_closure = True

    def __init__(
        self,
        lr: float = 1.0,
        weight_decay: float = 0.0,
        max_iter: int = 20,
        history_size: int = 10,
        line_search: bool = True,
    ) -> None:
        super().__init__(lr, weight_decay)
        if self.weight_decay > 0:
            raise ValueError(
                f"optimizer.weight_decay: got {self.weight_decay:g} with optimizer=lbfgs, which has none; "
                "expected 0. Set optimizer.weight_decay=0, or take optimizer=adamw."
            )
        self.max_iter = whole("optimizer.max_iter", max_iter, 1, "20")
        self.history_size = whole("optimizer.history_size", history_size, 1, "10")
        self.line_search = line_search

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        rates = sorted({group["lr"] for group in groups})
        if len(rates) > 1:
            raise ValueError(
                f"optimizer=lbfgs has one rate for all parameters, but they were given {len(rates)}: "
                f"{', '.join(f'{rate:g}' for rate in rates)}. Set finetune.backbone_lr_factor=1 and "
                "finetune.layer_decay=1, or take optimizer=adamw; L-BFGS is for small problems."
            )
        merged = {
            "name": "all",
            "params": [param for group in groups for param in group["params"]],
            "base_lr": rates[0],
        }
        return torch.optim.LBFGS(
            [merged],
            lr=rates[0],
            max_iter=self.max_iter,
            history_size=self.history_size,
            line_search_fn="strong_wolfe" if self.line_search else None,
        )
