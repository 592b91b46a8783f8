"""The handwritten digits that ship inside scikit-learn, from which the embedded competitions are made."""

import numpy as np
from sklearn.datasets import load_digits

from compkit.demo.contest import draws, shuffled

SPLIT_SEED = 20240
TEST_PER_DIGIT = 36  # of about 180


def load_source() -> tuple[np.ndarray, np.ndarray]:
    """1797 grey pictures of digits.

    Returns:
        Images, uint8 [1797, 8, 8], 0-255 with bright strokes; which digit each shows, int64 [1797].

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI; its test part.
    """
    bunch = load_digits()
    # 0..16 to 0..255, rounded, without floats
    images = (bunch.images.astype(np.int64) * 255 + 8) // 16
    return images.astype(np.uint8), bunch.target.astype(np.int64)


def split_source(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same split for every competition: no digit of a test picture occurs in a training picture.

    Returns:
        Rows for training, int64 [1437], and for test, int64 [360], 36 of each digit; both in random order.
    """
    rng = draws(SPLIT_SEED)
    order = shuffled(rng, len(digits))
    test = np.concatenate([order[digits[order] == digit][:TEST_PER_DIGIT] for digit in range(10)])
    test = test[shuffled(rng, len(test))]
    return order[~np.isin(order, test)], test
