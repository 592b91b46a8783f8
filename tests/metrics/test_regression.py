import numpy as np
import pytest
from sklearn import metrics as reference

from compkit.metrics import RMSLE, mae, r2, rmse, rmsle


def examples(columns: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    targets = 9 * generator.random((50, columns)) * np.arange(1, columns + 1)
    return targets, targets + generator.normal(size=(50, columns))


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize(
    "ours, theirs",
    [
        (rmse, lambda t, v: np.sqrt(((t - v) ** 2).mean())),
        (mae, lambda t, v: np.abs(t - v).mean()),
        (rmsle, lambda t, v: np.sqrt(((np.log1p(t) - np.log1p(np.maximum(v, 0))) ** 2).mean())),
        (r2, reference.r2_score),
    ],
)
def test_is_the_mean_of_each_columns_formula(ours: object, theirs: object, columns: int) -> None:
    targets, values = examples(columns)
    want = [theirs(targets[:, column], values[:, column]) for column in range(columns)]
    assert ours(targets, values) == pytest.approx(np.mean(want))


def test_float32_far_from_zero_keeps_its_digits() -> None:
    targets = np.full((1000, 1), 1e6, dtype=np.float32)
    assert rmse(targets, targets + 1) == pytest.approx(1)


def test_rmsle_takes_negative_predictions_as_zero() -> None:
    targets, values = examples(2)
    assert rmsle(targets, values - 3) == rmsle(targets, np.maximum(values - 3, 0))


@pytest.mark.parametrize("score", [rmsle, RMSLE()])
def test_rmsle_refuses_negative_targets(score: object) -> None:
    with pytest.raises(ValueError, match=r"rmsle: targets go down to -0\.5.*metric=rmse"):
        score(np.array([[-0.5]]), np.array([[1.0]]))


def test_r2_of_equal_targets_is_a_number() -> None:
    assert r2(np.ones((3, 1)), np.ones((3, 1))) == 1
    assert r2(np.ones((3, 1)), np.zeros((3, 1))) == 0
