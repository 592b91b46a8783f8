import math

import numpy as np
import pytest
from scipy.ndimage import affine_transform
from sklearn.metrics import root_mean_squared_error

from compkit.demo.source import load_source, split_source
from compkit.demo.tilt import LARGEST, UPRIGHT, make_tilt, parse_angle, rmse, turn


@pytest.mark.parametrize("tenths", [0, 1, -450, 333, 900])
def test_turn_equals_scipys_bilinear_interpolation(tenths):
    image = load_source()[0][42]
    angle = math.radians(tenths / 10)
    # output (row, column) -> input: the inverse of a turn counter-clockwise, with rows pointing down
    inverse = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / 3
    offset = np.array([3.5, 3.5]) - inverse @ np.array([15.5, 15.5])
    want = affine_transform(
        image.astype(float), inverse, offset, output_shape=(32, 32), order=1, mode="grid-constant"
    )
    assert np.abs(turn(image, tenths) - want).max() <= 0.51


def test_positive_angles_turn_counter_clockwise():
    image = load_source()[0][7]
    np.testing.assert_array_equal(turn(image, 900), np.rot90(turn(image, 0)))
    np.testing.assert_array_equal(turn(image, -900), np.rot90(turn(image, 0), -1))


def test_angles_cover_their_range_evenly():
    contest = make_tilt()
    angles = np.concatenate([contest.train["angle"], contest.solution["angle"]]).astype(float)
    assert np.abs(angles).max() <= LARGEST / 10
    assert np.abs(np.histogram(angles, 9, (-45, 45))[0] - 2000 / 9).max() < 60


def test_pictures_show_their_source_at_their_angle():
    contest = make_tilt()
    images, digits = load_source()
    train, test = split_source(digits)
    rows = contest.train["source"].astype(int)
    assert set(rows) <= set(train[np.isin(digits[train], UPRIGHT)])
    for one, angle, row in list(zip(contest.train["id"], contest.train["angle"], rows, strict=True))[::10]:
        np.testing.assert_array_equal(contest.images[one], turn(images[row], round(float(angle) * 10)))
    # the source of a test picture is hidden, so the first ones are searched for among all
    for one, angle in contest.solution.head(5).itertuples(index=False):
        found = [
            row
            for row in [*train, *test]
            if np.array_equal(turn(images[row], round(float(angle) * 10)), contest.images[one])
        ]
        assert set(found) <= set(test) and len(found) == 1


def test_rmse_equals_scikit_learns():
    solution, submission = np.random.default_rng(0).normal(size=(2, 50)) * 30
    want = root_mean_squared_error(solution, submission)
    assert rmse(solution.tolist(), submission.tolist()) == pytest.approx(want)


@pytest.mark.parametrize("cell", ["", "nan", "inf", "12 degrees"])
def test_other_cells_are_errors(cell):
    with pytest.raises(ValueError, match="finite number of degrees"):
        parse_angle(cell)
