import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from compkit.demo.contest import DIGITS
from compkit.demo.mosaic import CELL, f1_samples, make_mosaic, parse_labels
from compkit.demo.source import load_source, split_source


def trimmed(image: np.ndarray) -> bytes:
    """The picture without its black border."""
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    inner = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bytes(inner.shape) + inner.tobytes()


@pytest.fixture(scope="module")
def contest():
    return make_mosaic()


@pytest.fixture(scope="module")
def rows_shown(contest):
    """For each picture the rows of the source in it, found by comparing pixels."""
    known = {trimmed(image): row for row, image in enumerate(load_source()[0])}
    cells = [(slice(top, top + CELL), slice(left, left + CELL)) for top in (0, CELL) for left in (0, CELL)]
    return {
        one: [known[trimmed(image[cell])] for cell in cells if image[cell].any()]
        for one, image in contest.images.items()
    }


def test_labels_name_the_digits_that_are_there(contest, rows_shown):
    digits = load_source()[1]
    for table in (contest.train, contest.solution):
        for one, labels in zip(table["id"], table["labels"], strict=True):
            assert labels.split() == sorted({str(digits[row]) for row in rows_shown[one]})


def test_one_to_four_digits_about_equally_often(rows_shown):
    counts = np.bincount([len(rows) for rows in rows_shown.values()], minlength=5)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 500).max() < 75


def test_training_and_test_share_no_digit(contest, rows_shown):
    train, test = map(set, split_source(load_source()[1]))
    assert {row for one in contest.train["id"] for row in rows_shown[one]} <= train
    assert {row for one in contest.solution["id"] for row in rows_shown[one]} <= test


def test_sheets_share_no_digit(contest, rows_shown):
    sheet_of = {}
    for one, sheet in zip(contest.train["id"], contest.train["sheet"], strict=True):
        for row in rows_shown[one]:
            assert sheet_of.setdefault(row, sheet) == sheet


def test_f1_equals_scikit_learns():
    rng = np.random.default_rng(0)
    solution, submission = (
        [frozenset(rng.choice(DIGITS, rng.integers(0, 4), replace=False)) for _ in range(60)]
        for _ in range(2)
    )
    encode = MultiLabelBinarizer(classes=DIGITS).fit([])
    want = f1_score(
        encode.transform(solution), encode.transform(submission), average="samples", zero_division=0
    )
    assert f1_samples(solution, submission) == pytest.approx(want)


@pytest.mark.parametrize("cell", ["10", "1,2", "1 1", "a"])
def test_other_cells_are_errors(cell):
    with pytest.raises(ValueError, match="each at most once"):
        parse_labels(cell)
