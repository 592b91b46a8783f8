import numpy as np
from sklearn.datasets import load_digits

from compkit.demo.source import load_source, split_source


def test_pictures_are_scikit_learns_on_the_full_grey_scale():
    images, digits = load_source()
    bunch = load_digits()
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert np.abs(images - bunch.images / 16 * 255).max() <= 0.5
    np.testing.assert_array_equal(digits, bunch.target)


def test_split_is_disjoint_complete_and_stratified():
    digits = load_source()[1]
    train, test = split_source(digits)
    assert sorted([*train, *test]) == list(range(1797))
    assert np.bincount(digits[test]).tolist() == [36] * 10
    np.testing.assert_array_equal(train, split_source(digits)[0])
