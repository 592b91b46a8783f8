"""The training loop."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Loader, Preprocessing, evaluation_draws, training_windows
from compkit.engine.checkpoint import load_checkpoint, save_checkpoint, save_weights
from compkit.engine.console import Console
from compkit.engine.distributed import Ranks, average_buffers, gather_rows, training_module
from compkit.engine.finite import FiniteWatch
from compkit.engine.hardware import choose_precision
from compkit.engine.loggers import Logger
from compkit.engine.progress import Progress
from compkit.engine.trainer import TrainerSettings
from compkit.inference import activate, predict_logits
from compkit.losses import Loss
from compkit.metrics import Metric
from compkit.optim import EMA, NoAveraging, Schedule, set_lr
from compkit.randomness import restore_rng, rng_state
from compkit.types import Batch, Table, Task


@dataclass(frozen=True)
class FoldData:
    """What a fold learns from and is judged by."""

    table: Table
    train_rows: np.ndarray  # int64 positions in the table
    valid_rows: np.ndarray
    loader: Loader
    preprocessing: Preprocessing
    batch_size: int
    task: Task


@dataclass(frozen=True)
class Learner:
    """What learns: built for one fold, changed by `fit`."""

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    averaging: NoAveraging | EMA
    metrics: dict[str, Metric]
    metric_name: str  # the metric that chooses the best epoch and drives plateau

    @property
    def greater_is_better(self) -> bool:
        return self.metrics[self.metric_name].greater_is_better

    def candidates(self) -> dict[str, nn.Module]:
        """The weights that are evaluated and saved apart: name of the file -> module."""
        averaged = self.averaging.model
        return {"best": self.model} | ({} if averaged is None else {"ema": averaged})


def fit(
    folder: Path,
    learner: Learner,
    data: FoldData,
    settings: TrainerSettings,
    epochs: int,
    seed: int,
    ranks: Ranks,
    console: Console,
    loggers: Sequence[Logger],
    title: str,
    metadata: dict[str, Any],
) -> Progress:
    """Train one fold, from where its folder's checkpoint stands to the end.

    Writes best.safetensors (and ema.safetensors) at each epoch that is the best so far, last.safetensors at the
    end, history.csv and the checkpoint. Killed at any moment and called again, it ends in the same bits.

    Raises:
        ValueError: the loss or the gradient is not finite, or there are too few rows for one step.
    """
    model, loss_fn, optimizer = learner.model, learner.loss, learner.optimizer
    device, dtype = ranks.device, choose_precision(settings.precision, ranks.device)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    module = training_module(model, settings.compile, ranks)
    run, sums = _resume(folder, learner, scaler, ranks)
    watch = FiniteWatch(data.table.ids, scaler.is_enabled())

    while not run.is_finished(epochs, settings.early_stopping_epochs):
        windows = training_windows(
            data.train_rows, data.batch_size, settings.accumulate, ranks.world, seed, run.epoch
        )
        if not windows:
            raise ValueError(
                f"{title}: {len(data.train_rows)} training rows are too few for a step on {ranks.world} rank(s). "
                "Set a smaller batch_size, fewer folds or a larger limit."
            )
        mine = [window[ranks.rank] for window in windows[run.window :]]
        draws = [draw for window in mine for draw in window]
        batches = data.loader.batches(draws)
        module.train()
        start = time.perf_counter() - run.seconds
        total = sum(len(draw.rows) for draw in draws)
        with console.epoch(total, f"{title} epoch {run.epoch + 1}/{epochs}") as bar:
            for window in mine:
                micro = [to_device(next(batches), device) for _ in window]
                weights = [loss_fn.sample_weight(batch.targets).sum() for batch in micro]
                local_weight = torch.stack(weights).sum()
                window_weight = ranks.sum(local_weight.clone())
                set_lr(optimizer, learner.schedule.factor(run.step / len(windows), epochs))

                window_loss = torch.zeros((), device=device)
                for number, (batch, weight) in enumerate(zip(micro, weights, strict=True), start=1):
                    with gradient_sync(module, on=number == len(micro)):
                        images = network_input(batch.images, data.preprocessing, settings)
                        with torch.autocast(device.type, dtype, enabled=dtype is not None):
                            logits = module(images)
                        # each micro-batch by its share of the window's weight: the big batch's gradient exactly;
                        # DDP then averages over the ranks where their sum is wanted, hence `world`
                        loss = loss_fn(logits, batch.targets) * (weight / window_weight)
                        scaler.scale(loss * ranks.world).backward()
                    window_loss += loss.detach()

                scaler.unscale_(optimizer)
                grad_norm = clip_gradients(model, settings)
                scale = scaler.get_scale()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
                if scaler.get_scale() >= scale:  # a skipped fp16 step moves neither the schedule nor the EMA
                    run.step += 1
                    learner.averaging.update(model)

                run.window += 1
                run.seconds = time.perf_counter() - start
                count = sum(len(batch.rows) for batch in micro)
                sums += _figures(window_loss * window_weight, local_weight, grad_norm, count)
                bar.advance(count, loss=watch.check())
                watch.remember(window_loss, grad_norm, [b.rows for b in micro], run.epoch + 1, run.window)
                if settings.checkpoint_every_steps and run.window % settings.checkpoint_every_steps == 0:
                    watch.check()
                    _save(folder, learner, scaler, run, sums, ranks)
            watch.check()

        run.epoch += 1
        row = _training_row(run, ranks.sum(sums).tolist(), optimizer, ranks.world)
        for kind, candidate in learner.candidates().items():
            average_buffers(candidate, ranks)
            scores = evaluate(candidate, loss_fn, learner.metrics, data, ranks, dtype)
            row |= {("" if kind == "best" else f"{kind}_") + f"val_{name}": scores[name] for name in scores}
            score = scores[learner.metric_name]
            if run.is_best(kind, score, learner.greater_is_better) and ranks.is_main:
                save_weights(folder / f"{kind}.safetensors", candidate, metadata | {"epoch": run.epoch})
            if kind == "best":
                learner.schedule.observe(score, learner.greater_is_better)
        run.history.append(row)
        run.window, run.seconds, sums = 0, 0.0, torch.zeros_like(sums)
        if ranks.is_main:
            run.write_history(folder / "history.csv")
        _save(folder, learner, scaler, run, sums, ranks)
        console.epoch_line(row, best=run.stale_epochs() == 0)
        for logger in loggers:
            logger.log_epoch(row)

    if ranks.is_main:
        save_weights(folder / "last.safetensors", model, metadata | {"epoch": run.epoch})
    return run


def evaluate(
    model: nn.Module,
    loss_fn: Loss,
    metrics: dict[str, Metric],
    data: FoldData,
    ranks: Ranks,
    dtype: torch.dtype | None,
) -> dict[str, float]:
    """Loss and metrics on the whole validation set, the same on every rank."""
    draws = evaluation_draws(data.valid_rows, data.batch_size, ranks.rank, ranks.world)
    local = predict_logits(model, data.loader, draws, data.preprocessing, ranks.device, dtype)
    rows, logits = gather_rows(*local, ranks)
    assert len(rows) == len(data.valid_rows), "a validation row was not predicted"
    targets = data.table.labels[rows]
    values = activate(logits, data.task)
    loss = loss_fn(logits.to(ranks.device), torch.from_numpy(targets).to(ranks.device))
    return {"loss": loss.item()} | {name: metric(targets, values) for name, metric in metrics.items()}


def clip_gradients(model: nn.Module, settings: TrainerSettings) -> Tensor:
    """Clip the gradients as the settings say; their norm before clipping, a tensor []."""
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients, float(settings.clip_p))
    if settings.clip_at is not None and settings.clip == "norm":
        nn.utils.clip_grads_with_norm_(parameters, float(settings.clip_at), norm)
    elif settings.clip_at is not None:
        nn.utils.clip_grad_value_(parameters, float(settings.clip_at))
    return norm


def gradient_sync(module: nn.Module, on: bool) -> AbstractContextManager:
    """Ranks exchange gradients with the last micro-batch of a window only."""
    if on or not isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext()
    return module.no_sync()


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device; its images still take one byte a value."""
    images = batch.images.to(device, non_blocking=True)
    return batch._replace(images=images, targets=batch.targets.to(device, non_blocking=True))


def network_input(images: Tensor, preprocessing: Preprocessing, settings: TrainerSettings) -> Tensor:
    """Images [B, H, W, C] on the device, normalised to [B, C, H, W] in the memory layout of the settings."""
    images = preprocessing.normalise(images)
    return images if use_channels_last(settings, preprocessing, images.device) else images.contiguous()


def use_channels_last(settings: TrainerSettings, preprocessing: Preprocessing, device: torch.device) -> bool:
    """Whether `trainer.channels_last` comes out true; on CPUs it pays from 64 px on."""
    if settings.channels_last == "auto":
        return device.type == "cuda" or min(preprocessing.height, preprocessing.width) >= 64
    return bool(settings.channels_last)


def _figures(loss_sum: Tensor, weight: Tensor, grad_norm: Tensor, images: int) -> Tensor:
    """What an epoch adds up, [4]; an infinite norm of a skipped fp16 step counts as nothing."""
    count = torch.tensor(float(images), device=weight.device)
    return torch.stack([loss_sum, weight, grad_norm, count]).double().nan_to_num(posinf=0.0)


def _training_row(
    run: Progress, sums: list[float], optimizer: torch.optim.Optimizer, world: int
) -> dict[str, float]:
    loss_sum, weight, norm_sum, images = sums
    return {
        "epoch": run.epoch,
        "step": run.step,
        "lr": max(group["lr"] for group in optimizer.param_groups),
        "train_loss": loss_sum / weight,
        "grad_norm": norm_sum / (run.window * world),
        "images_per_second": images / run.seconds,
        "seconds": run.seconds,
    }


def _save(
    folder: Path,
    learner: Learner,
    scaler: torch.amp.GradScaler,
    run: Progress,
    sums: Tensor,
    ranks: Ranks,
) -> None:
    """Everything that the rest of the fold depends on, on every rank."""
    average_buffers(learner.model, ranks)  # one copy of the model is kept, so the ranks must agree on it
    of_ranks = ranks.gather({"rng": rng_state(), "sums": sums.cpu()})
    if ranks.is_main:
        state = {
            "model": learner.model.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "schedule": learner.schedule.state_dict(),
            "averaging": learner.averaging.state_dict(),
            "scaler": scaler.state_dict(),
            "progress": run.to_dict(),
            "ranks": of_ranks,
        }
        save_checkpoint(folder, state)


def _resume(
    folder: Path, learner: Learner, scaler: torch.amp.GradScaler, ranks: Ranks
) -> tuple[Progress, Tensor]:
    """Put everything back as the checkpoint in the folder has it; without one, start."""
    sums = torch.zeros(4, dtype=torch.float64, device=ranks.device)
    state = load_checkpoint(folder, ranks.device)
    if state is None:
        return Progress(), sums
    if len(state["ranks"]) != ranks.world:
        raise ValueError(
            f"{folder}: its checkpoint is of {len(state['ranks'])} rank(s), this run has {ranks.world}. "
            f"Resume with torchrun --nproc-per-node {len(state['ranks'])}, or start a new run with name=…"
        )
    learner.model.load_state_dict(state["model"])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.schedule.load_state_dict(state["schedule"])
    learner.averaging.load_state_dict(state["averaging"])
    scaler.load_state_dict(state["scaler"])
    mine = state["ranks"][ranks.rank]
    restore_rng(mine["rng"])
    return Progress(**state["progress"]), mine["sums"].to(ranks.device)
