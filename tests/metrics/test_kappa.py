import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from compkit.metrics import QuadraticKappa, quadratic_kappa


def reference(actual: np.ndarray, predicted: np.ndarray, grades: int) -> float:
    return cohen_kappa_score(actual, predicted, labels=range(grades), weights="quadratic")


@pytest.mark.parametrize("seed", range(3))
def test_multiclass_is_scikit_learns(seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets, values = generator.integers(5, size=80), generator.random((80, 5))
    assert quadratic_kappa(targets, values) == pytest.approx(reference(targets, values.argmax(axis=1), 5))


def test_a_grade_that_does_not_occur_keeps_its_place() -> None:
    targets, predicted = np.array([0, 4, 4, 0, 3]), np.array([0, 4, 3, 3, 3])
    want = reference(targets, predicted, 5)
    assert quadratic_kappa(targets, np.eye(5)[predicted]) == pytest.approx(want)
    # without the fixed set of grades, 3 would stand beside 0
    assert want != pytest.approx(cohen_kappa_score(targets, predicted, weights="quadratic"))


def test_regression_is_rounded_and_clipped() -> None:
    targets, values = np.array([0, 1, 2, 3]), np.array([-5.0, 1.4, 9.0, 1.6])
    want = reference(targets, np.array([0, 1, 3, 2]), 4)
    assert quadratic_kappa(targets[:, None].astype(np.float32), values[:, None]) == pytest.approx(want)


def test_the_range_may_be_wider_than_the_targets() -> None:
    targets, values = np.array([[1.0], [2.0], [3.0]]), np.array([[0.2], [2.0], [9.0]])
    want = reference(targets[:, 0].astype(int), np.array([0, 2, 4]), 5)
    assert QuadraticKappa(label_range=[0, 4])(targets, values) == pytest.approx(want)


def test_several_columns_are_averaged() -> None:
    generator = np.random.default_rng(0)
    targets, values = generator.integers(4, size=(30, 2)).astype(float), 4 * generator.random((30, 2))
    single = [quadratic_kappa(targets[:, [column]], values[:, [column]]) for column in range(2)]
    assert quadratic_kappa(targets, values) == pytest.approx(np.mean(single))


def test_zero_by_zero_is_nan_and_said() -> None:
    with pytest.warns(UserWarning, match="quadratic_kappa: .*0/0 = NaN"):
        assert np.isnan(quadratic_kappa(np.array([1, 1]), np.eye(3)[[1, 1]]))


def test_regression_targets_must_be_grades() -> None:
    with pytest.raises(ValueError, match=r"quadratic_kappa: .*whole grades.*metric=rmse"):
        quadratic_kappa(np.array([[0.5], [1.0]]), np.array([[0.5], [1.0]]))


@pytest.mark.parametrize("label_range", [[0], [4, 0], [0, 1, 2]])
def test_bad_label_range(label_range: list) -> None:
    with pytest.raises(ValueError, match=r"metric\.label_range"):
        QuadraticKappa(label_range)
