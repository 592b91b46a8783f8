"""How predictions are made: the settings of conf/inference/, the same for OOF and test."""

from dataclasses import asdict, dataclass

AVERAGES = ("ema", "swa")  # kinds of averaged weights, saved beside the raw ones


@dataclass(frozen=True)
class InferenceSettings:
    """Settings of prediction; conf/inference/plain.yaml explains each.

    Raises:
        ValueError: an unknown kind of weights, or no images in a batch.
    """

    weights: str = "auto"
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.weights not in ("auto", "best", "last", *AVERAGES):
            raise ValueError(
                f"inference.weights={self.weights}: expected auto, best, last, ema or swa. Set inference.weights=auto."
            )
        if int(self.batch_size) < 1:
            raise ValueError(
                f"inference.batch_size={self.batch_size}: expected at least 1. Set inference.batch_size=64."
            )

    def resolve(self, average: str) -> "InferenceSettings":
        """The settings with `auto` replaced by what it means for a run that keeps this average: ema, swa or none.

        >>> InferenceSettings().resolve("ema").weights, InferenceSettings().resolve("none").weights
        ('ema', 'best')
        """
        weights = self.weights
        if weights == "auto":
            weights = average if average in AVERAGES else "best"
        if weights in AVERAGES and weights != average:
            raise ValueError(
                f"inference.weights={weights}: this run keeps no such averaged weights. "
                f"Set averaging={weights} or inference.weights=best."
            )
        return InferenceSettings(**{**asdict(self), "weights": weights})
