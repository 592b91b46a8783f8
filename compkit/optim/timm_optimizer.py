"""All optimizers of timm, by name."""

import difflib
from typing import Any

from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch.optim import Optimizer

from compkit.optim.builder import OptimizerBuilder


class TimmOptimizer(OptimizerBuilder):
    """Any optimizer of timm by its name: lamb, lion, adan, muon, rmsprop, ...

    Args:
        name: as in `timm.optim.list_optimizers()`; `lookahead_<name>` wraps it in Lookahead.
        options: further arguments of that optimizer, e.g. {momentum: 0.95}.

    Raises:
        ValueError: the name is unknown (with the closest ones), needs second derivatives, is not
            installed, or does not take an option.

    >>> import torch
    >>> type(TimmOptimizer("lamb", lr=1e-3)(torch.nn.Linear(2, 1))).__name__
    'Lamb'
    """

    def __init__(
        self,
        name: str,
        lr: float,
        weight_decay: float = 0.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.name = name.lower()
        self.options = options or {}
        plain = self.name.removeprefix("lookahead_")
        names = [str(known) for known in list_optimizers()]
        if plain not in names:
            close = difflib.get_close_matches(plain, names, n=5) or names
            raise ValueError(
                f"optimizer.name: timm has no optimizer {name!r}. Close ones: {', '.join(close)}. "
                f"Set e.g. optimizer.name={close[0]}."
            )
        if get_optimizer_info(plain).second_order:
            raise ValueError(
                f"optimizer.name: {name!r} needs second derivatives, which the training loop does not "
                "compute. Choose a first-order one, e.g. optimizer.name=lamb."
            )

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        # muon turns matrices; tables of positions and tokens are left to the AdamW inside it
        groups = [group | {"use_fallback": not group.get("decayed", True)} for group in groups]
        try:
            return create_optimizer_v2(groups, opt=self.name, lr=self.lr, **self.options)
        except (ImportError, AssertionError, TypeError, ValueError) as error:
            raise ValueError(
                f"optimizer.name={self.name} with optimizer.options={self.options}: {error}. "
                "Correct the options, install what it asks for, or choose another name."
            ) from error
