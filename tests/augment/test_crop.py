"""Crops and symmetries keep the size and draw what they say."""

import random

import albumentations as A
import cv2
import numpy as np
import pytest

from compkit.augment import ResizedCrop, Symmetry
from compkit.augment.crop import draw_box


def test_boxes_have_the_shares_and_ratios_asked_for():
    rng = random.Random(0)
    boxes = [draw_box(400, 300, (0.2, 0.6), (0.5, 2.0), rng) for _ in range(3000)]
    shares = np.array([box.height * box.width / (400 * 300) for box in boxes])
    stretches = np.array([box.width / 300 / (box.height / 400) for box in boxes])
    assert 0.195 < shares.min() < 0.21 and 0.57 < shares.max() < 0.605
    assert 0.49 < stretches.min() < 0.53 and 1.9 < stretches.max() < 2.02
    assert abs(np.mean(np.log(stretches))) < 0.02  # wide as often as tall
    assert all(box.top + box.height <= 400 and box.left + box.width <= 300 for box in boxes)


@pytest.mark.parametrize("ratio, want", [((4.0, 4.0), (10, 40)), ((0.25, 0.25), (40, 10))])
def test_a_part_that_cannot_fit_becomes_the_largest_that_does(ratio, want):
    box = draw_box(40, 40, (0.9, 1.0), ratio, random.Random(0))
    assert (box.height, box.width) == want


def test_the_whole_picture_is_left_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (15, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(ResizedCrop([1, 1], [1, 1])(image=image)["image"], image)


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_crop_is_the_part_enlarged(channels, dtype):
    image = (np.random.default_rng(0).random((16, 12, channels)) * (255 if dtype == np.uint8 else 1)).astype(
        dtype
    )
    crop = ResizedCrop([0.3, 0.5])
    crop.set_random_seed(1)
    got = crop(image=image)["image"]
    box = crop.params["box"]
    part = image[box.top : box.top + box.height, box.left : box.left + box.width]
    want = np.stack(
        [cv2.resize(np.ascontiguousarray(one), (12, 16)) for one in np.moveaxis(part, 2, 0)], axis=2
    )
    np.testing.assert_allclose(got.astype(float), want, atol=1 if dtype == np.uint8 else 1e-6)
    assert got.dtype == dtype


@pytest.mark.parametrize("height, number", [(2, 8), (1, 4)])
def test_all_symmetries_equally_often(height, number):
    image = np.arange(2 * height, dtype=np.uint8).reshape(height, 2, 1)
    rectangle = np.tile(image, (1, 2, 1)) if height == 1 else image
    rectangle[0, :, 0] = np.arange(rectangle.shape[1])
    compose = A.Compose([Symmetry()])
    compose.set_random_seed(0)
    results = [compose(image=rectangle)["image"] for _ in range(1600)]
    assert {one.shape for one in results} == {rectangle.shape}
    counts = list({key: 0 for key in map(bytes, results)})
    # a single row looks the same upside down
    assert len(counts) == (number if height > 1 else 2)
    frequencies = [sum(bytes(one) == key for one in results) for key in counts]
    assert min(frequencies) > 0.75 * 1600 / len(counts)


@pytest.mark.parametrize(
    "given", [{"scale": [0, 1]}, {"scale": 0.5}, {"ratio": [2, 1]}, {"scale": [0.5, 1.5]}]
)
def test_ranges_are_checked(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        ResizedCrop(**given)
