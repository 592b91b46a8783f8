"""The preview shows the run's own first batch."""

import numpy as np
import pytest
import torch

from compkit.data import ImageDataset
from compkit.engine import Console
from compkit.report.contact_sheet import denormalise
from compkit.run.trial import open_trial
from compkit.trials.preview import first_pictures, preview


@pytest.mark.parametrize(
    "options", [("augment=light",), ("augment=flips", "mixing=mixup"), ("competition=tilt",)]
)
def test_it_shows_what_the_model_is_given(plan, options):
    given = []
    with open_trial(plan(*options), Console(quiet=True)) as trial:
        plain, seen, texts = first_pictures(trial, 10)
        stepper = trial.stepper()
        stepper.learner.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        window, _ = next(trial.windows(stepper))
        stepper.gradient(window)  # what the loop does
        preprocessing = trial.fold_data.preprocessing
        images = denormalise(torch.cat(given), preprocessing)
        rows = window[0].rows.numpy()
        originals = [ImageDataset(trial.data.table, preprocessing).sample(row).image for row in rows]
        labels = trial.data.table.labels[rows]
    np.testing.assert_array_equal(seen, images)
    np.testing.assert_array_equal(plain, np.broadcast_to(originals, images.shape))
    assert len(texts) == len(images) == 16
    if "mixing=mixup" in options:
        assert any(" + " in text for text in texts)
    elif labels.ndim == 1:
        assert texts == [str(label) for label in labels]


def test_files_are_kept_and_generators_too(plan, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = preview(plan("augment=light"), tmp_path / "sheet.png", 8)
    second = preview(plan("augment=light"), tmp_path / "sheet.png", 8)
    assert (first.name, second.name) == ("sheet.png", "sheet_2.png")
    assert first.read_bytes() == second.read_bytes()
    assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()


def test_other_files_are_refused(plan, tmp_path):
    with pytest.raises(ValueError, match=r"output=.*\.png"):
        preview(plan(), tmp_path / "sheet.pdf", 8)
