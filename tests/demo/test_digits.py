import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from compkit.demo.contest import DIGITS
from compkit.demo.digits import accuracy, make_digits, parse_digit
from compkit.demo.source import load_source


def test_every_picture_has_its_own_label():
    contest = make_digits()
    images, digits = load_source()
    known = {image.tobytes(): str(digit) for image, digit in zip(images, digits, strict=True)}
    for table in (contest.train, contest.solution):
        assert [known[contest.images[one].tobytes()] for one in table["id"]] == table["label"].tolist()


def test_accuracy_equals_scikit_learns():
    solution, submission = np.random.default_rng(0).choice(DIGITS, (2, 50))
    want = accuracy_score(solution, submission)
    assert accuracy(solution.tolist(), submission.tolist()) == pytest.approx(want)


@pytest.mark.parametrize("cell", ["", "10", "3.0", "seven", "1 2"])
def test_other_cells_are_errors(cell):
    with pytest.raises(ValueError, match="expected one digit"):
        parse_digit(cell)
