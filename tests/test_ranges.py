"""Values from the configuration: converted, or refused by the key with what was given and what is expected."""

import math
from functools import partial

import pytest

from compkit.ranges import (
    above_zero_to_one,
    below_one,
    inside_zero_to_one,
    interval,
    not_negative,
    one_of,
    positive,
    require,
    whole,
    zero_to_one,
)

# each range, with the ends it holds and those just outside
RANGES = [
    (not_negative, [0, 1e-9, 1e9], [-1e-9]),
    (positive, [1e-9, 1e9], [0, -1]),
    (zero_to_one, [0, 0.5, 1], [-1e-9, 1 + 1e-9]),
    (below_one, [0, 0.5, 1 - 1e-9], [-1e-9, 1]),
    (above_zero_to_one, [1e-9, 0.5, 1], [0, 1 + 1e-9]),
    (inside_zero_to_one, [1e-9, 0.5, 1 - 1e-9], [0, 1]),
    (partial(whole, least=2), [2, 3.0, "4"], [1, 2.5, -3]),
]
NO_NUMBERS = [None, "some", [1], math.nan, math.inf, True]


@pytest.mark.parametrize("check, inside, outside", RANGES)
def test_a_range_takes_what_is_inside_and_nothing_else(check, inside, outside):
    assert [check("group.key", value, usual="3") for value in inside] == [float(value) for value in inside]
    for value in [*outside, *NO_NUMBERS]:
        with pytest.raises(
            ValueError, match=r"^group\.key: got .*; expected a .*number .*, e\.g\. group\.key=3\.$"
        ):
            check("group.key", value, usual="3")


def test_the_command_lines_values_are_converted():
    assert type(not_negative("key", 4, "1")) is float and not_negative("key", "1e-3", "1") == 0.001
    assert type(whole("key", 3.0, 1, "4")) is int


def test_require_names_what_was_given():
    with pytest.raises(ValueError, match=r"^loss\.beta: got '2x'; expected an odd number\.$"):
        require("loss.beta", "2x", lambda number: number % 2 == 1, "an odd number")


def test_one_of():
    assert one_of("loss.axis", "class", ("sample", "class")) == "class"
    with pytest.raises(ValueError, match=r"^loss\.axis: got 'label'; expected one of sample, class\.$"):
        one_of("loss.axis", "label", ("sample", "class"))


@pytest.mark.parametrize("value", [0.5, "01", [0.5], [0, 0.5, 1], [0.6, 0.5], [-0.1, 1], [0, 1.1], [0, "x"]])
def test_an_interval_is_two_numbers_in_order(value):
    with pytest.raises(
        ValueError, match=r"crop\.scale: got .*; expected \[smallest, largest\], both from 0 to 1"
    ):
        interval("crop.scale", value, 0, 1)
    assert interval("crop.scale", (0, "1"), 0, 1) == (0.0, 1.0)
