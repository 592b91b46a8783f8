"""How predictions are made: the settings of conf/inference/, the same for OOF and test."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from compkit.data import Size
from compkit.inference.average import MEANS
from compkit.inference.flips import FlippedLabels
from compkit.inference.views import View
from compkit.ranges import one_of
from compkit.types import Task

AVERAGES = ("ema", "swa")  # kinds of averaged weights, saved beside the raw ones


@dataclass(frozen=True)
class InferenceSettings:
    """Settings of prediction; conf/inference/*.yaml explain each.

    Attributes:
        weights: `auto`, `snapshots`, a kind of weights, or a list of kinds whose predictions are averaged.
        batch_size: images a forward pass.
        views: name -> view, or its keys; without any the picture as it is. A view set to null is left out.
        mean: over views and weights, see `average_views`.
        label_swaps, negated: see `FlippedLabels`.

    Raises:
        ValueError: an unknown kind of weights or mean, no images in a batch, or what views and flips refuse.
    """

    weights: str | Sequence[str] = "auto"
    batch_size: int = 64
    views: Mapping[str, Any] = field(default_factory=dict)
    mean: str = "probability"
    label_swaps: Mapping[str, Any] = field(default_factory=dict)
    negated: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_known = all(re.fullmatch(r"best|last|ema|swa|snapshot_\d+", kind) for kind in self.kinds)
        is_list = is_known and len(set(self.kinds)) == len(self.kinds) > 0
        if self.weights not in ("auto", "snapshots") and not is_list:
            raise ValueError(
                f"inference.weights={self.weights}: expected auto, best, last, ema, swa, snapshots, or several as "
                "[best,snapshot_1]. Set inference.weights=auto."
            )
        if int(self.batch_size) < 1:
            raise ValueError(
                f"inference.batch_size={self.batch_size}: expected at least 1. Set inference.batch_size=64."
            )
        one_of("inference.mean", self.mean, MEANS)
        self.flips  # noqa: B018  # made here to refuse early
        views = {name: View.of(name, view) for name, view in self.views.items() if view is not None}
        object.__setattr__(self, "views", views)  # the config gives dicts

    @property
    def kinds(self) -> tuple[str, ...]:
        """The weights that predict, by the names of their files."""
        return (self.weights,) if isinstance(self.weights, str) else tuple(map(str, self.weights))

    @property
    def flips(self) -> FlippedLabels:
        """What mirroring does to labels."""
        return FlippedLabels(self.label_swaps, self.negated)

    @property
    def ordered_views(self) -> list[tuple[str, View]]:
        """Names and views in the order of names, so that the order of the config changes no bit.

        >>> [name for name, _ in InferenceSettings().ordered_views]
        ['identity']
        """
        return sorted(self.views.items()) or [("identity", View())]

    def resizes(self, image_size: Size) -> bool:
        """Whether the network sees other sizes than image_size."""
        return any(view.size(image_size) != image_size for _, view in self.ordered_views)

    def check(self, task: Task, classes: Sequence[str], image_size: Size) -> None:
        """Refuse what does not go with the competition or the pictures' size.

        Raises:
            ValueError: naming the view, and the key to change.
        """
        if task == Task.REGRESSION and self.mean != "probability":
            raise ValueError(
                f"inference.mean={self.mean} is for probabilities, and the task is regression. "
                "Set inference.mean=probability, the plain mean."
            )
        self.flips.check(classes, task, self.ordered_views)
        for name, view in self.ordered_views:
            if view.swaps_sides and image_size[0] != image_size[1]:
                raise ValueError(
                    f"inference.views.{name}: a quarter turn wants square pictures, and image_size is "
                    f"{list(image_size)}. Set inference=tta_flips, or leave it out: ~inference.views.{name}."
                )
            if view.scale != 1 and view.size(image_size) == image_size:
                raise ValueError(
                    f"inference.views.{name}.scale={view.scale:g} is rounded to image_size={list(image_size)} itself. "
                    f"Set a scale further from 1, or leave it out: ~inference.views.{name}."
                )

    def resolve(self, average: str, snapshots: Sequence[str] = ()) -> "InferenceSettings":
        """The settings with `auto` and `snapshots` replaced by what they mean for a fold.

        Args:
            average: the average of weights it has: ema, swa or none.
            snapshots: names of its snapshots.

        Raises:
            ValueError: weights that it does not have.

        >>> InferenceSettings().resolve("ema").weights, InferenceSettings().resolve("none").weights
        ('ema', 'best')
        """
        if self.weights == "auto":
            return replace(self, weights=average if average in AVERAGES else "best")
        if self.weights == "snapshots" and not snapshots:
            raise ValueError(
                "inference.weights=snapshots: this run keeps none. Set schedule=cosine_cycles, "
                "or inference.weights=best."
            )
        kinds = tuple(snapshots) if self.weights == "snapshots" else self.kinds
        for kind in kinds:
            if kind in AVERAGES and kind != average:
                raise ValueError(
                    f"inference.weights={kind}: this run keeps no such averaged weights. "
                    f"Set averaging={kind} or inference.weights=best."
                )
            if kind.startswith("snapshot_") and kind not in snapshots:
                raise ValueError(
                    f"inference.weights={kind}: there is no such snapshot, but {list(snapshots) or 'none at all'}. "
                    "Set schedule=cosine_cycles with as many cycles, or inference.weights=best."
                )
        return replace(self, weights=kinds[0] if len(kinds) == 1 else kinds)

    def record(self) -> dict[str, Any]:
        """How predictions are made beside the weights, as plain values; equal records may be averaged."""
        return {
            "views": {name: _without_none(asdict(view)) for name, view in self.ordered_views},
            "mean": self.mean,
            "label_swaps": {
                side: [list(pair) for pair in pairs]
                for side, pairs in sorted(self.label_swaps.items())
                if pairs
            },
            "negated": {side: list(names) for side, names in sorted(self.negated.items()) if names},
        }


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """JSON's null would come back as NaN, which equals nothing."""
    return {key: value for key, value in values.items() if value is not None}
