"""Numbers in their range, and whole."""

import numpy as np
import pytest

from compkit.metrics import RMSE, Accuracy
from compkit.postprocess import Clip, Round
from compkit.types import Task

TARGETS, VALUES = np.array([[1.0, -2], [4, 3]]), np.array([[0.4, 9.0], [2.5, -2.6]])


def test_the_range_is_that_of_each_column_s_targets():
    learned = Clip().fit(TARGETS, VALUES, RMSE())
    assert learned == {"low": [1.0, -2.0], "high": [4.0, 3.0]}
    assert Clip().apply(VALUES, learned).tolist() == [[1.0, 3.0], [2.5, -2.0]]
    assert Round().apply(VALUES, learned).tolist() == [[1.0, 3.0], [2.0, -2.0]]


def test_given_bounds_win_also_as_the_command_line_gives_them():
    assert Clip(low=0, high="3.5").fit(TARGETS, VALUES, RMSE()) == {"low": [0.0, 0.0], "high": [3.5, 3.5]}


def test_rounded_values_are_whole_within_fractional_bounds():
    values = np.linspace(-3, 7, 101)[:, None]
    rounded = Round().apply(values, {"low": [0.5], "high": [4.7]})
    assert set(rounded[:, 0]) == {1, 2, 3, 4}
    assert (np.abs(rounded - values)[(values > 0.6) & (values < 4.4)] <= 0.5).all()


@pytest.mark.parametrize("arguments", [{"low": "a"}, {"high": float("inf")}, {"low": 3, "high": 3}])
def test_bounds_are_rising_numbers(arguments):
    with pytest.raises(ValueError, match=rf"postprocess\.{next(iter(arguments))}"):
        Round(**arguments)


@pytest.mark.parametrize("method", [Clip(), Round()])
def test_classes_are_refused(method):
    with pytest.raises(ValueError, match=f"postprocess={method.name}: is for numbers"):
        method.check(Task.MULTICLASS, Accuracy())
    method.check(Task.REGRESSION, RMSE())
