"""Preprocessing: sizes, normalisation against the plain formula, and the round trip through JSON."""

import json

import cv2
import numpy as np
import pytest
import torch

from compkit.data import Preprocessing


def preprocessing(**changes):
    values = {
        "height": 12,
        "width": 20,
        "channels": 3,
        "deep": False,
        "max_value": None,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.25),
    }
    return Preprocessing(**(values | changes))


@pytest.mark.parametrize("deep", [False, True])
def test_normalise_is_minus_mean_over_std(deep):
    box = preprocessing(deep=deep)
    images = torch.rand(4, 12, 20, 3) if deep else torch.randint(0, 256, (4, 12, 20, 3), dtype=torch.uint8)
    pixels = images.double() if deep else images.double() / 255
    want = (pixels - torch.tensor(box.mean).double()) / torch.tensor(box.std).double()
    got = box.normalise(images)
    torch.testing.assert_close(got.double(), want.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_loads_to_its_size_and_keeps_grey_three_dimensional(tmp_path):
    path = str(tmp_path / "a.png")
    cv2.imwrite(path, np.arange(60 * 40, dtype=np.uint8).reshape(60, 40))
    assert preprocessing().load((path,)).shape == (12, 20, 3)
    assert preprocessing(channels=1, mean=(0.5,), std=(0.5,)).load((path,)).shape == (12, 20, 1)


def test_shrinking_averages_areas():
    image = np.indices((24, 40)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * 200
    resized = preprocessing().resize(image.astype(np.uint8))
    assert (resized == 100).all()  # a checkerboard becomes its mean, where bilinear would alias


def test_round_trip_through_json():
    box = preprocessing(max_value=4095.0, deep=True)
    assert Preprocessing.from_dict(json.loads(json.dumps(box.to_dict()))) == box


@pytest.mark.parametrize(
    "changes, words",
    [({"height": 0}, "image_size"), ({"mean": (0.5,)}, "model.in_chans"), ({"channels": 4}, "4 channels")],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        preprocessing(**changes)
