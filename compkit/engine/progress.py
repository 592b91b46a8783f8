"""Where a fold's training stands: counters, history and best scores; all of it goes into the checkpoint."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from compkit.files import atomic_path
from compkit.types import Moment


@dataclass
class Progress:
    """Counters of one fold.

    Attributes:
        epoch: finished epochs.
        window: steps of the running epoch that were taken, skipped ones included.
        step: optimizer steps that changed the weights.
        lost_epochs: how far the schedule's clock lies behind, for steps that fp16 skipped.
        seconds: training time of the running epoch so far, evaluation excluded.
        best: kind of weights (best, ema) -> its best epoch's {"epoch", "score"}.
        history: a row for each finished epoch.
    """

    epoch: int = 0
    window: int = 0
    step: int = 0
    lost_epochs: float = 0.0
    seconds: float = 0.0
    best: dict[str, dict[str, float]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def moment(self, windows: int, epochs: int) -> Moment:
        """Now, in an epoch of so many windows.

        >>> Progress(epoch=2, window=5, step=25).moment(windows=10, epochs=4)
        Moment(step=25, epoch=2.5, epochs=4)
        """
        return Moment(self.step, self.epoch + self.window / windows - self.lost_epochs, epochs)

    def is_best(self, kind: str, score: float, greater_is_better: bool) -> bool:
        """Note the score of the epoch just finished; true when this kind of weights never had a better one."""
        old = self.best.get(kind, {}).get("score", math.nan)
        if not math.isnan(old) and not (score > old if greater_is_better else score < old):
            return False
        if kind in self.best and math.isnan(score):
            return False
        self.best[kind] = {"epoch": self.epoch, "score": score}
        return True

    def stale_epochs(self) -> int:
        """Epochs since any kind of weights last got better."""
        return self.epoch - max((int(best["epoch"]) for best in self.best.values()), default=0)

    def is_finished(self, epochs: int, patience: int | None) -> bool:
        """All epochs are done, or early stopping ended the fold.

        >>> Progress(epoch=7, best={"best": {"epoch": 2, "score": 0.9}}).is_finished(10, patience=5)
        True
        """
        return self.epoch >= epochs or (patience is not None and self.stale_epochs() >= patience)

    def write_history(self, path: Path) -> None:
        """history.csv, whole: each epoch once however often training was interrupted."""
        with atomic_path(path) as temporary:
            pd.DataFrame(self.history).to_csv(temporary, index=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the checkpoint."""
        return asdict(self)
