import numpy as np
import pytest
from sklearn.metrics import fbeta_score

from compkit.metrics import FBeta, accuracy, fbeta
from compkit.metrics.fbeta import AVERAGES

every_average = pytest.mark.parametrize("average", AVERAGES)


def multilabel(rows: int = 100, labels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Random labels; the last one never occurs and is never predicted, the one before only predicted."""
    generator = np.random.default_rng(0)
    targets = (generator.random((rows, labels)) < 0.2).astype(np.float32)
    values = generator.random((rows, labels))
    targets[:, -2:] = 0
    values[:, -1] = 0
    return targets, values


@every_average
@pytest.mark.parametrize("beta", [0.5, 1, 2])
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_multilabel_is_scikit_learns(average: str, beta: float, threshold: float) -> None:
    targets, values = multilabel()
    want = fbeta_score(targets, values > threshold, beta=beta, average=average, zero_division=0)
    assert fbeta(targets, values, beta, average, threshold) == pytest.approx(want)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_multiclass_is_scikit_learns(average: str) -> None:
    generator = np.random.default_rng(0)
    targets, values = generator.integers(4, size=50), generator.random((50, 6))
    predicted = values.argmax(axis=1)
    want = fbeta_score(targets, predicted, beta=2, labels=range(6), average=average, zero_division=0)
    assert fbeta(targets, values, 2, average) == pytest.approx(want)


@pytest.mark.parametrize("average", ["micro", "samples"])
def test_with_one_label_a_row_it_is_the_accuracy(average: str) -> None:
    generator = np.random.default_rng(0)
    targets, values = generator.integers(4, size=50), generator.random((50, 4))
    assert fbeta(targets, values, average=average) == pytest.approx(accuracy(targets, values))


def test_per_class_is_scikit_learns() -> None:
    targets, values = multilabel()
    want = fbeta_score(targets, values > 0.5, beta=1, average=None, zero_division=0)
    np.testing.assert_allclose(FBeta().per_class(targets, values), want)


@every_average
@pytest.mark.filterwarnings("error")
def test_nothing_true_and_nothing_predicted_is_zero(average: str) -> None:
    assert fbeta(np.zeros((3, 2)), np.zeros((3, 2)), average=average) == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"beta": 0}, r"metric\.beta: 0 given"),
        ({"average": "mean"}, r"metric\.average: 'mean' given.*macro, micro, weighted, samples"),
        ({"threshold": 1}, r"metric\.threshold: 1 given"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FBeta(**arguments)
