"""The benchmark runs and compares the same step."""

import pytest

from compkit.benchmark import benchmark


@pytest.mark.slow
def test_benchmark_gives_a_ratio(plan, capsys):
    ratio = benchmark(plan("limit=100", "predict_test=false"), rounds=1)
    assert 0 < ratio < 3
    assert "loop / step alone" in capsys.readouterr().out
