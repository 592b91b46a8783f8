"""Scaling against NumPy over all pixels at once; only training rows are looked at."""

import numpy as np
import pytest
import torch

from compkit.data import (
    MeasuredScaling,
    PercentileScaling,
    Preprocessing,
    PretrainedScaling,
    TanhScaling,
    measure,
    percentiles,
)

ROWS = np.array([7, 2, 9, 4, 0, 11])
ALL_SCALINGS = [PretrainedScaling(), MeasuredScaling(), TanhScaling(), PercentileScaling()]


def preprocessing(deep):
    return Preprocessing(10, 14, 3, deep, None, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


def pictures(deep):
    """Twelve pictures, deep ones mostly in a small dark part of the range."""
    rng = np.random.default_rng(0)
    values = rng.beta(0.5, [[[4, 8, 200]]], (12, 10, 14, 3)) ** (2 if deep else 1)
    return values.astype(np.float32) if deep else np.rint(values * 255).astype(np.uint8)


def training_pixels(images):
    """All training pixels in [0, 1], float64 [P, C]."""
    pixels = images[ROWS].reshape(-1, 3).astype(np.float64)
    return pixels / 255 if images.dtype == np.uint8 else pixels


def fit(scaling, deep, rows=ROWS):
    images = pictures(deep)
    return scaling.fit(lambda row: images[row], rows, preprocessing(deep)), images


@pytest.mark.parametrize("deep", [False, True])
def test_measured_is_mean_and_std_of_all_training_pixels(deep):
    box, images = fit(MeasuredScaling(), deep)
    pixels = training_pixels(images)
    np.testing.assert_allclose(box.mean, pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(box.std, pixels.std(axis=0), rtol=1e-6)


def test_measuring_in_parts_is_exact_where_the_mean_dwarfs_the_std():
    parts = [1e6 + np.random.default_rng(n).standard_normal((n + 1, 2)) for n in range(40)]
    mean, std = measure(iter(parts))
    everything = np.concatenate(parts)
    np.testing.assert_allclose(mean, everything.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(std, everything.std(axis=0), rtol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_percentiles_are_numpys_whatever_part_of_the_range_is_used(scale):
    pixels = (np.random.default_rng(0).random((5, 300, 2)) ** 3 * scale).astype(np.float32)
    pixels[0, :10], pixels[0, 10:12] = 0, -0.0
    at = np.array([0, 0.1, 1, 25, 50, 99, 100])
    want = np.percentile(pixels.reshape(-1, 2).astype(np.float64), at, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(percentiles(iter(pixels), at), want, rtol=5e-4)


def test_percentiles_of_round_numbers_are_not_one_pixel_late():
    # 7 / 100 * 100 is a little more than 7, whose ceiling is 8
    pixels = (np.arange(1, 101, dtype=np.float32) / 100)[:, None]
    got = percentiles(iter([pixels]), np.arange(1, 101))[:, 0]
    np.testing.assert_allclose(got, pixels[:, 0], rtol=5e-4)


@pytest.mark.parametrize("deep", [False, True])
def test_percentile_cuts_and_stretches(deep):
    box, images = fit(PercentileScaling(2, 98), deep)
    pixels = training_pixels(images)
    low, high = np.percentile(pixels, [2, 98], axis=0, method="inverted_cdf")
    np.testing.assert_allclose(box.low, low, rtol=1e-3)
    np.testing.assert_allclose(box.high, high, rtol=1e-3)
    squeezed = np.clip((pixels - box.low) / (np.array(box.high) - box.low), 0, 1)
    np.testing.assert_allclose(box.mean, squeezed.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(box.std, squeezed.std(axis=0), rtol=1e-5)


def test_percentiles_are_measured_far_from_black_too():
    images = 0.4 + 0.3 * np.random.default_rng(0).random((12, 10, 14, 3), np.float32)
    box = PercentileScaling(5, 95).fit(lambda row: images[row], ROWS, preprocessing(True))
    low, high = np.percentile(training_pixels(images), [5, 95], axis=0, method="inverted_cdf")
    np.testing.assert_allclose([box.low, box.high], [low, high], rtol=1e-3)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("level", [0.05, "auto"])
def test_tanh_squeezes(deep, level):
    box, images = fit(TanhScaling(level), deep)
    pixels = training_pixels(images)
    scale = 2 * pixels.mean() if level == "auto" else level
    assert box.tanh_scale == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(box.mean, np.tanh(pixels / scale).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(box.std, np.tanh(pixels / scale).std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("scaling", ALL_SCALINGS[1:], ids=lambda scaling: type(scaling).__name__)
@pytest.mark.parametrize("deep", [False, True])
def test_training_pixels_come_out_with_mean_0_and_std_1(scaling, deep):
    box, images = fit(scaling, deep)
    out = box.normalise(torch.from_numpy(images[ROWS])).double().permute(1, 0, 2, 3).flatten(1)
    torch.testing.assert_close(out.mean(dim=1), torch.zeros(3).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(out.std(dim=1, correction=0), torch.ones(3).double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scaling", ALL_SCALINGS, ids=lambda scaling: type(scaling).__name__)
def test_only_training_rows_are_looked_at_and_their_order_does_not_matter(scaling):
    looked = set()
    images = pictures(deep=True)

    def load(row):
        looked.add(row)
        return images[row]

    box = scaling.fit(load, ROWS, preprocessing(True))
    assert looked <= set(ROWS.tolist())
    assert scaling.fit(load, np.sort(ROWS), preprocessing(True)) == box


def test_pretrained_changes_nothing():
    assert fit(PretrainedScaling(), deep=False)[0] == preprocessing(False)


def test_samples_bound_what_is_read():
    looked = []
    images = pictures(deep=False)
    MeasuredScaling(samples=4).fit(
        lambda row: looked.append(row) or images[row], np.arange(12), preprocessing(False)
    )
    assert looked == [0, 4, 7, 11]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: MeasuredScaling(samples=0), "scaling.samples: got 0"),
        (lambda: TanhScaling(level=0), "scaling.level: got 0"),
        (lambda: TanhScaling(level="high"), "scaling.level: got 'high'"),
        (lambda: PercentileScaling(low=-1), "scaling.low: got -1"),
        (lambda: PercentileScaling(high=101), "scaling.high: got 101"),
        (lambda: PercentileScaling(low=50, high=50), "expected low < high"),
    ],
)
def test_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("scaling", ALL_SCALINGS[1:], ids=lambda scaling: type(scaling).__name__)
def test_refuses_a_channel_without_information(scaling):
    images = pictures(deep=False)
    images[..., 1] = 0
    with pytest.raises(ValueError, match=r"channel\(s\) \[1\].* Set scaling"):
        scaling.fit(lambda row: images[row], ROWS, preprocessing(False))
