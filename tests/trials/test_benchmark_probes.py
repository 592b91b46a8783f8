from compkit.trials.benchmark_probes import benchmark_probes


def test_the_cost_of_probes_is_measured_in_turn(plan, capsys):
    share = benchmark_probes(plan("limit=40", "predict_test=false"), rounds=1)
    assert 0 < share < 1
    said = capsys.readouterr().out
    assert "every 50 steps" in said and f"probes / step: {share:.2%}" in said
