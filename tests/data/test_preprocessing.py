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


@pytest.mark.parametrize("deep", [False, True])
def test_squeezed_pixels_are_normalised(deep):
    box = preprocessing(deep=deep, tanh_scale=0.3, low=(0.1, 0.2, 0.3), high=(0.8, 0.7, 0.9))
    images = torch.rand(4, 12, 20, 3) if deep else torch.randint(0, 256, (4, 12, 20, 3), dtype=torch.uint8)
    pixels = np.tanh(images.double().numpy() / (1 if deep else 255) / 0.3)
    pixels = np.clip((pixels - box.low) / (np.array(box.high) - box.low), 0, 1)
    want = torch.from_numpy((pixels - box.mean) / box.std).permute(0, 3, 1, 2)
    got = box.normalise(images)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    assert got.dtype == torch.float32 and got.is_contiguous(memory_format=torch.channels_last)


def test_weights_saved_before_there_was_scaling_still_load():
    old = {
        key: value
        for key, value in preprocessing().to_dict().items()
        if key not in ("tanh_scale", "low", "high")
    }
    assert Preprocessing.from_dict(old) == preprocessing()


def test_round_trip_through_json():
    squeezed = preprocessing(tanh_scale=0.2, low=(0.0, 0.1, 0.2), high=(0.5, 0.6, 0.7))
    assert Preprocessing.from_dict(json.loads(json.dumps(squeezed.to_dict()))) == squeezed
    box = preprocessing(max_value=4095.0, deep=True)
    assert Preprocessing.from_dict(json.loads(json.dumps(box.to_dict()))) == box


@pytest.mark.parametrize(
    "changes, words",
    [({"height": 0}, "image_size"), ({"mean": (0.5,)}, "model.in_chans"), ({"channels": 4}, "4 channels")],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        preprocessing(**changes)


def test_pictures_of_many_channels_are_shrunk_as_three_are():
    """OpenCV averages areas of four channels at most."""
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 6), dtype=np.uint8)
    whole = preprocessing(channels=6, mean=(0.5,) * 6, std=(0.5,) * 6, height=24, width=32).resize(image)
    half = preprocessing(channels=3, height=24, width=32)
    np.testing.assert_array_equal(
        whole, np.concatenate([half.resize(image[..., :3]), half.resize(image[..., 3:])], axis=2)
    )
