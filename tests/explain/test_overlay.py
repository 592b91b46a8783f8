"""Where a map lies, and how it is drawn."""

import numpy as np
import pytest

from compkit.explain import place_of, strip


def test_an_even_map_has_the_area_s_shares():
    place = place_of(np.ones((7, 7), np.float32))
    assert place.border == pytest.approx(0.36, abs=0.01) and place.corner == pytest.approx(1 / 16)


def test_the_centre_and_each_corner():
    heat = np.zeros((8, 8), np.float32)
    heat[3:5, 3:5] = 1
    assert place_of(heat).border < 0.01 and place_of(heat).corner < 0.01
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        heat = np.zeros((8, 8), np.float32)
        heat[row, column] = 2.0
        assert place_of(heat).corner > 0.99
    assert place_of(np.zeros((4, 4))) is None


def test_scale_does_not_matter():
    heat = np.random.default_rng(0).random((5, 5)).astype(np.float32)
    assert place_of(heat) == pytest.approx(place_of(heat * 1000))


@pytest.mark.parametrize(
    "shape, tile", [((32, 32), (128, 128)), ((300, 600), (64, 128)), ((500, 2), (128, 1))]
)
def test_a_strip_has_a_tile_for_the_picture_and_each_map(shape, tile):
    picture = np.full((*shape, 3), 100, np.uint8)
    sheet = strip(picture, [np.zeros((4, 4)), np.ones((4, 4))])
    height, width = tile
    assert sheet.shape == (height, 3 * width + 8, 3)
    assert (sheet[:, : 2 * width + 4][:, [*range(width), *range(width + 4, 2 * width + 4)]] == 100).all()
    red, _, blue = sheet[0, -1].astype(int)
    assert red - blue > 30  # yellow where the map is strongest
