"""The suggestion lies where the loss falls fastest, noise or not."""

import numpy as np
import pytest

from compkit.engine.lr_find import smooth, suggest

RATES = np.geomspace(1e-7, 1, 100)


def curve(middle):
    """Falls from 2.3 to 0.3 around `middle` and rises steeply a hundred times later."""
    fall = 2.0 / (1 + (RATES / middle) ** 2)
    return 0.3 + fall + 0.01 * (RATES / (100 * middle)) ** 2


@pytest.mark.parametrize("middle", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_steepest_fall_is_found_without_a_lag(middle, noise):
    losses = curve(middle) + noise * np.random.default_rng(0).standard_normal(100)
    suggestion, largest = suggest(RATES, smooth(losses))
    assert middle / 2 < suggestion < middle * 2
    assert middle < largest < middle * 100


def test_a_loss_that_never_falls_gives_no_suggestion():
    assert suggest(RATES, np.linspace(1, 2, 100)) == (None, None)
    assert suggest(np.empty(0), np.empty(0)) == (None, None)
