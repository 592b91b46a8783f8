import numpy as np
import pytest

from compkit.doctor.proofs.numbers import almost_constant, stand_in

RNG = np.random.default_rng(0)


def column(*parts):
    return np.concatenate([np.asarray(part, np.float32) for part in parts])[:, None]


@pytest.mark.parametrize("number", [-9999, 9999, -1e6])
def test_a_number_that_stands_for_unknown_is_named(number):
    [found] = stand_in(column(RNG.uniform(-45, 45, 200), [number] * 20), ["angle"])
    assert found.check == "proofs.labels" and found.status == "warn"
    assert "20 training rows" in found.message and found.value > 90


HEALTHY = {
    "uniform": RNG.uniform(-45, 45, 300),
    "normal": RNG.normal(size=1000),
    "skewed": RNG.lognormal(0, 2, 1000),
    "many zeros": np.concatenate([np.zeros(500), RNG.gamma(2, 3, 500)]),
    "grades": RNG.integers(0, 5, 300),
    "zero or one": RNG.integers(0, 2, 300),
    "few high grades": np.repeat([0, 1, 4], [290, 5, 5]),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_usual_numbers_are_left_alone(name):
    assert not stand_in(column(HEALTHY[name]), ["x"])
    assert not almost_constant(column(HEALTHY[name]), ["x"])


def test_a_second_column_is_looked_at():
    targets = np.hstack([column(RNG.normal(size=100)), column(RNG.normal(size=90), [-9999.0] * 10)])
    assert "the second -9999" in stand_in(targets, ["first", "second"])[0].message


def test_next_to_constant_numbers_are_named():
    [found] = almost_constant(column([12.5] * 398, [13.0] * 2), ["angle"])
    assert "99.5%" in found.message and found.value == pytest.approx(0.995)
    assert not almost_constant(column([12.5] * 400), ["angle"])  # told by another sentence
