"""Which few views are worth their time: chosen on out-of-fold rows, and scored on rows they were not chosen on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compkit.inference.settings import InferenceSettings
from compkit.inference.views import View
from compkit.ranges import whole
from compkit.types import Task


@dataclass(frozen=True)
class ViewSearch(InferenceSettings):
    """A search for views; conf/inference/search.yaml explains it.

    Attributes:
        candidates: name -> view, or its keys; one set to null is left out.
        max_views: views that are chosen at most, >= 1.

    Raises:
        ValueError: no candidate, max_views < 1, `views` beside the candidates, or what `InferenceSettings` refuses.
    """

    candidates: Mapping[str, Any] = field(default_factory=dict)
    max_views: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.views:
            raise ValueError(
                f"inference.views={sorted(self.views)}: a search chooses its views among the candidates. "
                "Set inference.candidates."
            )
        whole("inference.max_views", self.max_views, 1, "4")
        found = {name: View.of(name, view) for name, view in self.candidates.items() if view is not None}
        if not found:
            raise ValueError(
                "inference.candidates={}: expected some views. Set inference=search for the usual ones."
            )
        object.__setattr__(self, "candidates", found)  # the config gives dicts

    def with_views(self, names: Sequence[str]) -> InferenceSettings:
        """The settings of plain prediction with some of the candidates, all for `names` = candidates."""
        views = {name: self.candidates[name] for name in names}
        return InferenceSettings(
            self.weights, self.batch_size, views, self.mean, self.label_swaps, self.negated
        )

    def resizes(self, image_size: tuple[int, int]) -> bool:
        return self.with_views(list(self.candidates)).resizes(image_size)

    def check(self, task: Task, classes: Sequence[str], image_size: tuple[int, int]) -> None:
        try:
            self.with_views(list(self.candidates)).check(task, classes, image_size)
        except ValueError as error:
            raise ValueError(str(error).replace("inference.views.", "inference.candidates.")) from None


def select_views(
    score: Callable[[list[int]], float], candidates: int, max_views: int, greater_is_better: bool
) -> list[int]:
    """Greedy forward selection: the best single view, then whichever raises the score most, as long as it rises.

    Args:
        score: of the mean of some views, given by their positions.
        candidates: how many there are.
        max_views: how many are chosen at most.
        greater_is_better: whether a better score is higher.

    Returns:
        positions of the chosen views, in the order in which they were; of equally good ones the first.

    Raises:
        ValueError: the score cannot be computed for any view.

    >>> worth = {(1,): 0.6, (0, 1): 0.7}
    >>> select_views(lambda views: worth.get(tuple(sorted(views)), 0.5), 3, 3, greater_is_better=True)
    [1, 0]
    """
    sign = 1.0 if greater_is_better else -1.0
    chosen: list[int] = []
    best = -np.inf
    while len(chosen) < min(max_views, candidates):
        left = [view for view in range(candidates) if view not in chosen]
        scores = np.array([sign * score([*chosen, view]) for view in left])
        scores[np.isnan(scores)] = -np.inf  # cannot be computed, so never better
        top = int(np.argmax(scores))
        if scores[top] <= best:
            break
        chosen.append(left[top])
        best = scores[top]
    if not chosen:
        raise ValueError(
            "the metric cannot be computed on the rows that views are chosen on. Set another metric for the "
            "competition, or more rows a fold."
        )
    return chosen
