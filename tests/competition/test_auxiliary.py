"""Auxiliary columns as labels, and what cannot be one."""

import numpy as np
import pandas as pd
import pytest

from compkit.competition import AuxiliaryColumn, read_auxiliary

FRAME = pd.DataFrame(
    {
        "parity": ["odd", "", "even", "odd"],
        "size": ["1", "3", "", "2.5"],
        "nothing": [""] * 4,
        "same": ["a", "a", "", "a"],
        "endless": ["1", "2", "inf", "4"],
    }
)


def read(column, **settings):
    return read_auxiliary(FRAME, "extra", AuxiliaryColumn(column, **settings))


def test_classes_are_numbered_in_order_and_empty_cells_are_missing():
    labels = read("parity", weight=1)
    assert labels.values.tolist() == [1, -1, 0, 1] and labels.values.dtype == np.int64
    assert (labels.task, labels.num_outputs, labels.weight) == ("multiclass", 2, 1.0)


def test_numbers_are_in_units_of_their_spread():
    labels = read("size", task="regression")
    assert labels.values.shape == (4, 1) and labels.values.dtype == np.float32
    known = np.array([1, 3, 2.5])
    np.testing.assert_allclose(labels.values[[0, 1, 3], 0] * known.std() + known.mean(), known, rtol=1e-6)
    assert np.isnan(labels.values[2])


@pytest.mark.parametrize(
    "column, settings, words",
    [
        ("colour", {}, r"auxiliary\.extra\.column=colour.*no such column.*parity"),
        ("nothing", {}, r"auxiliary\.extra\.column=nothing.*every row is empty"),
        ("same", {}, r"auxiliary\.extra\.column=same.*every row says 'a'"),
        ("parity", {"task": "regression"}, r"parity.*holds text.*auxiliary\.extra\.task=multiclass"),
        ("endless", {"task": "regression"}, r"endless.*infinite"),
        ("parity", {"task": "multilabel"}, "multilabel.*multiclass"),
        ("parity", {"weight": 0}, "weight of column 'parity'.*got 0"),
        ("parity", {"weight": "much"}, "weight of column 'parity'.*got 'much'"),
        ("parity", {"weight": float("inf")}, "weight of column 'parity'.*got inf"),
    ],
)
def test_refusals(column, settings, words):
    with pytest.raises(ValueError, match=words):
        read(column, **settings)
