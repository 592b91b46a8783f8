"""Small networks that learn how far the mean of the models is from the truth."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compkit.ensemble.stackers.inputs import Inputs, Scale, check_inputs, to_scores
from compkit.randomness import derive_seed
from compkit.ranges import not_negative, positive, whole
from compkit.types import Task

MAX_STEPS = 50  # of an epoch; more rows make larger steps, not more of them


class Corrected(nn.Module):
    """The mean of the models' scores, times a learnt factor, plus what a network adds to it.

    Args:
        correction: from scaled scores [B, M, C] and columns [B, E] to [B, C]; zero at the start.
        scale: of the scores.
    """

    def __init__(self, correction: nn.Module, scale: Scale) -> None:
        super().__init__()
        self.correction = correction
        self.mean, self.std = scale.mean, scale.std
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, scores: Tensor, extra: Tensor) -> Tensor:
        """Logits, or values in the targets' unit, [B, C]."""
        scaled = self.factor * scores.mean(dim=1) + self.correction(scores, extra)
        return scaled * self.std + self.mean


@dataclass(frozen=True)
class FittedNetworks:
    """Networks whose predictions are averaged."""

    networks: list[Corrected]
    scale: Scale

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Probabilities or values, float64 [N, C]."""
        tensors = tensors_of(inputs, self.scale)
        with torch.no_grad():
            outputs = [activate(network(*tensors).double(), inputs.task) for network in self.networks]
        return torch.stack(outputs).mean(dim=0).numpy()


class NetworkStacker:
    """Trains several copies of a network, each on all parts but one, whose loss tells it when to stop.

    Args:
        networks: copies, from different starts, with different parts held out; their predictions are averaged.
        epochs: passes over the training rows at most.
        patience_epochs: epochs without a smaller loss on the held-out part before training stops.
        lr: AdamW's learning rate.
        weight_decay: AdamW's pull of the weights towards zero, and so towards the mean of the models.
        batch_size: rows a step; more where an epoch would have over 50 steps.

    Raises:
        ValueError: a number out of its range.
    """

    name: str

    def __init__(
        self,
        networks: int = 3,
        epochs: int = 100,
        patience_epochs: int = 5,
        lr: float = 3e-3,
        weight_decay: float = 0.1,
        batch_size: int = 128,
    ) -> None:
        self.networks = whole("stacker.networks", networks, least=1, usual="3")
        self.epochs = whole("stacker.epochs", epochs, least=1, usual="100")
        self.patience_epochs = whole("stacker.patience_epochs", patience_epochs, least=1, usual="5")
        self.lr = positive("stacker.lr", lr, usual="3e-3")
        self.weight_decay = not_negative("stacker.weight_decay", weight_decay, usual="0.1")
        self.batch_size = whole("stacker.batch_size", batch_size, least=1, usual="128")

    def make_correction(self, num_models: int, num_classes: int, num_extra: int) -> nn.Module:
        """A network from scaled scores [B, M, C] and columns [B, E] to [B, C], zero before it has learnt."""
        raise NotImplementedError

    def fit(self, inputs: Inputs, targets: np.ndarray, parts: np.ndarray, seed: int) -> FittedNetworks:
        """See Stacker.fit."""
        check_inputs(inputs)
        scale, held_out = Scale.of(to_scores(inputs), inputs.extra), np.unique(parts)
        wanted = torch.from_numpy(targets if inputs.task == Task.MULTICLASS else targets.astype(np.float32))
        trained = []
        for number in range(self.networks):
            with torch_seed(derive_seed(seed, number)):
                shape = (len(inputs.predictions), inputs.num_classes, inputs.extra.shape[1])
                network = Corrected(self.make_correction(*shape), scale)
                judging = torch.from_numpy(parts == held_out[number % len(held_out)])
                self._train(network, *tensors_of(inputs, scale), wanted, judging, inputs.task)
            trained.append(network.eval())
        return FittedNetworks(trained, scale)

    def _train(
        self,
        network: Corrected,
        scores: Tensor,
        extra: Tensor,
        targets: Tensor,
        judging: Tensor,
        task: Task,
    ) -> None:
        """Leave the network with the weights that the judging rows liked best; before the first step, too."""
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        loss_of = _loss_of(task)
        learning = torch.nonzero(~judging).squeeze(1)
        batch_size = max(self.batch_size, len(learning) // MAX_STEPS)

        def judge() -> float:
            network.eval()
            with torch.no_grad():
                return float(loss_of(network(scores[judging], extra[judging]), targets[judging]))

        best_loss, best_epoch, best = judge(), -1, copy.deepcopy(network.state_dict())
        for epoch in range(self.epochs):
            network.train()
            for rows in learning[torch.randperm(len(learning))].split(batch_size):
                loss = loss_of(network(scores[rows], extra[rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_now = judge()
            if loss_now < best_loss:
                best_loss, best_epoch, best = loss_now, epoch, copy.deepcopy(network.state_dict())
            elif epoch - best_epoch >= self.patience_epochs:
                break
        network.load_state_dict(best)


def tensors_of(inputs: Inputs, scale: Scale) -> tuple[Tensor, Tensor]:
    """Scores float32 [N, M, C] and columns float32 [N, E], scaled."""
    scores, extra = scale.apply(to_scores(inputs), inputs.extra)
    return torch.from_numpy(scores.transpose(1, 0, 2)).float(), torch.from_numpy(extra).float()


def activate(outputs: Tensor, task: Task) -> Tensor:
    """Probabilities of logits [N, C]; values stay values."""
    if task == Task.REGRESSION:
        return outputs
    return outputs.softmax(dim=1) if task == Task.MULTICLASS else outputs.sigmoid()


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's generator inside the block; outside nothing was drawn.

    >>> before = torch.get_rng_state()
    >>> with torch_seed(7):
    ...     _ = torch.rand(1)
    >>> torch.equal(torch.get_rng_state(), before)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _loss_of(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    if task == Task.MULTICLASS:
        return F.cross_entropy
    return F.mse_loss if task == Task.REGRESSION else F.binary_cross_entropy_with_logits
