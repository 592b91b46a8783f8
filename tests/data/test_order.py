"""Every row once, in windows that do not depend on how many ranks share them."""

from itertools import cycle, repeat

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


def test_augmentation_seeds_change_with_epoch_and_seed_only():
    def flat(**changes):
        arguments = {
            "order": np.arange(40),
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
        assert [rows for rows, _ in changed] == [
            rows for rows, _ in flat()
        ]  # the sampler's, not the windows'
        assert not {seed for _, seed in changed} & {seed for _, seed in flat()}
    assert len({seed for _, seed in flat()}) == 10


def test_ranks_augment_differently():
    window = training_windows(np.arange(16), 4, 2, 2, seed=0, epoch=0)[0]
    seeds = [draw.seed for rank in window for draw in rank]
    assert len(set(seeds)) == 4


def test_one_process_gets_the_order_as_it_is():
    order = np.random.default_rng(0).permutation(21)
    windows = training_windows(order, 4, 1, 1, seed=0, epoch=0)
    assert [draw.rows.tolist() for [[draw]] in windows] == [
        order[start : start + 4].tolist() for start in range(0, 20, 4)
    ]


SIZES = [(32, 32), None, (96, 64)]
IMAGES = {(32, 32): 8, None: 4, (96, 64): 2}


@pytest.mark.parametrize("rows", [8, 31, 100])
@pytest.mark.parametrize("accumulate, world", [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_a_window_has_one_size_and_its_batch_size(rows, accumulate, world):
    windows = training_windows(np.arange(rows), 4, accumulate, world, 0, 0, cycle(SIZES), IMAGES.__getitem__)
    seen = [row for window in rows_of(windows) for row in window]
    assert len(seen) == len(set(seen)) and rows - len(seen) < 2 * world
    for number, window in enumerate(windows):
        draws = [draw for rank in window for draw in rank]
        size = SIZES[number % 3]
        assert {draw.size for draw in draws} == {size}
        assert max(len(draw.rows) for draw in draws) <= IMAGES[size]
        if number < len(windows) - 1:
            assert [len(draw.rows) for draw in draws] == [IMAGES[size]] * accumulate * world


def test_sizes_that_keep_the_batch_change_nothing_else():
    def plain(windows):
        return [[(d.rows.tolist(), d.seed) for rank in window for d in rank] for window in windows]

    fixed = training_windows(np.arange(50), 4, 2, 2, 0, 0)
    assert plain(training_windows(np.arange(50), 4, 2, 2, 0, 0, cycle(SIZES))) == plain(fixed)
    assert plain(training_windows(np.arange(50), 4, 2, 2, 0, 0, repeat(None), IMAGES.__getitem__)) == plain(
        fixed
    )


@pytest.mark.parametrize("batches", [1, 2, 5, 6, 11, 12])
@pytest.mark.parametrize("accumulate, world", [(1, 1), (4, 1), (1, 2), (2, 2), (2, 3)])
def test_whole_batches_stay_whole_on_every_rank(batches, accumulate, world):
    windows = training_windows(np.arange(batches * 4), 4, accumulate, world, 0, 0, whole_batches=True)
    dealt = [draw.rows.tolist() for window in windows for rank in window for draw in rank]
    assert all(rows == list(range(rows[0], rows[0] + 4)) and rows[0] % 4 == 0 for rows in dealt)
    assert len(dealt) == len({rows[0] for rows in dealt}) == batches // world * world
    assert all(len({len(rank) for rank in window}) == 1 for window in windows)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_evaluation_covers_each_row_once_without_padding(world):
    rows = np.array([5, 3, 9, 11, 2, 7, 1])
    draws = [draw for rank in range(world) for draw in evaluation_draws(rows, 2, rank, world)]
    assert sorted(np.concatenate([draw.rows for draw in draws])) == sorted(rows)
    assert all(draw.seed is None for draw in draws)
