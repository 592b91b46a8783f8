"""Each rule over what probes saw: on what it should name, beside it, and just short of it."""

import numpy as np
import pandas as pd
import pytest

from compkit.diagnosis import diagnose_probes
from compkit.probes import STATISTICS, ProbeRecord

from .histories import facts, fired

STEPS = np.arange(0, 300, 50)
LAYERS = {
    "conv": "weights",
    "norm": "vector",
    "act": "rectifier",
    "squash": "tanh",
    "hidden": "weights",
    "head": "weights",
}
HEALTHY = {"activation_mean": 0.1, "activation_std": 1.0, "zero_share": 0.5, "dead_share": np.nan,
           "saturated_share": np.nan, "gradient_rms": 1e-3, "weight_rms": 0.05, "update_ratio": 3e-3, "not_finite": 0}  # fmt: skip


def record(steps=STEPS, layers=LAYERS, **changes):
    """Healthy probes; `layer__statistic` gives a value, or one for each step."""
    rows = []
    for number, step in enumerate(steps):
        for layer, kind in layers.items():
            row = {"epoch": step // 100 + 1, "step": step, "layer": layer, "kind": kind} | HEALTHY
            row["dead_share"] = 0.05 if kind == "rectifier" else np.nan
            row["saturated_share"] = 0.1 if kind in ("tanh", "sigmoid") else np.nan
            if kind in ("rectifier", "tanh", "sigmoid"):
                row |= dict.fromkeys(("gradient_rms", "weight_rms", "update_ratio"), np.nan)
            for name, value in changes.items():
                of, _, statistic = name.partition("__")
                if of in (layer, "all") and not np.isnan(row[statistic]):
                    row[statistic] = np.broadcast_to(value, len(steps))[number]
            rows.append(row)
    return ProbeRecord(pd.DataFrame(rows), {})


def found(**changes):
    return fired(diagnose_probes(record(**changes), facts()))


def test_healthy_layers_pass():
    [one] = diagnose_probes(record(), facts(fold=3))
    assert (one.check, one.status, one.evidence["fold"]) == ("probes", "pass", 3)


def test_two_looks_are_too_few():
    [one] = diagnose_probes(record(steps=STEPS[:3], conv__gradient_rms=0.0), facts())
    assert one.status == "skip" and "2 step(s)" in one.message


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"conv__gradient_rms": 0.0}, {"vanishing_gradient"}),
        ({"conv__gradient_rms": 9e-11}, {"vanishing_gradient"}),
        ({"conv__gradient_rms": 2e-10}, set()),
        ({"conv__gradient_rms": [0, 0, 0, 0, 1e-3, 0]}, set()),  # it comes and goes: a path that is dropped
        ({"conv__gradient_rms": [0, 0, 0, 1e-3, 1e-3, 1e-3]}, set()),  # a branch that begins at 0
        ({"norm__gradient_rms": 0.0}, set()),
        ({"head__gradient_rms": 0.0}, set()),  # a head that the loss does not read
        ({"all__gradient_rms": 0.0}, set()),  # a loss that has come to 0
        ({"conv__gradient_rms": np.nan, "conv__update_ratio": np.nan}, set()),  # frozen
        ({"act__dead_share": 0.41}, {"dead_units"}),
        ({"act__dead_share": 0.39}, set()),
        ({"act__dead_share": [0.9, 0.9, 0.9, 0.1, 0.1, 0.1]}, set()),
        ({"act__dead_share": 1.0, "conv__gradient_rms": 0.0}, {"dead_units"}),
        ({"squash__saturated_share": 0.51}, {"saturation"}),
        ({"squash__saturated_share": 0.49}, set()),
        ({"conv__update_ratio": 0.0}, {"not_updated"}),
        ({"conv__update_ratio": [0, 0, 0, 0, 1e-7, 0]}, set()),
        ({"all__gradient_rms": 0.0, "conv__update_ratio": 0.0}, set()),
        ({"head__update_ratio": 0.11}, {"update_ratio"}),
        ({"head__update_ratio": 0.09}, set()),
        ({"norm__update_ratio": 0.5}, set()),
        ({"head__update_ratio": [9, 0.01, 0.01, 0.01, 0.01, 0.01]}, set()),  # fresh weights
        ({"all__update_ratio": 9e-6}, {"update_ratio"}),
        ({"all__update_ratio": [9e-6, 9e-6, 2e-5, 9e-6, 9e-6, 9e-6]}, set()),  # a rate that comes down
        ({"conv__update_ratio": 1e-7}, set()),  # a rate of its own
    ],
)  # fmt: skip
def test_rules_fire_where_they_should(changes, expected):
    assert found(**changes) == expected


def test_layers_that_did_not_run_are_not_blamed():
    base = record(conv__gradient_rms=0.0)
    base.layers.loc[base.layers["layer"] == "conv", "activation_mean"] = np.nan
    assert not fired(diagnose_probes(base, facts()))


def test_messages_say_which_layer_the_value_and_what_to_do():
    for changes in ({"conv__gradient_rms": 0.0}, {"act__dead_share": 0.8}, {"squash__saturated_share": 0.9},
                    {"conv__update_ratio": 0.0}, {"head__update_ratio": 0.5}):  # fmt: skip
        [one] = [one for one in diagnose_probes(record(**changes), facts()) if one.status == "warn"]
        assert one.evidence["layers"] == [next(iter(changes)).split("__")[0]]
        assert one.evidence["layers"][0] in one.message and one.value is not None
        assert "=" in one.remedy and one.expected


def test_many_layers_are_counted_and_named_in_order():
    layers = {f"conv{number}": "weights" for number in range(12)} | {"head": "weights"}
    changes = {f"conv{number}__gradient_rms": 0.0 for number in range(12)}
    [one] = [
        one for one in diagnose_probes(record(layers=layers, **changes), facts()) if one.status == "warn"
    ]
    assert "12 layer(s)" in one.message and "conv0 (0), conv1 (0), conv2 (0) and 9 more" in one.message


def test_columns_are_those_that_probes_write():
    assert set(HEALTHY) == set(STATISTICS)
