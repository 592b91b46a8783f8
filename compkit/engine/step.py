"""One optimizer step: a window of micro-batches to a gradient, and the gradient to new weights."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from timm.utils.agc import adaptive_clip_grad
from torch import Tensor, nn

from compkit.data import Draw, Mix, Preprocessing
from compkit.engine.distributed import Ranks, training_module
from compkit.engine.hardware import choose_precision
from compkit.engine.learner import FoldData, Learner, term_sums
from compkit.engine.trainer import TrainerSettings
from compkit.losses import as_outputs
from compkit.optim import add_l1_gradient, set_lr, set_momentum
from compkit.probes import LayerWatch
from compkit.types import Batch, Moment, Targets


class MicroBatch(NamedTuple):
    """What one forward and backward pass takes, on the device."""

    images: Tensor  # [B, H, W, C] as loaded; they still take one byte a value
    targets: Targets
    mix: Mix | None
    rows: Tensor  # int64 [B], positions in the table
    views: Tensor | None = None  # as images: the same pictures augmented anew, for a teacher


class StepFigures(NamedTuple):
    """What a step tells of itself, on the device."""

    terms: Tensor  # [T], this rank's part of the window's loss, a number each term
    weights: Tensor  # [T], the sample weights of this rank's part
    window_weights: Tensor  # [T], of all ranks' parts
    grad_norm: Tensor  # [], before clipping, of all ranks
    is_taken: bool  # false for a step that fp16 skipped


class Stepper:
    """Makes steps with a learner: the loop's, and those of everything that tries steps out.

    Args:
        learner: what learns.
        data: preprocessing, mixing and auxiliary labels of the fold.
        settings: precision, clipping and the like.
        ranks: this process among its peers.

    Attributes:
        parts: pieces each micro-batch is cut into; doubled whenever memory runs out. The gradient stays
            the same but for batch norm, which sees the pieces.
        watch: looks at the next steps from inside; it changes nothing of them.
    """

    def __init__(self, learner: Learner, data: FoldData, settings: TrainerSettings, ranks: Ranks) -> None:
        self.learner, self.data, self.settings, self.ranks = learner, data, settings, ranks
        self.dtype = choose_precision(settings.precision, ranks.device)
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=self.dtype is torch.float16)
        if self.scaler.is_enabled() and isinstance(learner.optimizer, torch.optim.LBFGS):
            raise ValueError("optimizer=lbfgs does not go with fp16. Set trainer.precision=fp32.")
        self.parts = 1
        self.watch: LayerWatch | None = None
        self.wrap()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on with."""
        return {"scaler": self.scaler.state_dict(), "parts": self.parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.scaler.load_state_dict(state["scaler"])
        self.parts = state["parts"]

    def wrap(self) -> None:
        """Compile the model and wrap it for several ranks; again whenever what is trainable has changed."""
        reads = self.learner.loss.reads
        self.module = training_module(
            self.learner.model, self.settings.compile, self.ranks, finds_unused="logits" not in reads
        )

    def micro_batch(self, batch: Batch, draw: Draw, moment: Moment) -> MicroBatch:
        """A loaded batch on the device, and how its images will be mixed."""
        device = self.ranks.device
        images = batch.images.to(device, non_blocking=True)
        targets = self.data.targets(batch, device)
        assert draw.seed is not None, "a draw of evaluation"
        height, width = images.shape[1:3]
        mix = self.data.mixing.draw(len(images), draw.seed, moment, height, width, device)
        return MicroBatch(images, mixed_targets(targets, mix), mix, batch.rows)

    def step(self, window: Sequence[MicroBatch], moment: Moment, factor: float | None = None) -> StepFigures:
        """Learn from a window.

        Args:
            window: this rank's micro-batches, at least one.
            moment: how far training has come.
            factor: of every group's rate; None is the schedule's.
        """
        learner = self.learner
        learner.set_moment(moment)
        schedule = learner.schedule
        set_lr(learner.optimizer, schedule.factor(moment.epoch, moment.epochs) if factor is None else factor)
        self._set_momentum(moment)
        while True:
            try:
                return self.take(window)
            except torch.OutOfMemoryError:
                smallest = max(len(micro.rows) for micro in window) // (2 * self.parts)
                if self.ranks.world > 1 or smallest < 2:
                    raise
                self.parts *= 2
                torch.cuda.empty_cache()

    def describe_parts(self) -> str:
        """What to tell when memory ran out and micro-batches were cut."""
        return (
            f"memory ran out, so micro-batches are cut into {self.parts} parts. The gradient stays that of the whole, "
            f"but batch norm sees the parts. Next time set batch_size={max(1, self.data.batch_size // self.parts)} "
            f"trainer.accumulate={self.settings.accumulate * self.parts}."
        )

    def try_out(self, micro: MicroBatch, moment: Moment) -> None:
        """One forward pass and loss, as in training, on this micro-batch; nothing is learnt."""
        self.learner.set_moment(moment)
        self._set_momentum(moment)
        self.module.train()
        for images, targets in self._pieces(micro):
            self.learner.loss(self.module(images, targets), targets)

    def take(self, window: Sequence[MicroBatch]) -> StepFigures:
        """Learn from a window at the rates that are set; memory may run out."""
        figures: list[StepFigures] = []

        def closure() -> Tensor:
            figures.append(self.gradient(window))
            return figures[-1].terms.sum()

        # L-BFGS asks for the gradient as often as it likes
        if isinstance(self.learner.optimizer, torch.optim.LBFGS):
            self.learner.optimizer.step(closure)
            for optimizer in self.learner.optimizers[1:]:
                optimizer.step()
            self._zero_grad()
            return figures[0]
        closure()
        scale = self.scaler.get_scale()
        for optimizer in self.learner.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        self._zero_grad()  # validation needs the memory
        return figures[0]._replace(is_taken=self.scaler.get_scale() >= scale)

    def gradient(self, window: Sequence[MicroBatch]) -> StepFigures:
        """Leave the window's clipped gradient in the parameters."""
        self._zero_grad()
        if self.watch is not None:
            self.watch.begin()
        learner, device = self.learner, self.ranks.device
        loss_fn = learner.loss
        weights = [term_sums(loss_fn.term_weights(micro.targets)) for micro in window]
        local_weight = torch.stack(weights).sum(dim=0)
        # a term may have no labelled sample at all in a window
        window_weight = self.ranks.sum(local_weight.clone()).clamp(min=1e-12)
        total = torch.zeros(len(local_weight), device=device)
        pieces = [piece for micro in window for piece in self._pieces(micro)]
        for number, (images, targets) in enumerate(pieces, start=1):
            with gradient_sync(self.module, on=number == len(pieces)):
                watched = self.watch.forward(images, targets) if self.watch and number == 1 else nullcontext()
                with watched, torch.autocast(device.type, self.dtype, enabled=self.dtype is not None):
                    outputs = as_outputs(self.module(images, targets))
                # each micro-batch by its share of the window's weight: the big batch's gradient exactly;
                # DDP then averages over the ranks where their sum is wanted, hence `world`
                share = term_sums(loss_fn.term_weights(targets)) / window_weight
                terms = torch.stack(list(loss_fn.terms(outputs, targets).values())) * share
                self.scaler.scale(terms.sum() * self.ranks.world).backward()
            total += terms.detach()
        for parameter in loss_fn.parameters():
            if parameter.grad is not None:
                self.ranks.sum(parameter.grad).div_(self.ranks.world)
        for optimizer in learner.optimizers:
            self.scaler.unscale_(optimizer)
        if self.settings.l1:
            add_l1_gradient(learner.optimizer.param_groups, self.settings.l1)
        if self.watch is not None:
            self.watch.see_gradients()
        return StepFigures(
            total, local_weight, window_weight, clip_gradients(learner.model, self.settings), True
        )

    def _pieces(self, micro: MicroBatch) -> Iterator[tuple[Tensor, Targets]]:
        """The micro-batch ready for the network, cut into `parts`."""
        images = network_input(micro.images, self.data.preprocessing, self.settings, micro.mix)
        targets = self.data.lessons.targets(self, micro)
        if self.parts == 1:
            yield images, targets
            return
        for rows in torch.arange(len(images), device=images.device).chunk(self.parts):
            yield images[rows], targets.take(rows)

    def _set_momentum(self, moment: Moment) -> None:
        momentum = self.learner.schedule.momentum(moment.epoch, moment.epochs)
        if momentum is not None:
            set_momentum(self.learner.optimizer, momentum)

    def _zero_grad(self) -> None:
        for optimizer in self.learner.optimizers:
            optimizer.zero_grad()


def mixed_targets(targets: Targets, mix: Mix | None) -> Targets:
    """The labels of images that were mixed."""
    if mix is None:
        return targets
    further = targets.auxiliary or {}
    return Targets(
        targets.labels,
        other=targets.labels[mix.order],
        share=mix.share,
        auxiliary={name: mixed_targets(one, mix) for name, one in further.items()} or None,
    )


def network_input(
    images: Tensor, preprocessing: Preprocessing, settings: TrainerSettings, mix: Mix | None = None
) -> Tensor:
    """Images [B, H, W, C] on the device, normalised to [B, C, H, W] in the memory layout of the settings, mixed."""
    images = preprocessing.normalise(images)
    if not use_channels_last(settings, preprocessing, images.device):
        images = images.contiguous()
    return images if mix is None else mix.images(images)


def use_channels_last(settings: TrainerSettings, preprocessing: Preprocessing, device: torch.device) -> bool:
    """Whether `trainer.channels_last` comes out true; on CPUs it pays from 64 px on."""
    if settings.channels_last == "auto":
        return device.type == "cuda" or min(preprocessing.height, preprocessing.width) >= 64
    return bool(settings.channels_last)


def clip_gradients(model: nn.Module, settings: TrainerSettings) -> Tensor:
    """Clip the gradients as the settings say; their norm before clipping, a tensor []."""
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients, float(settings.clip_p))
    if settings.clip_at is None:
        return norm
    if settings.clip == "norm":
        nn.utils.clip_grads_with_norm_(parameters, float(settings.clip_at), norm)
    elif settings.clip == "value":
        nn.utils.clip_grad_value_(parameters, float(settings.clip_at))
    else:
        adaptive_clip_grad(parameters, float(settings.clip_at))
    return norm


def gradient_sync(module: nn.Module, on: bool) -> AbstractContextManager:
    """Ranks exchange gradients with the last micro-batch of a window only."""
    if on or not isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext()
    return module.no_sync()
