"""How predictions are made: the settings of conf/inference/, the same for OOF and test."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class InferenceSettings:
    """Settings of prediction; conf/inference/plain.yaml explains each.

    Raises:
        ValueError: an unknown kind of weights, or no images in a batch.
    """

    weights: str = "auto"
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.weights not in ("auto", "best", "ema", "last"):
            raise ValueError(
                f"inference.weights={self.weights}: expected auto, best, ema or last. Set inference.weights=auto."
            )
        if int(self.batch_size) < 1:
            raise ValueError(
                f"inference.batch_size={self.batch_size}: expected at least 1. Set inference.batch_size=64."
            )

    def resolve(self, has_ema: bool) -> "InferenceSettings":
        """The settings with `auto` replaced by what it means for a run with or without averaging.

        >>> InferenceSettings().resolve(has_ema=False).weights
        'best'
        """
        weights = ("ema" if has_ema else "best") if self.weights == "auto" else self.weights
        if weights == "ema" and not has_ema:
            raise ValueError(
                "inference.weights=ema: this run keeps no averaged weights. "
                "Set averaging=ema or inference.weights=best."
            )
        return InferenceSettings(**{**asdict(self), "weights": weights})
