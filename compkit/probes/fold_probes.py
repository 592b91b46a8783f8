"""The probes of one fold: when they look, what they keep, and what of it is written."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from compkit.data import Draw
from compkit.inference import activate, predict_logits
from compkit.probes.dynamics import change, followed_rows, merit
from compkit.probes.entered import entered
from compkit.probes.filters import first_filters, kept_filters, smoothness, tiles
from compkit.probes.histograms import EDGES
from compkit.probes.layers import Layer, choose_layers
from compkit.probes.records import write_probes
from compkit.probes.watch import CALL, STATISTICS, LayerWatch, Look
from compkit.types import Moment

if TYPE_CHECKING:
    from compkit.engine.step import MicroBatch, StepFigures, Stepper

PER_EPOCH, PER_RUN = 20, 300  # probes at most
WRITE_SECONDS = 30  # between two writings of the files: the checkpoint holds the same
DRAWN_LAYERS = 24  # whose histograms go to the loggers


class NoProbes:
    """Nothing is looked at."""

    def step(
        self, stepper: "Stepper", window: Sequence["MicroBatch"], moment: Moment, windows: int
    ) -> "StepFigures":
        """The step itself."""
        return stepper.step(window, moment)

    def end_epoch(self, stepper: "Stepper", epoch: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Nothing is kept."""

    def means(self) -> dict[str, float]:
        """None."""
        return {}

    def histograms(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """None."""
        return {}

    def pictures(self) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def write(self, folder: Path, is_last: bool = False) -> None:
        """Nothing is written."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing to resume from."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What earlier probes have kept is let go."""


class FoldProbes(NoProbes):
    """Looks at some of a fold's steps, and at the end of each epoch, without changing anything of the training.

    All of it is state of the checkpoint, so a run that was killed and goes on ends with the same rows; the files are
    written whole from it.

    Args:
        every: steps from one probed step to the next, at least; see `interval`.
        is_compiled: modules of a compiled network do not run by themselves, so activations cannot be seen.
    """

    def __init__(self, every: int, is_compiled: bool) -> None:
        self.every, self.is_compiled = every, is_compiled
        self.names: list[str] = []
        self.kinds: list[str] = []
        self.places: list[list[int]] = []  # of each probe: epoch and step
        self.tables: list[Tensor] = []  # of each probe: float32 [L, S]
        self.spread: Tensor | None = None  # of the last probe: float16 [L, 2, 16]
        self.arrays: dict[str, Tensor] = {}  # what entered the network; filters at the start and now
        self.followed: dict[str, list[Any]] = {
            name: [] for name in ("epoch", "change", "merit", "answer", "smoothness")
        }
        self.predicted: Tensor | None = None  # of the followed rows after the last epoch, float32 [n, C]
        self._layers: list[Layer] = []
        self._written = time.monotonic()

    def step(
        self, stepper: "Stepper", window: Sequence["MicroBatch"], moment: Moment, windows: int
    ) -> "StepFigures":
        """Make the step, and look at it if its turn has come.

        Args:
            stepper: makes the step.
            window: what it learns from.
            moment: how far training has come.
            windows: steps of the epoch.
        """
        if moment.step % interval(self.every, windows, moment.epochs):
            return stepper.step(window, moment)
        if not self.arrays:
            self._keep_filters(stepper, "filters_first")
        if not self._layers:
            self._layers = choose_layers(stepper.learner.model)
        with_calls = not self.names or any(CALL in name for name in self.names)  # the first probe has told
        watch = LayerWatch(self._layers, not self.is_compiled, with_calls)
        stepper.watch = watch
        figures = stepper.step(window, moment)
        stepper.watch = None
        if "input_pictures" not in self.arrays and watch.images is not None and watch.targets is not None:
            found = entered(watch.images, watch.targets, window[0].rows, stepper.data.preprocessing)
            self.arrays |= {name: torch.from_numpy(value) for name, value in found.items()}
        if figures.is_taken:  # one that fp16 skipped is made again
            self._keep(watch.look(), math.floor(moment.epoch) + 1, moment.step)
        return figures

    def end_epoch(self, stepper: "Stepper", epoch: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Follow the predictions of a few rows, and the first filters.

        Args:
            stepper: of the fold.
            epoch: that has ended, from 1.
            rows: of validation, in rising order; none: training rows are predicted for it.
            values: their predictions, [N, C].
        """
        data = stepper.data
        if len(rows):
            followed = followed_rows(np.sort(rows))
            predicted = values[np.searchsorted(rows, followed)]
        else:
            followed = followed_rows(data.train_rows)
            model, device = stepper.learner.model, stepper.ranks.device
            draws = [Draw(followed, None)]
            _, logits = predict_logits(model, data.loader, draws, data.preprocessing, device, stepper.dtype)
            predicted = activate(logits, data.task)
        targets = data.table.labels[followed]
        before = None if self.predicted is None else self.predicted.numpy()
        moved = math.nan if before is None else change(before, predicted, data.task)
        self.followed["epoch"].append(epoch)
        self.followed["change"].append(moved)
        self.followed["merit"].append(merit(predicted, targets, data.task).tolist())
        self.followed["answer"].append(predicted.argmax(axis=1).tolist())
        self.predicted = torch.from_numpy(predicted.copy())
        self.arrays |= {
            "followed_rows": torch.from_numpy(followed),
            "followed_labels": torch.from_numpy(targets),
        }
        self._keep_filters(stepper, "filters_last")
        self.followed["smoothness"].append(self._smoothness())

    def means(self) -> dict[str, float]:
        """Each statistic of the last probe over the layers, and how far predictions moved; for loggers."""
        found = {"prediction_change": self.followed["change"][-1]}
        if self.tables:
            middle = torch.nanmedian(self.tables[-1], dim=0).values.tolist()
            mean = torch.nanmean(self.tables[-1], dim=0).tolist()
            # sizes span decades from layer to layer, shares do not
            found |= {
                name: middle[number] if name.endswith(("rms", "ratio")) else mean[number]
                for number, name in enumerate(STATISTICS)
            }
        return {f"probes/{name}": value for name, value in found.items() if math.isfinite(value)}

    def histograms(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Shares [16] and edges [17] of the last probe's magnitudes, by name, of some layers; for loggers."""
        if self.spread is None:
            return {}
        some = np.unique(np.linspace(0, len(self.spread) - 1, DRAWN_LAYERS).round().astype(int))
        found = {
            f"probes/{what}/{self.names[layer]}": self.spread[layer, number].float().numpy()
            for layer in some
            for number, what in enumerate(("activations", "gradients"))
        }
        return {name: (shares, EDGES) for name, shares in found.items() if np.isfinite(shares).all()}

    def pictures(self) -> dict[str, np.ndarray]:
        """Pictures uint8 [H, W, 3], by name; for loggers."""
        if "filters_last" not in self.arrays:
            return {}
        return {"probes/first_filters": tiles(self.arrays["filters_last"].float().numpy())}

    def write(self, folder: Path, is_last: bool = False) -> None:
        """Write the fold's files, now and then, and at the end."""
        if not (is_last or time.monotonic() - self._written > WRITE_SECONDS) or not self.places:
            return
        self._written = time.monotonic()
        arrays = {name: value.numpy() for name, value in self.arrays.items()}
        arrays |= {f"followed_{name}": np.array(values) for name, values in self.followed.items()}
        if self.spread is not None:
            arrays |= {"layers": np.array(self.names), "histograms": self.spread.numpy()}
        arrays["is_compiled"] = np.array(self.is_compiled)
        write_probes(folder, self.names, self.kinds, self.places, self.tables, arrays)

    def state_dict(self) -> dict[str, Any]:
        """Everything that was kept."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; from nothing when the run had no probes so far."""
        for name in STATE:
            if name in state:
                setattr(self, name, _on_cpu(state[name]))

    def _keep(self, look: Look, epoch: int, step: int) -> None:
        """Add a probe; layers that were not seen before come last."""
        new = [number for number, name in enumerate(look.names) if name not in self.names]
        self.names += [look.names[number] for number in new]
        self.kinds += [look.kinds[number] for number in new]
        rows = [self.names.index(name) for name in look.names]
        table = torch.full((len(self.names), look.statistics.shape[1]), torch.nan)
        table[rows] = look.statistics
        self.spread = torch.full(
            (len(self.names), *look.histograms.shape[1:]), torch.nan, dtype=torch.float16
        )
        self.spread[rows] = look.histograms
        self.tables.append(table)
        self.places.append([epoch, step])

    def _keep_filters(self, stepper: "Stepper", name: str) -> None:
        filters = first_filters(stepper.learner.model)
        if filters is not None:
            self.arrays[name] = kept_filters(filters)

    def _smoothness(self) -> float:
        return smoothness(self.arrays["filters_last"]) if "filters_last" in self.arrays else math.nan


STATE = (
    "names", "kinds", "places", "tables", "spread", "arrays", "followed", "predicted",
)  # fmt: skip


def start_probes(every: int, is_compiled: bool, is_main: bool) -> NoProbes:
    """The probes of a fold; none where they are off, and on all ranks but the first.

    Args:
        every: see FoldProbes; 0 is off.
        is_compiled: whether the network is.
        is_main: whether this is the first rank.
    """
    return FoldProbes(every, is_compiled) if every and is_main else NoProbes()


def interval(every: int, windows: int, epochs: int) -> int:
    """Steps from one probe to the next: `every`, or more where that would be too many for an epoch or for the run.

    >>> interval(50, windows=100, epochs=10), interval(50, windows=10_000, epochs=10), interval(50, 10_000, 300)
    (50, 500, 10000)
    """
    return max(every, math.ceil(windows / PER_EPOCH), math.ceil(windows * epochs / PER_RUN))


def _on_cpu(value: Any) -> Any:
    """Tensors of a checkpoint that was loaded onto a GPU, back again."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {name: _on_cpu(one) for name, one in value.items()}
    return [_on_cpu(one) for one in value] if isinstance(value, list) else value
