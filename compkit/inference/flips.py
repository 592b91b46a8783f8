"""What mirroring a picture does to its label, and how a prediction is brought back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compkit.inference.views import View
from compkit.types import Task

SIDES = ("horizontal", "vertical")


@dataclass(frozen=True)
class FlippedLabels:
    """Labels that a mirrored picture has another way round.

    Attributes:
        swaps: `horizontal` and `vertical` (mirrored left to right, and top to bottom): pairs of classes that change
            places, such as left_ear and right_ear.
        negated: the same of regression targets whose sign changes, such as an angle.

    Raises:
        ValueError: another side, a class in two pairs, or what is no pair.
    """

    swaps: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    negated: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in (("label_swaps", self.swaps), ("negated", self.negated)):
            for side in set(value) - set(SIDES):
                raise ValueError(f"inference.{key}.{side}: expected horizontal or vertical.")
        for side, pairs in self.swaps.items():
            names = [str(name) for pair in pairs for name in pair]
            if any(isinstance(pair, str) or len(pair) != 2 for pair in pairs) or len(set(names)) < len(names):
                raise ValueError(
                    f"inference.label_swaps.{side}: got {list(pairs)}; expected pairs of classes, each class once: "
                    f"inference.label_swaps.{side}=[[left_ear,right_ear]]."
                )

    @property
    def is_empty(self) -> bool:
        """Whether mirroring changes no label."""
        return not any([*self.swaps.values(), *self.negated.values()])

    def check(self, classes: Sequence[str], task: Task, views: Iterable[tuple[str, View]]) -> None:
        """Refuse what this competition or these views cannot have.

        Raises:
            ValueError: an unknown class, a sign of what has none, or a quarter turn, under which left and right become
                top and bottom and no rule for the labels is known.
        """
        swapped = [name for pairs in self.swaps.values() for pair in pairs for name in pair]
        negated = [name for names in self.negated.values() for name in names]
        for key, names in (("label_swaps", swapped), ("negated", negated)):
            unknown = [str(name) for name in names if str(name) not in classes]
            if unknown:
                raise ValueError(f"inference.{key}: no class {unknown[0]!r}; there are {list(classes)[:20]}.")
        if task != Task.REGRESSION and negated:
            raise ValueError(
                f"inference.negated is for regression, and the task is {task}. "
                "Set inference.negated.horizontal=[] inference.negated.vertical=[]."
            )
        turned = [] if self.is_empty else [name for name, view in views if view.quarter_turns % 4]
        if turned:
            raise ValueError(
                f"inference.views.{turned[0]}: a quarter turn, but flips change labels here (inference.label_swaps, "
                "inference.negated), and for turns that is not known. Leave it out: "
                f"~inference.views.{turned[0]}, or set inference=tta_flip."
            )

    def undo(self, logits: Tensor, view: View, classes: Sequence[str]) -> Tensor:
        """Logits [B, C] of a view, as they would be of the picture as it is.

        >>> flips = FlippedLabels(swaps={"horizontal": [["left", "right"]]})
        >>> flips.undo(torch.tensor([[1.0, 2.0, 3.0]]), View(hflip=True), ("left", "right", "none")).tolist()
        [[2.0, 1.0, 3.0]]
        """
        for side, is_mirrored in zip(SIDES, (view.hflip, view.vflip), strict=True):
            if is_mirrored:
                logits = self._undo_side(logits, side, list(classes))
        return logits

    def _undo_side(self, logits: Tensor, side: str, classes: list[str]) -> Tensor:
        order = list(range(len(classes)))
        for pair in self.swaps.get(side, ()):
            first, second = (classes.index(str(name)) for name in pair)
            order[first], order[second] = second, first
        if order != sorted(order):
            logits = logits[:, torch.tensor(order, device=logits.device)]
        if names := {str(name) for name in self.negated.get(side, ())}:
            signs = [-1.0 if name in names else 1.0 for name in classes]
            logits = logits * torch.tensor(signs, device=logits.device)
        return logits
