"""The training loop."""

import functools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Draw, evaluation_draws, training_windows
from compkit.deadline import Deadline, OutOfTime
from compkit.engine.checkpoint import load_checkpoint, save_checkpoint, save_weights
from compkit.engine.console import Console
from compkit.engine.distributed import Ranks, average_buffers, gather_rows
from compkit.engine.finite import FiniteWatch
from compkit.engine.learner import FoldData, Learner
from compkit.engine.loggers import Logger, log_all
from compkit.engine.progress import Progress
from compkit.engine.step import StepFigures, Stepper, network_input
from compkit.engine.terms import TermScales
from compkit.engine.trainer import TrainerSettings
from compkit.inference import activate, predict_logits
from compkit.optim import batch_norm_reestimation
from compkit.probes import NoProbes, start_probes
from compkit.randomness import restore_rng, rng_state

LOOKS = 10  # steps between two looks at the clock: rank 0 tells the others, which costs a message


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
    deadline: Deadline,
) -> Progress:
    """Train one fold, from where its folder's checkpoint stands to the end.

    Writes best.safetensors (and ema.safetensors) at each epoch that is the best so far, last.safetensors at the
    end, history.csv and the checkpoint. Killed at any moment and called again, it ends in the same bits.

    Raises:
        ValueError: the loss or the gradient is not finite, or there are too few rows for one step.
        OutOfTime: the deadline has passed, and the state to go on from is saved.
    """
    model, names = learner.model, learner.loss.term_names
    stepper = Stepper(learner, data, settings, ranks)
    probes = start_probes(settings.probe_every, settings.compile, ranks.is_main)
    run, sums = _resume(folder, stepper, probes, len(names))
    clean_rows = choose_clean_rows(data, settings.clean_rows)
    watch = FiniteWatch(data.table.ids, stepper.scaler.is_enabled())
    scales = TermScales(names, console)

    while not run.is_finished(epochs, settings.early_stopping_epochs):
        windows = epoch_windows(data, settings.accumulate, ranks.world, seed, run.epoch, epochs)
        if not windows:
            raise ValueError(
                f"{title}: {len(data.train_rows)} training rows are too few for a step on {ranks.world} rank(s). "
                "Set a smaller batch_size, fewer folds or a larger limit."
            )
        mine = [window[ranks.rank] for window in windows[run.window :]]
        if learner.finetune.apply(model, run.epoch):
            stepper.wrap()
        stepper.module.train()
        learner.loss.train()
        parts = stepper.parts
        start = time.perf_counter() - run.seconds
        total = sum(len(draw.rows) for window in mine for draw in window)
        lessons = data.lessons.windows(stepper, mine, functools.partial(run.moment, len(windows), epochs))
        with console.epoch(total, f"{title} epoch {run.epoch + 1}/{epochs}") as bar:
            for micro, moment in lessons:
                figures = probes.step(stepper, micro, moment, len(windows))
                if figures.is_taken:
                    run.step += 1
                    learner.averaging.update(model)
                else:  # a skipped fp16 step moves neither the schedule nor the average
                    run.lost_epochs += 1 / len(windows)

                run.window += 1
                run.seconds = time.perf_counter() - start
                count = sum(len(one.rows) - one.targets.unlabelled for one in micro)
                sums += _add_up(figures, count)
                scales.add(figures.terms)
                bar.advance(count, loss=watch.check())
                watch.remember(
                    figures.terms.sum(),
                    figures.grad_norm,
                    [one.rows for one in micro],
                    run.epoch + 1,
                    run.window,
                )
                if settings.checkpoint_every_steps and run.window % settings.checkpoint_every_steps == 0:
                    watch.check()
                    _save(folder, stepper, probes, run, sums)
                if run.window % LOOKS == 0 and is_over(deadline, ranks):
                    watch.check()
                    _save(folder, stepper, probes, run, sums)
                    raise OutOfTime(f"{title} in epoch {run.epoch + 1} of {epochs}")
            watch.check()

        if stepper.parts != parts:
            console.warn(f"{title}: {stepper.describe_parts()}")
        run.epoch += 1
        row = _training_row(run, ranks.sum(sums).tolist(), names, learner, ranks.world)
        learner.averaging.end_epoch(model, run.epoch, epochs)
        for kind, candidate in learner.candidates().items():
            average_buffers(candidate, ranks)
            judged = evaluate(candidate, learner, data, data.valid_rows, ranks, stepper.dtype)
            scores, prefix = judged.scores, "" if kind == "best" else f"{kind}_"
            row |= {f"{prefix}val_{name}": value for name, value in scores.items()}
            score = scores[learner.metric_name]
            if not len(data.valid_rows):  # the latest weights are the best there are
                run.best.pop(kind, None)
            if run.is_best(kind, score, learner.greater_is_better) and ranks.is_main:
                save_weights(folder / f"{kind}.safetensors", candidate, metadata | {"epoch": run.epoch})
            if kind == "best":
                learner.schedule.observe(score, learner.greater_is_better)
                probes.end_epoch(stepper, run.epoch, judged.rows, judged.values)
        if len(clean_rows):
            clean = evaluate(model, learner, data, clean_rows, ranks, stepper.dtype)
            row |= {f"clean_{name}": value for name, value in clean.scores.items()}
        if run.is_finished(epochs, settings.early_stopping_epochs) and learner.averaging.needs_batch_norm:
            row |= _reestimate(folder, stepper, windows, run, metadata)
        run.history.append(row)
        cycle = learner.schedule.cycle_ended(run.epoch, epochs)
        if cycle is not None and ranks.is_main:
            save_weights(folder / f"snapshot_{cycle}.safetensors", model, metadata | {"epoch": run.epoch})
        run.window, run.seconds, sums = 0, 0.0, torch.zeros_like(sums)
        if ranks.is_main:
            run.write_history(folder / "history.csv")
            probes.write(folder)
        _save(folder, stepper, probes, run, sums)
        shown = _for_people(row, learner.metric_name)
        console.epoch_line(shown, best=run.stale_epochs() == 0 and len(data.valid_rows) > 0)
        log_all(loggers, row | probes.means(), probes.histograms, probes.pictures)
        if is_over(deadline, ranks):
            raise OutOfTime(f"{title} after epoch {run.epoch} of {epochs}")

    if ranks.is_main:
        probes.write(folder, is_last=True)
        save_weights(folder / "last.safetensors", model, metadata | {"epoch": run.epoch})
    return run


def is_over(deadline: Deadline, ranks: Ranks) -> bool:
    """Whether the time is over by rank 0's clock, so that all ranks stop at the same step."""
    return deadline.is_set and ranks.share(deadline.has_passed)


class Evaluation(NamedTuple):
    """What a network says of rows, and how right it is; the same on every rank."""

    scores: dict[str, float]  # the loss, and each metric
    rows: np.ndarray  # int64 [N], rising
    values: np.ndarray  # float32 [N, C], predictions of these rows


def choose_clean_rows(data: FoldData, most: int) -> np.ndarray:
    """Training rows that are evaluated as validation rows are, to tell what is known by heart: not more of them than
    of those, evenly spread, and none that models have labelled.

    Args:
        data: of the fold.
        most: of them; 0 is none.
    """
    own = data.train_rows[: len(data.train_rows) - data.pseudo_rows]
    count = min(most, len(data.valid_rows), len(own))
    return own[np.linspace(0, len(own) - 1, count).round().astype(int)]


def evaluate(
    model: nn.Module,
    learner: Learner,
    data: FoldData,
    rows: np.ndarray,
    ranks: Ranks,
    dtype: torch.dtype | None,
) -> Evaluation:
    """Loss and metrics on all the rows, without augmentation.

    The loss is that of the target alone: without what is read from features, and without picking samples.
    It is NaN when nothing is left. Everything is NaN where there are no rows.
    """
    if not len(rows):
        nothing = dict.fromkeys(["loss", *learner.metrics], math.nan)
        return Evaluation(nothing, rows, np.empty((0, 0), np.float32))
    draws = evaluation_draws(rows, data.batch_size, ranks.rank, ranks.world)
    local = predict_logits(model, data.loader, draws, data.preprocessing, ranks.device, dtype)
    found, logits = gather_rows(*local, ranks)
    assert len(found) == len(rows), "a row was not predicted"
    targets = data.table.labels[found]
    values = activate(logits, data.task)
    loss = math.nan
    if "logits" in learner.loss.reads:
        learner.loss.eval()
        loss = learner.loss(logits.to(ranks.device), torch.from_numpy(targets).to(ranks.device)).item()
    scores = {"loss": loss} | {name: metric(targets, values) for name, metric in learner.metrics.items()}
    return Evaluation(scores, found, values)


def _reestimate(
    folder: Path, stepper: Stepper, windows: list[list[list[Draw]]], run: Progress, metadata: dict[str, Any]
) -> dict[str, float]:
    """Batch norm statistics of averaged weights, measured anew on the last epoch's pictures.

    The averages of the statistics do not belong to the average of the weights. The measured ones are kept only
    if they score at least as well, or if there is no validation to tell.
    """
    learner, data, ranks = stepper.learner, stepper.data, stepper.ranks
    model, name = learner.averaging.model, learner.averaging.name
    if model is None:
        return {}
    before = {key: value.clone() for key, value in model.state_dict().items()}
    draws = [draw for window in windows for draw in window[ranks.rank]]
    with torch.no_grad(), batch_norm_reestimation(model, learner.model):
        for batch in data.loader.batches(draws):
            images = batch.images.to(ranks.device, non_blocking=True)
            with torch.autocast(ranks.device.type, stepper.dtype, enabled=stepper.dtype is not None):
                model(network_input(images, data.preprocessing, stepper.settings))
    average_buffers(model, ranks)
    scores = evaluate(model, learner, data, data.valid_rows, ranks, stepper.dtype).scores
    score, best = scores[learner.metric_name], run.best.get(name, {}).get("score", math.nan)
    is_worse = score < best if learner.greater_is_better else score > best
    if len(data.valid_rows) and (is_worse or math.isnan(score)):
        model.load_state_dict(before)
    else:
        run.best[name] = {"epoch": run.epoch, "score": score}
        if ranks.is_main:
            save_weights(folder / f"{name}.safetensors", model, metadata | {"epoch": run.epoch})
    return {f"{name}_reestimated_val_{key}": value for key, value in scores.items()}


def epoch_windows(
    data: FoldData, accumulate: int, world: int, seed: int, epoch: int, epochs: int
) -> list[list[list[Draw]]]:
    """The epoch's rows in the sampler's order, as windows of one picture size each."""
    order = data.sampler.order(
        data.table.labels[data.train_rows], data.batch_size, np.random.default_rng([seed, epoch, 0])
    )
    return training_windows(
        data.train_rows[order],
        data.batch_size,
        accumulate,
        world,
        seed,
        epoch,
        data.scale.sizes(epoch, epochs, np.random.default_rng([seed, epoch, 1])),
        functools.partial(data.scale.batch_size_at, batch_size=data.batch_size),
        data.sampler.whole_batches,
    )


def _add_up(figures: StepFigures, images: int) -> Tensor:
    """What an epoch adds up, [2 T + 2]; an infinite norm of a skipped fp16 step counts as nothing."""
    device = figures.terms.device
    norm_and_count = torch.stack([figures.grad_norm, torch.tensor(float(images), device=device)])
    parts = torch.cat([figures.terms * figures.window_weights, figures.weights, norm_and_count])
    return parts.double().nan_to_num(posinf=0.0)


def _training_row(
    run: Progress, sums: list[float], names: Sequence[str], learner: Learner, world: int
) -> dict[str, float]:
    """The epoch's line of the history, but for the scores; the terms of a summed loss follow their sum."""
    count = len(names)
    losses, weights, (norm_sum, images) = sums[:count], sums[count : 2 * count], sums[2 * count :]
    terms = [loss / weight if weight else 0.0 for loss, weight in zip(losses, weights, strict=True)]
    row = {
        "epoch": run.epoch,
        "step": run.step,
        "lr": max(group["lr"] for group in learner.optimizer.param_groups),
        "train_loss": sum(terms),
        "grad_norm": norm_sum / (run.window * world),
        "images_per_second": images / run.seconds,
        "seconds": run.seconds,
    }
    if count > 1:
        row |= {f"train_{name}": term for name, term in zip(names, terms, strict=True)}
    return row


def _for_people(row: dict[str, float], metric: str) -> dict[str, float]:
    """The row for people: without what could not be computed, and of unaugmented training pictures the metric alone."""
    kept = {
        name: value
        for name, value in row.items()
        if not name.startswith("clean_") or name == f"clean_{metric}"
    }
    return {name: value for name, value in kept.items() if not math.isnan(value)}


def _save(folder: Path, stepper: Stepper, probes: NoProbes, run: Progress, sums: Tensor) -> None:
    """Everything that the rest of the fold depends on, on every rank."""
    ranks, learner = stepper.ranks, stepper.learner
    average_buffers(learner.model, ranks)  # one copy of the model is kept, so the ranks must agree on it
    of_ranks = ranks.gather({"rng": rng_state(), "sums": sums.cpu()})
    if ranks.is_main:
        state = {"stepper": stepper.state_dict(), "progress": run.to_dict(), "ranks": of_ranks}
        save_checkpoint(folder, learner.state_dict() | state | {"probes": probes.state_dict()})


def _resume(folder: Path, stepper: Stepper, probes: NoProbes, terms: int) -> tuple[Progress, Tensor]:
    """Put everything back as the checkpoint in the folder has it; without one, start."""
    ranks = stepper.ranks
    sums = torch.zeros(2 * terms + 2, dtype=torch.float64, device=ranks.device)
    state = load_checkpoint(folder, ranks.device)
    if state is None:
        return Progress(), sums
    if len(state["ranks"]) != ranks.world:
        raise ValueError(
            f"{folder}: its checkpoint is of {len(state['ranks'])} rank(s), this run has {ranks.world}. "
            f"Resume with torchrun --nproc-per-node {len(state['ranks'])}, or start a new run with name=…"
        )
    stepper.learner.load_state_dict(state)
    stepper.load_state_dict(state["stepper"])
    probes.load_state_dict(state.get("probes", {}))  # runs that began before there were any have none
    mine = state["ranks"][ranks.rank]
    restore_rng(mine["rng"])
    return Progress(**state["progress"]), mine["sums"].to(ranks.device)
