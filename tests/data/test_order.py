"""Every row once, in windows that do not depend on how many ranks share them."""

import numpy as np
import pytest

from compkit.data import evaluation_draws, training_windows


def rows_of(windows):
    return [sorted(row for rank in window for draw in rank for row in draw.rows) for window in windows]


@pytest.mark.parametrize("rows", [8, 17, 33, 34, 64, 100])
@pytest.mark.parametrize(
    "batch_size, accumulate, world", [(8, 1, 1), (4, 2, 1), (4, 1, 2), (2, 2, 2), (1, 4, 2)]
)
def test_each_row_at_most_once_and_only_a_tiny_tail_is_left_out(rows, batch_size, accumulate, world):
    windows = training_windows(np.arange(rows), batch_size, accumulate, world, seed=0, epoch=0)
    seen = [row for window in rows_of(windows) for row in window]
    assert len(seen) == len(set(seen))
    assert rows - len(seen) < 2 * world
    for window in windows:
        assert len(window) == world and all(window)
        sizes = [len(draw.rows) for rank in window for draw in rank]
        assert max(sizes) <= batch_size
        assert min(sizes) >= min(2, batch_size)


def test_ranks_and_accumulation_see_the_same_windows():
    single = training_windows(np.arange(56), 4, 4, 1, seed=1, epoch=2)
    for batch_size, accumulate, world in [(4, 2, 2), (4, 1, 4), (16, 1, 1)]:
        assert rows_of(
            training_windows(np.arange(56), batch_size, accumulate, world, seed=1, epoch=2)
        ) == rows_of(single)


def test_order_and_augmentation_seeds_change_with_epoch_and_seed_only():
    def flat(**changes):
        arguments = {
            "rows": np.arange(40),
            "batch_size": 4,
            "accumulate": 1,
            "world": 1,
            "seed": 0,
            "epoch": 0,
        }
        windows = training_windows(**(arguments | changes))
        return [(draw.rows.tolist(), draw.seed) for window in windows for rank in window for draw in rank]

    assert flat() == flat()
    for changed in (flat(seed=1), flat(epoch=1)):
        assert [rows for rows, _ in changed] != [rows for rows, _ in flat()]
        assert not {seed for _, seed in changed} & {seed for _, seed in flat()}
    assert len({seed for _, seed in flat()}) == 10


def test_ranks_augment_differently():
    window = training_windows(np.arange(16), 4, 2, 2, seed=0, epoch=0)[0]
    seeds = [draw.seed for rank in window for draw in rank]
    assert len(set(seeds)) == 4


@pytest.mark.parametrize("world", [1, 2, 3])
def test_evaluation_covers_each_row_once_without_padding(world):
    rows = np.array([5, 3, 9, 11, 2, 7, 1])
    draws = [draw for rank in range(world) for draw in evaluation_draws(rows, 2, rank, world)]
    assert sorted(np.concatenate([draw.rows for draw in draws])) == sorted(rows)
    assert all(draw.seed is None for draw in draws)
