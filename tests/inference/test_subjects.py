"""Images of a subject averaged: against pandas, and whatever the parts they come in."""

import numpy as np
import pandas as pd
import pytest

from compkit.inference import average_rows, average_subjects, of_subjects, per_subject
from compkit.results import subject_frame
from compkit.types import Predictions


@pytest.fixture
def images():
    """Images of 20 subjects, 1 to 5 each, equal ones side by side in no alphabetical order."""
    rng = np.random.default_rng(0)
    names = rng.permutation([f"s{number}" for number in range(20)])
    subjects = np.repeat(names, rng.integers(1, 6, 20))
    values = rng.random((len(subjects), 3)).astype(np.float32)
    return Predictions(np.arange(len(subjects)).astype(str), values, subjects)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_as_a_groupby_does(images, how):
    found = of_subjects(images, how)
    want = pd.DataFrame(images.values).groupby(images.subjects, sort=False).agg(how)
    assert found.ids.tolist() == want.index.tolist() and found.subjects is None
    np.testing.assert_allclose(found.values, want.to_numpy(), rtol=1e-6)
    assert found.values.dtype == np.float32


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 59, 1000])
def test_parts_change_nothing(images, how, size):
    spans = [slice(start, start + size) for start in range(0, len(images.ids), size)]
    parts = [Predictions(*(column[span] for column in images)) for span in spans]
    found = list(average_subjects(parts, how))
    want = of_subjects(images, how)
    assert np.concatenate([part.ids for part in found]).tolist() == want.ids.tolist()
    assert np.array_equal(np.concatenate([part.values for part in found]), want.values)


def test_the_order_of_a_subjects_images_changes_nothing(images):
    rng = np.random.default_rng(1)
    order = np.lexsort((rng.random(len(images.ids)), pd.factorize(images.subjects)[0]))
    assert not np.array_equal(order, np.arange(len(order)))
    mixed = Predictions(images.ids[order], images.values[order], images.subjects[order])
    assert np.array_equal(mixed.subjects, images.subjects)
    np.testing.assert_allclose(
        of_subjects(mixed, "mean").values, of_subjects(images, "mean").values, rtol=1e-6
    )
    assert np.array_equal(of_subjects(mixed, "max").values, of_subjects(images, "max").values)


def test_images_alone_stay_as_they_are(images):
    alone = Predictions(images.ids, images.values)
    assert of_subjects(alone, "max") is alone and list(average_subjects([alone], "max")) == [alone]
    assert per_subject(images.values, images.values, None, "mean")[1] is images.values
    assert len(average_rows(images.values[:0], images.subjects[:0], "mean")) == 0
    frame = pd.DataFrame({"id": ["1"], "fold": [0], "pred_x": [0.5]})
    assert subject_frame(frame, "mean") is frame


def test_targets_are_those_of_the_subject(images):
    rows = pd.factorize(images.subjects)[0]
    targets, values = per_subject(rows, images.values, images.subjects, "mean")
    assert targets.tolist() == list(range(20)) and values.shape == (20, 3)


def test_images_that_lie_apart_are_ours_to_prevent():
    frame = pd.DataFrame({"id": ["1", "2", "3"], "subject": ["a", "b", "a"], "fold": 0, "pred_x": 0.5})
    with pytest.raises(AssertionError, match="lie apart"):
        subject_frame(frame, "mean")
