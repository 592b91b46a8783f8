"""Optimizers, schedules, samplers, metrics and augmentations as somebody might write them wrong."""

from typing import Any

import albumentations as A
import numpy as np
import torch
from torch.optim import Optimizer

from compkit.data import Sampler
from compkit.metrics import Accuracy
from compkit.optim import Adam, Schedule


class KeepsGradients(torch.optim.Adam):
    """No zero_grad: gradients of all steps pile up."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        pass


class Stuck(torch.optim.Adam):
    """A step that changes nothing."""

    def step(self, closure: Any = None) -> None:
        pass


class StuckAfterOne(torch.optim.Adam):
    """It works once: a flag that is never reset."""

    def step(self, closure: Any = None) -> None:
        if not getattr(self, "done", False):
            super().step(closure)
        self.done = True


class OwnRate(torch.optim.Adam):
    """A rate written into step(), over whatever the schedule has set."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            group["lr"] = 0.01
        super().step(closure)


class SetsItsRate(Adam):
    torch_class = OwnRate


class NoZeroGrad(Adam):
    torch_class = KeepsGradients


class NoStep(Adam):
    torch_class = Stuck


class OneStep(Adam):
    torch_class = StuckAfterOne


class Ascent(Adam):
    """Uphill, as `maximize` was left on."""

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        return torch.optim.Adam(groups, lr=self.lr, maximize=True)


class WithoutHead(Adam):
    """The last layer's parameters were left out."""

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        kept = [group | {"params": group["params"][:-1]} for group in groups]
        return torch.optim.Adam(kept, lr=self.lr)


class NoRate(Adam):
    """The rate of all weight matrices is 0, that of biases and norms is not."""

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        stopped = [group | ({"lr": 0.0, "base_lr": 0.0} if group["decayed"] else {}) for group in groups]
        return torch.optim.Adam(stopped, lr=self.lr)


class Shrinking(Adam):
    """Weight decay meant for another rate: every step takes a fifth of each weight away."""

    def from_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        for group in groups:
            group["weight_decay"] = 0.2 / self.lr
        return torch.optim.AdamW(groups, lr=self.lr)


class NoFactor(Schedule):
    """Whole-number division: the factor is 0 until the last epoch."""

    def decay(self, epoch: float, epochs: float) -> float:
        return float(epoch // epochs)


class Rising(Schedule):
    """Exponential growth where decay was meant."""

    def decay(self, epoch: float, epochs: float) -> float:
        return 2.0**epoch


class AllWarmUp(Schedule):
    """Warm-up over the whole run."""

    def decay(self, epoch: float, epochs: float) -> float:
        return epoch / epochs


class Dropping(Schedule):
    """A step meant for hundreds of epochs: from the second on a ten-thousandth is left."""

    def decay(self, epoch: float, epochs: float) -> float:
        return 1.0 if epoch < 0.1 * epochs else 1e-4


class Low(Schedule):
    """The rate in per mille."""

    def decay(self, epoch: float, epochs: float) -> float:
        return 1e-3


class Negative(Schedule):
    """A line that goes on below 0."""

    def decay(self, epoch: float, epochs: float) -> float:
        return 1 - 2 * epoch / epochs


class Sorted(Sampler):
    """Class after class, never shuffled."""

    name = "sorted"

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        return np.argsort(labels, kind="stable")


class SameFew(Sampler):
    """The first rows again and again."""

    name = "same_few"

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(np.arange(len(labels)) % 16)


class OneClass(Sampler):
    """Rows of one class alone."""

    name = "one_class"

    def order(self, labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(np.resize(np.flatnonzero(labels == labels[0]), len(labels)))


class LowestAccuracy(Accuracy):
    """The best epoch is the one with the fewest right answers."""

    greater_is_better = False


class DeafAccuracy(Accuracy):
    """The same number whatever is predicted."""

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return 0.5


class RandomAccuracy(Accuracy):
    """Of some rows drawn anew each time."""

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        rows = np.random.default_rng().permutation(len(targets))[: len(targets) // 2]
        return super().__call__(targets[rows], values[rows])


class FirstRowsAccuracy(Accuracy):
    """Of the first batch alone."""

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return super().__call__(targets[:32], values[:32])


class NoNumber(Accuracy):
    """0 / 0."""

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return float("nan")


class ErrorRate(Accuracy):
    """An error rate that says more is better."""

    def __call__(self, targets: np.ndarray, values: np.ndarray) -> float:
        return 1 - super().__call__(targets, values)


class Blank(A.ImageOnlyTransform):
    """A mask that covers everything."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        return np.zeros_like(img)


class NormalisedTwice(A.ImageOnlyTransform):
    """Mean and deviation are taken out, and the program does it again."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        return np.clip((img / 255.0 - 0.5) / 0.25, 0, 255).astype(np.uint8)


class Darker(A.ImageOnlyTransform):
    """Divided by 255 in training alone."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        return (img / 255.0).astype(img.dtype)


class OtherPicture(A.ImageOnlyTransform):
    """A cache that always returns its first picture."""

    first: np.ndarray | None = None

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        if self.first is None:
            self.first = img.copy()
        return self.first.copy()


class Swapped(A.ImageOnlyTransform):
    """Red and blue change places, as OpenCV reads them."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        return np.ascontiguousarray(img[..., ::-1])
