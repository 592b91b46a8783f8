"""Thresholds moved to 0.5 without a decision changed by rounding."""

import numpy as np
import pytest

from compkit.postprocess import ABOVE_HALF, move_to_half
from compkit.postprocess.halfway import between


@pytest.mark.parametrize("threshold", [0.0, 1e-30, 0.01, 0.3, 0.5, 0.999, 1.0])
def test_the_same_labels_lie_above_half_as_above_the_threshold(threshold):
    values = np.random.default_rng(0).random((2000, 3)).astype(np.float32)
    values[:3] = [[0, 1, threshold], [np.float32(threshold)] * 3, [1e-38, 1 - 6e-8, 0.5]]
    moved = move_to_half(values, threshold)
    np.testing.assert_array_equal(moved > 0.5, values.astype(np.float64) > threshold)
    assert moved.dtype == np.float32 and moved.min() >= 0 and moved.max() <= 1


def test_float32_neighbours_of_the_threshold_fall_on_their_sides():
    for threshold in np.random.default_rng(1).random(200).astype(np.float32):
        around = np.array([[np.nextafter(threshold, np.float32(side)) for side in (0, 1)]])
        assert (move_to_half(around, float(threshold)) > 0.5).tolist() == [[False, True]]


def test_order_stays():
    values = np.sort(np.random.default_rng(2).random(1000))[:, None]
    for threshold in (0.02, 0.5, 0.9):
        assert (np.diff(move_to_half(values, threshold)[:, 0]) >= 0).all()
        assert (np.diff(move_to_half(values[::10], threshold)[:, 0]) > 0).all()


def test_half_is_identity():
    values = np.random.default_rng(3).random((50, 4)).astype(np.float32)
    np.testing.assert_array_equal(move_to_half(values, 0.5), values)


def test_what_is_chosen_wins_over_the_threshold():
    moved = move_to_half(np.array([[0.3, 0.3]]), 0.3, np.array([[True, False]]))
    assert moved.tolist() == [[ABOVE_HALF, 0.5]]


def test_rounding_errors_outside_probabilities_are_cut_off():
    assert move_to_half(np.array([[-1e-7, 1 + 1e-7]]), 0.2).tolist() == [[0.0, 1.0]]


def test_between_separates_neighbouring_floats():
    low = np.random.default_rng(4).random(1000)
    high = np.nextafter(low, 1)
    middle = between(low, high)
    assert ((low <= middle) & (middle < high)).all()
