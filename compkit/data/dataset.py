"""Tables to batches: decode, resize, augment, stack."""

import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from compkit.data.order import Draw, Size
from compkit.data.preprocessing import Preprocessing
from compkit.randomness import rng_scope
from compkit.types import Batch, Sample, Table


class ImageDataset(Dataset):
    """Loads whole micro-batches: `dataset[draw]` is a `Batch` of uint8 images.

    Args:
        table: the rows that draws refer to.
        preprocessing: decoding and size.
        augment: albumentations transforms applied after resizing, at the final size, to draws with a seed.
    """

    def __init__(self, table: Table, preprocessing: Preprocessing, augment: Sequence[Any] = ()):
        self.table = table
        self.preprocessing = preprocessing
        self.augment = A.Compose(list(augment)) if augment else None

    def __getitem__(self, draw: Draw) -> Batch:
        samples = [self.sample(int(row), draw.size) for row in draw.rows]
        if self.augment is not None and draw.seed is not None:
            # albumentations has generators of its own, which NumPy's global seed does not reach; one seed a
            # micro-batch keeps the run the same for any number of workers. set_random_seed would give every
            # transform a generator of the same seed: two flips of p=0.5 would then always come together
            self.augment.set_random_state(np.random.default_rng(draw.seed), random.Random(draw.seed))
            with rng_scope(draw.seed):
                samples = [one._replace(image=self.augment(image=one.image)["image"]) for one in samples]
        return stack(samples)

    def sample(self, row: int, size: Size | None = None) -> Sample:
        """One row, decoded and resized, to image_size when no other size is given."""
        image = self.preprocessing.load(tuple(os.fsdecode(name) for name in self.table.files[row]), size)
        targets = self.table.targets
        target = np.asarray(-1, np.int64) if targets is None else targets[row]
        return Sample(image, target, row)


def stack(samples: Sequence[Sample]) -> Batch:
    """Samples of one size into a batch, images staying as they are."""
    return Batch(
        torch.from_numpy(np.stack([sample.image for sample in samples])),
        torch.from_numpy(np.stack([sample.target for sample in samples])),
        torch.tensor([sample.row for sample in samples], dtype=torch.int64),
    )


class _Draws(Sampler[Draw]):
    """The draws of the current pass; workers stay alive while the main process exchanges them."""

    def __init__(self) -> None:
        self.draws: Sequence[Draw] = ()

    def __iter__(self) -> Iterator[Draw]:
        return iter(self.draws)

    def __len__(self) -> int:
        return len(self.draws)


class Loader:
    """Worker processes that outlive the epoch: `loader.batches(draws)` yields a `Batch` for each draw.

    Args:
        dataset: what loads a draw.
        num_workers: processes; 0 loads in this one.
        pin_memory: page-locked batches, for asynchronous copies to a GPU.
    """

    def __init__(self, dataset: ImageDataset, num_workers: int, pin_memory: bool = False):
        self._draws = _Draws()
        self._loader = DataLoader(
            dataset,
            batch_size=None,
            sampler=self._draws,
            num_workers=num_workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # a batch comes whole from the dataset
            pin_memory=pin_memory,
            persistent_workers=num_workers > 0,
            worker_init_fn=_quiet_worker,
            # the loader's own seed must not be drawn from the run's generator
            generator=torch.Generator(),
        )

    def batches(self, draws: Sequence[Draw]) -> Iterator[Batch]:
        """Load the draws in their order."""
        self._draws.draws = draws
        return iter(self._loader)


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _quiet_worker(_: int) -> None:
    """A worker is one process among as many as there are cores: no threads inside it."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
