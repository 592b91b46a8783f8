"""What enters the network, drawn: the inverse of normalising, and every pixel where it belongs."""

import numpy as np
import pytest
import torch

from compkit.data import Preprocessing
from compkit.report.contact_sheet import contact_sheet, denormalise, label_texts
from compkit.types import Targets, Task


def box(channels, **changes):
    means, stds = (0.3, 0.5, 0.4, 0.2, 0.6), (0.2, 0.3, 0.25, 0.1, 0.4)
    return Preprocessing(6, 7, channels, False, None, means[:channels], stds[:channels], **changes)


@pytest.mark.parametrize("channels, shown", [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (5, [0, 1, 2])])
def test_denormalise_is_the_inverse_of_normalise(channels, shown):
    images = torch.randint(0, 256, (4, 6, 7, channels), dtype=torch.uint8)
    got = denormalise(box(channels).normalise(images), box(channels))
    np.testing.assert_array_equal(got, images.numpy()[..., shown])


def test_a_squeeze_is_shown_as_the_network_sees_it():
    preprocessing = box(3, tanh_scale=0.3)
    images = torch.randint(0, 256, (2, 6, 7, 3), dtype=torch.uint8)
    want = np.tanh(images.numpy() / 255 / 0.3) * 255
    assert np.abs(denormalise(preprocessing.normalise(images), preprocessing) - want).max() < 0.51


def test_values_beyond_black_and_white_are_cut():
    got = denormalise(torch.tensor([-9.0, 9.0]).view(1, 1, 1, 2), box(1))
    assert got[0, 0, :, 0].tolist() == [0, 255]


def test_every_picture_is_on_the_sheet_pixel_by_pixel():
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 256, (5, 60, 50, 3), dtype=np.uint8) for _ in range(2)]
    sheet = contact_sheet(
        rows, ["a label that is far too long for its picture, and then some"] * 5, ["title"], columns=2
    )
    patches = np.lib.stride_tricks.sliding_window_view(sheet, (120, 100), axis=(0, 1))
    for images in rows:
        for image in images:
            large = image.repeat(2, axis=0).repeat(2, axis=1)  # whole factor: pixels stay squares
            corners = np.argwhere((patches[:, :, :, 0, 0] == large[0, 0]).all(axis=2))
            assert any((patches[y, x] == np.moveaxis(large, 2, 0)).all() for y, x in corners)


def test_sizes_may_differ():
    images = [np.zeros((20, 30, 3), np.uint8), np.zeros((130, 120, 3), np.uint8)]
    sheet = contact_sheet([images], ["small", "large"])
    assert sheet.dtype == np.uint8 and sheet.shape[0] >= 130 and (sheet == 0).any()


def test_texts_of_every_task():
    assert label_texts(Targets(torch.tensor([1, 0])), ["cat", "dog"], Task.MULTICLASS) == ["dog", "cat"]
    several = Targets(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert label_texts(several, ["cat", "dog"], Task.MULTILABEL) == ["cat, dog", "-"]
    assert label_texts(Targets(torch.tensor([[12.3456]])), ["angle"], Task.REGRESSION) == ["12.35"]
    mixed = Targets(
        torch.tensor([[4.0], [2.0]]), share=torch.tensor([0.25, 1.0]), other=torch.tensor([[2.0], [4.0]])
    )
    assert label_texts(mixed, ["angle"], Task.REGRESSION) == ["25% 4 + 75% 2", "2"]
