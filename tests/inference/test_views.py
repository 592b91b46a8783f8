"""Views of a picture: sizes, crops, turns, and what is refused."""

import numpy as np
import pytest
import torch

from compkit.inference import View

IMAGES = torch.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("vflip", [False, True])
@pytest.mark.parametrize("turns", range(5))
def test_flips_then_turns_as_numpy_has_them(hflip, vflip, turns):
    want = IMAGES.numpy()
    want = np.flip(want, 3) if hflip else want
    want = np.flip(want, 2) if vflip else want
    view = View(hflip=hflip, vflip=vflip, quarter_turns=turns)
    np.testing.assert_array_equal(view.apply(IMAGES, (5, 7)), np.rot90(want, turns, (2, 3)))


@pytest.mark.parametrize("place, rows, columns", [
    ("top_left", slice(0, 3), slice(0, 4)), ("top_right", slice(0, 3), slice(3, 7)),
    ("bottom_left", slice(2, 5), slice(0, 4)), ("bottom_right", slice(2, 5), slice(3, 7)),
    ("center", slice(1, 4), slice(1, 5)),
])  # fmt: skip
def test_crops(place, rows, columns):
    got = View(crop=place, crop_fraction=0.6).apply(IMAGES, (3, 4))
    assert torch.equal(got, IMAGES[:, :, rows, columns])


def test_sizes():
    assert View(scale=1.25).size((224, 224)) == (288, 288) and View(scale=0.75).size((32, 32)) == (24, 24)
    assert View(scale=1).size((225, 223)) == (225, 223)
    assert View(crop="center", crop_fraction=0.8, scale=0.5).load_size((64, 128)) == (40, 80)
    assert View(quarter_turns=1).swaps_sides and not View(quarter_turns=2).swaps_sides


def test_numbers_are_converted():
    view = View.of("a", {"scale": 2, "weight": 3})
    assert (view.scale, view.weight) == (2.0, 3.0) and isinstance(view.weight, float)
    assert View.of("a", view) is view


@pytest.mark.parametrize("values, words", [
    ({"weight": 0}, r"inference\.views\.a\.weight: got 0; expected a number > 0"),
    ({"weight": -1}, r"views\.a\.weight: got -1"),
    ({"scale": 0}, r"views\.a\.scale: got 0"),
    ({"quarter_turns": 0.5}, r"views\.a\.quarter_turns: got 0\.5"),
    ({"quarter_turns": -1}, r"views\.a\.quarter_turns: got -1"),
    ({"crop": "middle"}, r"views\.a\.crop: got 'middle'; expected one of center"),
    ({"crop": "center", "crop_fraction": 1.5}, r"views\.a\.crop_fraction: got 1\.5"),
    ({"flip": True}, r"views\.a: no key 'flip'; expected some of \['hflip'"),
])  # fmt: skip
def test_refuses(values, words):
    with pytest.raises(ValueError, match=words):
        View.of("a", values)
