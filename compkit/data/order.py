"""Which rows enter which step, on which rank, and with which seed: all decided in the main process."""

from typing import NamedTuple

import numpy as np

from compkit.randomness import derive_seed


class Draw(NamedTuple):
    """One micro-batch to load. The seed travels with the rows, so that workers hold no state."""

    rows: np.ndarray  # int64 [B], positions in the table
    seed: int | None  # of the augmentation; None: as in evaluation, without any


def training_windows(
    rows: np.ndarray, batch_size: int, accumulate: int, world: int, seed: int, epoch: int
) -> list[list[list[Draw]]]:
    """One epoch's shuffled rows as windows; a window is what one optimizer step learns from.

    A full window holds batch_size x accumulate x world rows. Its micro-batches are dealt to the
    ranks in turn, so N ranks see in one step what one process with N times the accumulation sees.
    The last, shorter window is dealt evenly. It is left out only when a rank would get fewer than
    two rows (batch norm needs two), unless batch_size is 1.

    Returns:
        windows[step][rank] -> micro-batches of that rank, at least one each.

    >>> windows = training_windows(np.arange(10), 2, 1, 2, seed=0, epoch=0)
    >>> [[[len(draw.rows) for draw in rank] for rank in window] for window in windows]
    [[[2], [2]], [[2], [2]]]
    """
    order = rows[np.random.default_rng([seed, epoch, 0]).permutation(len(rows))]
    size = batch_size * accumulate * world
    smallest = world * min(2, batch_size)
    windows = []
    for start in range(0, len(order), size):
        window = order[start : start + size]
        if len(window) < smallest:
            continue
        if len(window) == size:
            batches = np.split(window, accumulate * world)
            ranks = [batches[rank::world] for rank in range(world)]
        else:
            shares = np.array_split(window, world)
            ranks = [np.array_split(share, -(-len(share) // batch_size)) for share in shares]
        windows.append(
            [
                [
                    Draw(batch, derive_seed(seed, epoch, start, rank, number))
                    for number, batch in enumerate(batches)
                ]
                for rank, batches in enumerate(ranks)
            ]
        )
    return windows


def evaluation_draws(rows: np.ndarray, batch_size: int, rank: int, world: int) -> list[Draw]:
    """Every row exactly once over all ranks, in order, without padding.

    >>> [draw.rows.tolist() for draw in evaluation_draws(np.arange(5), 2, rank=0, world=2)]
    [[0, 2], [4]]
    """
    mine = rows[rank::world]
    return [Draw(mine[start : start + batch_size], None) for start in range(0, len(mine), batch_size)]
