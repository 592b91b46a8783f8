"""How to train: the settings of conf/trainer/, checked when they are built."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainerSettings:
    """Settings of the loop; conf/trainer/default.yaml explains each.

    Raises:
        ValueError: a value outside its range, by the name of its key.
    """

    device: str = "auto"
    precision: str = "auto"
    accumulate: int = 1
    clip: str = "norm"
    clip_at: float | None = None
    clip_p: float = 2.0
    l1: float = 0.0
    early_stopping_epochs: int | None = None
    checkpoint_every_steps: int | None = None
    max_hours: float | None = None
    threads: int | str = "auto"
    channels_last: bool | str = "auto"
    sync_bn: bool | str = "auto"
    compile: bool = False
    deterministic: bool = False
    probe_every: int = 50
    clean_rows: int = 1000

    def __post_init__(self) -> None:
        positive = (
            "accumulate", "clip_at", "clip_p", "early_stopping_epochs", "checkpoint_every_steps", "max_hours",
        )  # fmt: skip
        for key in positive:
            value = getattr(self, key)
            if value is not None and not float(value) > 0:
                raise ValueError(
                    f"trainer.{key}={value}: expected more than 0. Set trainer.{key}=1, for example."
                )
        for key in ("accumulate", "early_stopping_epochs", "checkpoint_every_steps"):
            value = getattr(self, key)
            if value is not None and int(value) != value:
                raise ValueError(
                    f"trainer.{key}={value}: expected a whole number. Set trainer.{key}={int(value) + 1}."
                )
        for key in ("probe_every", "clean_rows"):
            value = getattr(self, key)
            if not float(value) >= 0 or int(value) != value:
                raise ValueError(
                    f"trainer.{key}={value}: expected a whole number >= 0; 0 switches it off. Set trainer.{key}=100."
                )
        if self.clip not in ("norm", "value", "adaptive"):
            raise ValueError(
                f"trainer.clip={self.clip}: expected norm, value or adaptive. Set trainer.clip=norm."
            )
        if not float(self.l1) >= 0:
            raise ValueError(f"trainer.l1={self.l1}: expected at least 0. Set trainer.l1=1e-5, for example.")
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise ValueError(
                f"trainer.precision={self.precision}: expected auto, fp32, bf16 or fp16. Set trainer.precision=auto."
            )
        for key in ("channels_last", "sync_bn"):
            value = getattr(self, key)
            if value not in ("auto", True, False):
                raise ValueError(
                    f"trainer.{key}={value}: expected auto, true or false. Set trainer.{key}=auto."
                )
