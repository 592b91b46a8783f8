"""The preview shows the run's own first batch."""

import numpy as np
import pytest
import torch

from compkit.data import Draw, ImageDataset
from compkit.engine import Console
from compkit.preview import draw, preview
from compkit.report.contact_sheet import denormalise
from compkit.trial import open_trial


def contains(sheet, image):
    """Whether the picture is on the sheet, enlarged by a whole factor, to the bit."""
    factor = -(-112 // max(image.shape[:2]))
    large = np.moveaxis(image.repeat(factor, axis=0).repeat(factor, axis=1), 2, 0)
    places = np.lib.stride_tricks.sliding_window_view(sheet, large.shape[1:], axis=(0, 1))
    corners = np.argwhere((places[..., 0, 0] == large[:, 0, 0]).all(axis=2) & (places[..., -1, 9] == large[:, -1, 9]).all(axis=2))
    return any((places[y, x] == large).all() for y, x in corners)


@pytest.mark.parametrize("options", [("augment=light",), ("augment=flips", "mixing=mixup"), ("competition=tilt",)])
def test_the_sheet_shows_what_the_model_is_given(plan, options):
    given = []
    with open_trial(plan(*options), Console(quiet=True)) as trial:
        sheet = draw(trial, 16)
        stepper = trial.stepper()
        stepper.learner.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        window, _ = next(trial.windows(stepper))
        stepper.gradient(window)  # what the loop does
        preprocessing = trial.fold_data.preprocessing
        images = denormalise(torch.cat(given), preprocessing)
        dataset = ImageDataset(trial.data.table, preprocessing)
        plain = dataset[Draw(window[0].rows.numpy(), None)].images
        originals = denormalise(preprocessing.normalise(plain), preprocessing)
    assert len(images) == len(originals) == 16
    assert all(contains(sheet, image) for image in [*images, *originals])


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
