"""How much of a run is explained."""

from dataclasses import dataclass
from typing import Any, Self

from compkit.ranges import whole

MOST_POINTS = 20_000


@dataclass(frozen=True)
class ExplainSettings:
    """The keys of `explain` in conf/train.yaml.

    Attributes:
        worst: mistakes of the run that get maps of what the network looked at; 0 for none.
        points: validation pictures of the run that are drawn as points; 0 for none.

    Raises:
        ValueError: no whole number >= 0, or more points than can be drawn.
    """

    worst: int = 24
    points: int = 2000

    def __post_init__(self) -> None:
        for name, usual in (("worst", "24"), ("points", "2000")):
            value = whole(f"explain.{name}", getattr(self, name), 0, usual)
            object.__setattr__(self, name, value)  # the command line may give a text
        if self.points > MOST_POINTS:
            raise ValueError(
                f"explain.points: got {self.points}; expected at most {MOST_POINTS}, as t-SNE takes minutes for more "
                "and the points lie on each other. Set explain.points=2000."
            )

    @classmethod
    def of(cls, values: Any) -> Self:
        """The settings from their node in the config.

        Raises:
            ValueError: something else than these two keys.

        >>> ExplainSettings.of({"worst": 8, "points": 0})
        ExplainSettings(worst=8, points=0)
        """
        if not isinstance(values, dict) or set(values) - {"worst", "points"}:
            raise ValueError(
                f"explain={values}: expected the keys worst and points. "
                "Set explain.worst=0 explain.points=0 to explain nothing."
            )
        return cls(**values)

    def of_fold(self, position: int, folds: int) -> "ExplainSettings":
        """The share of one of the run's folds; the first folds take what is left over.

        >>> ExplainSettings(worst=8, points=9).of_fold(0, 5), ExplainSettings(worst=8, points=9).of_fold(4, 5)
        (ExplainSettings(worst=2, points=2), ExplainSettings(worst=1, points=1))
        """

        def share(total: int) -> int:
            return total // folds + (position < total % folds)

        return ExplainSettings(share(self.worst), share(self.points))
