"""The race between hill climbing and the naive loop: same picks, and the speed that is promised."""

import numpy as np
import pytest

from compkit.trials.benchmark_blend import benchmark_hill_climb, made_up_models


def test_a_small_race(capsys):
    races = benchmark_hill_climb(rounds=2, models=6, rows=400, classes=4)
    assert set(races) == {"log_loss", "accuracy"} and all(race.is_same for race in races.values())
    assert all(race.ours > 0 and race.naive > 0 and race.rounds >= 1 for race in races.values())
    out = capsys.readouterr().out
    assert "naive / ours" in out and "naive round 1" in out


def test_made_up_models_are_probabilities_of_similar_skill():
    values, targets = made_up_models(4, 2000, 5)
    np.testing.assert_allclose(values.sum(axis=2), 1)
    accuracy = (values.argmax(axis=2) == targets).mean(axis=1)
    assert accuracy.min() > 0.5 and np.ptp(accuracy) < 0.1


@pytest.mark.slow
def test_the_promised_speed_at_a_third_of_the_size():
    """At full size (scripts/benchmark.py what=hill_climb) 120 and 12 were measured; less is asked of a small one."""
    races = benchmark_hill_climb(rounds=3, models=30, rows=30_000)
    assert all(race.is_same for race in races.values())
    assert races["log_loss"].naive / races["log_loss"].ours > 30
    assert races["accuracy"].naive / races["accuracy"].ours > 3
