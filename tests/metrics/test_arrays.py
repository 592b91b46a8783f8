import numpy as np
import pytest

from compkit.metrics.arrays import check_arrays, label_matrix, per_column


def test_good_arrays_pass() -> None:
    check_arrays("here", np.array([0, 2]), np.zeros((2, 3)))
    check_arrays("here", np.zeros((2, 3)), np.zeros((2, 3)))


@pytest.mark.parametrize(
    "targets, values",
    [
        (np.array([0, 1]), np.zeros((3, 2))),
        (np.array([0, 1]), np.zeros(2)),
        (np.zeros((2, 1)), np.zeros((2, 3))),
        (np.zeros((2, 0)), np.zeros((2, 0))),
    ],
)
def test_shapes_must_fit(targets: np.ndarray, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"here: targets \[.*\] and values \[.*\] do not fit"):
        check_arrays("here", targets, values)


@pytest.mark.parametrize("targets", [np.array([0, 3]), np.array([0, -1]), np.array([0.0, 1.0])])
def test_class_indices_must_be_classes(targets: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"here: class indices are .*integers from 0 to 2"):
        check_arrays("here", targets, np.zeros((2, 3)))


def test_targets_must_be_numbers() -> None:
    with pytest.raises(ValueError, match="here: targets hold NaN"):
        check_arrays("here", np.array([[0.0], [np.nan]]), np.zeros((2, 1)))


def test_label_matrix_of_indices_and_of_columns_agree() -> None:
    indices = np.array([2, 0, 1, 1])
    np.testing.assert_array_equal(label_matrix(indices, 3), label_matrix(np.eye(3)[indices], 3))


def test_per_column_hands_over_single_columns() -> None:
    shapes: list[tuple] = []
    per_column(
        lambda targets, values: shapes.append((targets.shape, values.shape)) or 0.0,
        np.zeros((5, 2)),
        np.ones((5, 2)),
    )
    assert shapes == [((5, 1), (5, 1))] * 2
