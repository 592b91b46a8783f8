"""Where the numbers of an epoch go besides fold_K/history.csv, which the loop always writes."""

import json
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from compkit.files import write_text


class Logger(Protocol):
    """Follows the folds of a run, one after the other.

    A row holds `epoch`, `train_loss`, `val_loss`, `val_<metric>`, `lr`, `images_per_second` and
    `seconds`, as history.csv does.
    """

    def start_fold(self, fold: int, run_name: str, config: Mapping[str, Any], folder: Path) -> None:
        """A fold begins or goes on; `folder` is the run's, `config` holds plain values."""

    def log_epoch(self, row: Mapping[str, float]) -> None:
        """An epoch has ended."""

    def finish_fold(self, summary: Mapping[str, float]) -> None:
        """The fold has ended; `summary` holds its final scores."""


@runtime_checkable
class DrawingLogger(Logger, Protocol):
    """A logger that shows histograms and pictures too, of an epoch whose row it has got."""

    def log_histograms(self, epoch: int, histograms: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Shares [N] and the edges [N + 1] of their bins, by name."""

    def log_pictures(self, epoch: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Pictures uint8 [H, W, 3], by name."""


def log_all(
    loggers: Sequence[Logger],
    row: Mapping[str, float],
    histograms: Callable[[], Mapping[str, tuple[np.ndarray, np.ndarray]]],
    pictures: Callable[[], Mapping[str, np.ndarray]],
) -> None:
    """Give every logger the epoch's row, and histograms and pictures to those that show them.

    Args:
        loggers: of the run.
        row: of the epoch.
        histograms, pictures: make them; not called where nobody shows them.
    """
    for logger in loggers:
        logger.log_epoch(row)
        if isinstance(logger, DrawingLogger):
            logger.log_histograms(int(row["epoch"]), histograms())
            logger.log_pictures(int(row["epoch"]), pictures())


class TensorBoardLogger:
    """Writes event files to <run>/tensorboard/fold_K, for `tensorboard --logdir outputs`.

    Raises:
        ValueError: tensorboard is not installed.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> logger = TensorBoardLogger()
    >>> logger.start_fold(0, "demo", {"lr": 1e-3}, folder)
    >>> logger.log_epoch({"epoch": 0, "train_loss": 2.3})
    >>> logger.finish_fold({"accuracy": 0.1})
    >>> [file.parent.name for file in folder.rglob("events*")]
    ['fold_0']
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(
                f"logger=tensorboard: tensorboard cannot be imported ({error}). Install it with "
                "`pip install compkit[tensorboard]`, or use logger=csv."
            ) from error
        self._open = SummaryWriter
        self._epoch = 0

    def start_fold(self, fold: int, run_name: str, config: Mapping[str, Any], folder: Path) -> None:
        self._writer = self._open(str(folder / "tensorboard" / f"fold_{fold}"))
        # indented lines are code in TensorBoard's Markdown
        lines = json.dumps(config, indent=2, default=str).splitlines()
        self._writer.add_text("config", "\n".join("    " + line for line in lines))

    def log_epoch(self, row: Mapping[str, float]) -> None:
        self._epoch = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, self._epoch)
        self._writer.flush()

    def log_histograms(self, epoch: int, histograms: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        for name, (shares, edges) in histograms.items():
            middles = (edges[:-1] * edges[1:]) ** 0.5  # the edges grow by a factor
            self._writer.add_histogram_raw(
                name,
                min=edges[0],
                max=edges[-1],
                num=shares.sum(),
                sum=shares @ middles,
                sum_squares=shares @ middles**2,
                bucket_limits=edges[1:].tolist(),
                bucket_counts=shares.tolist(),
                global_step=epoch,
            )

    def log_pictures(self, epoch: int, pictures: Mapping[str, np.ndarray]) -> None:
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, epoch, dataformats="HWC")

    def finish_fold(self, summary: Mapping[str, float]) -> None:
        for name, value in summary.items():
            self._writer.add_scalar(f"final/{name}", value, self._epoch)
        self._writer.close()


class WandbLogger:
    """Follows a run on Weights & Biases: a wandb run for each fold, grouped by the run's name.

    Nothing that goes wrong there stops or delays a training: the first failure (no login, no
    network, an outage) warns and turns this logger off for the rest of the run. The wandb run's
    id is kept in <run>/wandb/fold_K.id, so `resume=true` continues the same curves and a new
    folder of an old name starts new ones.

    Args:
        project: where runs are collected.
        mode: online; offline (upload later with `wandb sync`); disabled.
        entity: user or team; None is the login's default.
        group: collects the folds of a run; None is the run's name.
        tags: labels to filter by.
        timeout_seconds: longest wait for the service when a fold starts, and when it ends.

    Raises:
        ValueError: unknown mode, or a wait that is not positive.

    >>> logger = WandbLogger("digits", mode="disabled")
    >>> logger.start_fold(0, "demo", {}, Path("outputs/digits/demo"))
    >>> logger.finish_fold({})
    """

    def __init__(
        self,
        project: str,
        mode: str = "online",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        timeout_seconds: float = 30.0,
    ) -> None:
        if mode not in ("online", "offline", "disabled"):
            raise ValueError(
                f"logger.wandb.mode: got {mode!r}, expected online, offline or disabled; "
                "e.g. logger.wandb.mode=offline on a machine without network."
            )
        if not float(timeout_seconds) > 0:
            raise ValueError(
                f"logger.wandb.timeout_seconds: got {timeout_seconds}, expected seconds > 0, e.g. 30."
            )
        self.project = project
        self.mode = mode
        self.entity = entity
        self.group = group
        self.tags = list(tags)
        self.timeout_seconds = float(timeout_seconds)
        self._on = mode != "disabled"
        self._run: Any = None

    def start_fold(self, fold: int, run_name: str, config: Mapping[str, Any], folder: Path) -> None:
        self._attempt(lambda: self._start(fold, run_name, config, folder))

    def log_epoch(self, row: Mapping[str, float]) -> None:
        self._attempt(lambda: self._run.log(dict(row)))

    def log_histograms(self, epoch: int, histograms: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self._attempt(lambda: self._log_histograms(epoch, histograms))

    def log_pictures(self, epoch: int, pictures: Mapping[str, np.ndarray]) -> None:
        self._attempt(lambda: self._log_pictures(epoch, pictures))

    def finish_fold(self, summary: Mapping[str, float]) -> None:
        self._attempt(lambda: self._finish(summary))

    def _start(self, fold: int, run_name: str, config: Mapping[str, Any], folder: Path) -> None:
        import wandb

        self._folder = folder
        _remove_logs(folder / "wandb")  # of a process that was killed
        # silent for the whole process: it also turns a prompt for the login into an error
        wandb.setup(wandb.Settings(silent=True))
        self._run = wandb.init(
            mode=self.mode,  # type: ignore[arg-type]
            project=self.project,
            entity=self.entity,
            group=self.group or run_name,
            tags=self.tags,
            name=f"{run_name} fold {fold}",
            id=_kept_id(folder / "wandb" / f"fold_{fold}.id"),
            resume="allow",
            config=dict(config),
            dir=str(folder),
            settings=wandb.Settings(
                silent=True,
                console="off",
                x_disable_meta=True,  # names of user and host
                disable_git=True,  # environment.json has the commit; a remote's address may hold a password
                init_timeout=self.timeout_seconds,
                finish_timeout=self.timeout_seconds,
                finish_timeout_raises=True,
            ),
        )
        # an epoch repeated after a resume is then drawn at its place, not dropped as out of order
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def _log_histograms(self, epoch: int, histograms: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        import wandb

        # W&B draws edges that are evenly spaced only, so these are powers of two
        drawn = {
            name: wandb.Histogram(np_histogram=(shares, np.log2(edges)))
            for name, (shares, edges) in histograms.items()
        }
        self._run.log(drawn | {"epoch": epoch})

    def _log_pictures(self, epoch: int, pictures: Mapping[str, np.ndarray]) -> None:
        import wandb

        drawn = {name: wandb.Image(picture) for name, picture in pictures.items()}
        self._run.log(drawn | {"epoch": epoch})

    def _finish(self, summary: Mapping[str, float]) -> None:
        self._run.summary.update(dict(summary))
        self._run.finish()
        _remove_logs(self._folder / "wandb")

    def _attempt(self, action: Callable[[], None]) -> None:
        if not self._on:
            return
        try:
            action()
        except Exception as error:  # an outage of any kind must not cost a training
            self._on = False
            warnings.warn(
                f"logger=wandb: {type(error).__name__}: {error}. W&B is off for the rest of this run, "
                "the training goes on. `wandb login`, or logger.wandb.mode=offline, avoids this.",
                stacklevel=3,
            )


def _remove_logs(folder: Path) -> None:
    """W&B's logs about itself: they tell the home folder, and syncing an offline run does not need them."""
    for log in folder.rglob("debug*.log"):
        log.unlink()


def _kept_id(path: Path) -> str:
    """The identifier in the file; made and written when there is none yet."""
    if not path.exists():
        write_text(path, uuid.uuid4().hex)
    return path.read_text(encoding="utf-8").strip()
