"""The benchmark runs, compares the same step, and finds what a trick costs."""

import time
from dataclasses import replace

import pytest

from compkit.losses import CrossEntropy
from compkit.trials.benchmark import benchmark, benchmark_tricks

SMALL = ("limit=100", "predict_test=false")


@pytest.mark.slow
def test_benchmark_gives_a_ratio(plan, capsys):
    ratio = benchmark(plan(*SMALL), rounds=1)
    assert 0 < ratio < 3
    assert "loop / step alone" in capsys.readouterr().out


class Slow(CrossEntropy):
    """Cross-entropy that takes 20 ms longer."""

    def per_sample(self, inputs, labels):
        time.sleep(0.02)
        return super().per_sample(inputs, labels)


@pytest.mark.slow
def test_what_a_trick_adds_is_found(plan, capsys):
    plain = plan(*SMALL)
    tricks = {
        "slow": replace(plain, make_loss=Slow),
        "mixing": plan(*SMALL, "mixing=mixup_cutmix"),
        "triplet": plan(*SMALL, "loss=sum"),
        "arcface": plan(*SMALL, "model/head=arcface"),
    }
    costs = benchmark_tricks(plain, tricks, rounds=1)
    assert list(costs) == list(tricks)
    assert all(0 < cost.plain_part < cost.plain_step for cost in costs.values())
    slow = costs["slow"]
    assert slow.part > 0.02  # it sleeps so long; how much longer the plain part took is the machine's affair
    assert slow.share == pytest.approx((slow.part - slow.plain_part) / slow.plain_step)
    out = capsys.readouterr().out
    assert "cost / step" in out and all(name in out for name in tricks)
