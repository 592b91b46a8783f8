import numpy as np
import pytest
from sklearn import metrics as reference

from compkit.metrics import accuracy, balanced_accuracy, mcc
from compkit.metrics.classification import recall_per_class


def examples(rows: int = 200, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.integers(classes, size=rows), generator.dirichlet(np.ones(classes), size=rows)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (accuracy, reference.accuracy_score),
        (balanced_accuracy, reference.balanced_accuracy_score),
        (mcc, reference.matthews_corrcoef),
    ],
)
def test_is_scikit_learns(ours: object, theirs: object) -> None:
    targets, values = examples()
    assert ours(targets, values) == pytest.approx(theirs(targets, values.argmax(axis=1)))


def test_of_equal_probabilities_the_first_class_counts() -> None:
    assert accuracy(np.array([0, 1]), np.full((2, 2), 0.5)) == 0.5


def test_recall_of_an_absent_class_is_undefined_and_left_out() -> None:
    targets, values = np.array([0, 0, 1]), np.eye(3)[[0, 2, 1]]
    np.testing.assert_array_equal(recall_per_class(targets, values), [0.5, 1, np.nan])
    assert balanced_accuracy(targets, values) == 0.75


@pytest.mark.filterwarnings("error")
def test_mcc_of_one_class_only_is_zero() -> None:
    assert mcc(np.array([1, 1]), np.eye(3)[[1, 1]]) == 0
    assert mcc(np.array([0, 1]), np.eye(3)[[1, 1]]) == 0
