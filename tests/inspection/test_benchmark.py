"""The benchmark of the decoding pass, on a few pictures."""

from compkit.inspection.benchmark import benchmark_inspection


def test_rates_are_told(capsys):
    speed = benchmark_inspection(12)
    assert 0 < speed.ratio < 1 and speed.growth_mb < 50
    out = capsys.readouterr().out
    assert "12 JPEGs of 512 x 512" in out and "12 groups of duplicates" in out
