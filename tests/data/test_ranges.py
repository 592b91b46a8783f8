"""Numbers from the configuration: converted, or refused by the key."""

import pytest

from compkit.data.ranges import number, share, whole


def test_numbers_are_converted():
    assert number("a", "1e-3", lambda value: value > 0, "a number > 0") == 0.001
    assert share("a", 1, "0.5") == 1.0
    assert whole("a", 3.0, 1, "4") == 3 and isinstance(whole("a", 3.0, 1, "4"), int)


@pytest.mark.parametrize("value", [None, "some", [1], float("nan"), float("inf"), -0.1, 1.1])
def test_a_share_is_refused(value):
    with pytest.raises(ValueError, match=r"mixing.probability: got .*expected a number from 0 to 1"):
        share("mixing.probability", value, "0.5")


@pytest.mark.parametrize("value", [0, 1.5, "two", None])
def test_a_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"scale.stages: got .*expected a whole number, at least 1"):
        whole("scale.stages", value, 1, "4")
