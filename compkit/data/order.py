"""Which rows enter which step, on which rank, and with which seed: all decided in the main process."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np

from compkit.randomness import derive_seed

Size = tuple[int, int]  # height, width in pixels


class Draw(NamedTuple):
    """One micro-batch to load. The seed travels with the rows, so that workers hold no state."""

    rows: np.ndarray  # int64 [B], positions in the table
    seed: int | None  # of the augmentation; None: as in evaluation, without any
    size: Size | None = None  # what the images are resized to; None: image_size


def training_windows(
    order: np.ndarray,
    batch_size: int,
    accumulate: int,
    world: int,
    seed: int,
    epoch: int,
    sizes: Iterator[Size | None] | None = None,
    batch_size_at: Callable[[Size], int] | None = None,
    whole_batches: bool = False,
) -> list[list[list[Draw]]]:
    """One epoch's rows as windows; a window is what one optimizer step learns from.

    A full window holds batch_size x accumulate x world rows. Its micro-batches are dealt to the
    ranks in turn, so N ranks see in one step what one process with N times the accumulation sees.
    The last, shorter window is dealt evenly. It is left out only when a rank would get fewer than
    two rows (batch norm needs two), unless batch_size is 1.

    Args:
        order: positions in the table as the sampler ordered them, int64 [M]; a row may occur twice.
        batch_size: rows of a micro-batch.
        accumulate: micro-batches of a rank in a window.
        world: number of ranks.
        seed: of the run; the augmentation's seeds come of it and of the epoch.
        epoch: from 0.
        sizes: the image size of each window, endless; None is image_size always.
        batch_size_at: rows of a micro-batch at another size; None is batch_size at every size.
        whole_batches: deal only micro-batches of exactly batch_size consecutive rows of `order`, as batches
            composed by a sampler want; the tail that cannot be dealt so to every rank is left out.

    Returns:
        windows[step][rank] -> micro-batches of that rank, at least one each.

    >>> windows = training_windows(np.arange(10), 2, 1, 2, seed=0, epoch=0)
    >>> [[[draw.rows.tolist() for draw in rank] for rank in window] for window in windows]
    [[[[0, 1]], [[2, 3]]], [[[4, 5]], [[6, 7]]]]
    """
    sizes = repeat(None) if sizes is None else sizes
    windows = []
    start = 0
    while start < len(order):
        size = next(sizes)
        images = batch_size if size is None or batch_size_at is None else batch_size_at(size)
        end = start + images * accumulate * world
        ranks = _deal(order[start:end], images, accumulate, world, whole_batches)
        if ranks:
            windows.append(
                [
                    [
                        Draw(batch, derive_seed(seed, epoch, start, rank, number), size)
                        for number, batch in enumerate(batches)
                    ]
                    for rank, batches in enumerate(ranks)
                ]
            )
        start = end
    return windows


def _deal(
    window: np.ndarray, batch_size: int, accumulate: int, world: int, whole_batches: bool
) -> list[list[np.ndarray]]:
    """The micro-batches of each rank; none at all when the window is too short for every rank."""
    if whole_batches:
        window = window[: len(window) // (batch_size * world) * batch_size * world]
    if len(window) < world * min(2, batch_size):
        return []
    if len(window) == batch_size * accumulate * world:
        batches = np.split(window, accumulate * world)
        return [batches[rank::world] for rank in range(world)]
    shares = np.array_split(window, world)
    return [np.array_split(share, -(-len(share) // batch_size)) for share in shares]


def evaluation_draws(rows: np.ndarray, batch_size: int, rank: int, world: int) -> list[Draw]:
    """Every row exactly once over all ranks, in order, without padding.

    >>> [draw.rows.tolist() for draw in evaluation_draws(np.arange(5), 2, rank=0, world=2)]
    [[0, 2], [4]]
    """
    mine = rows[rank::world]
    return [Draw(mine[start : start + batch_size], None) for start in range(0, len(mine), batch_size)]
