"""How many labels a row has, and how many rows a label has."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from compkit.metrics import AUC, FBeta
from compkit.postprocess import Prevalence, TopK, thresholds_of_shares, top_k_labels
from compkit.types import Task


def naive_top_k(values, k):
    """Row by row; of equal ones the first."""
    called = np.zeros(values.shape, dtype=bool)
    for row, line in enumerate(values):
        best = sorted(range(len(line)), key=lambda place: (-line[place], place))[:k]
        called[row, best] = True
    return called


@pytest.mark.parametrize("k", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("decimals", [1, 8])
def test_just_the_k_likeliest_labels_lie_above_half(k, decimals):
    values = np.random.default_rng(0).random((100, 5)).round(decimals)
    values[0] = 0
    values[1] = 1
    moved = top_k_labels(values.astype(np.float32), k)
    np.testing.assert_array_equal(moved > 0.5, naive_top_k(values, k))
    assert moved.min() >= 0 and moved.max() <= 1


def test_k_is_the_best_of_those_tried():
    rng = np.random.default_rng(1)
    targets = naive_top_k(rng.random((60, 6)), 3).astype(float)
    values = np.clip(targets * 0.1 + rng.random((60, 6)) * 0.2, 0, 1)
    scores = [
        f1_score(targets, naive_top_k(values, k), average="samples", zero_division=0) for k in range(1, 7)
    ]
    method = TopK(max_k=10)
    learned = method.fit(targets, values, FBeta(average="samples"))
    assert learned["k"] == 1 + int(np.argmax(scores)) == 3
    assert FBeta(average="samples")(targets, method.apply(values, learned)) == pytest.approx(max(scores))
    assert TopK(max_k=2).fit(targets, values, FBeta(average="samples")) == {"k": 2}
    assert TopK(k=4.0).fit(targets, values, FBeta()) == {"k": 4}


@pytest.mark.parametrize("rows", [7, 100, 1001])
def test_predicted_shares_equal_training_shares(rows):
    rng = np.random.default_rng(2)
    shares = np.array([0.0, 0.013, 0.5, 0.97, 1.0])
    values = rng.random((rows, 5)) ** np.array([1, 8, 1, 0.2, 3])
    called = Prevalence().apply(values.astype(np.float32), {"shares": shares.tolist()}) > 0.5
    assert (np.abs(called.mean(axis=0) - shares) <= 1 / rows).all()


def test_the_likeliest_rows_are_called():
    values = np.random.default_rng(3).random((50, 1))
    called = (Prevalence().apply(values, {"shares": [0.3]}) > 0.5)[:, 0]
    assert called.sum() == 15 and values[called].min() > values[~called].max()


def test_equal_predictions_are_called_alike():
    values = np.array([0.1, 0.4, 0.4, 0.4, 0.9, 0.0])[:, None]
    for share, want in (
        (1 / 6, 1),
        (2 / 6, 1),
        (3 / 6, 4),
        (4 / 6, 4),
        (1.0, 5),
    ):  # a probability of 0 is never called
        assert (values > thresholds_of_shares(values, np.array([share]))).sum() == want


def test_shares_are_those_of_the_targets():
    assert Prevalence().fit(np.array([[1.0, 0], [0, 0]]), np.zeros((2, 2)), FBeta()) == {"shares": [0.5, 0.0]}


@pytest.mark.parametrize("arguments", [{"k": 0}, {"k": 1.5}, {"max_k": 0}, {"max_k": "all"}])
def test_k_is_a_whole_number(arguments):
    with pytest.raises(ValueError, match=rf"postprocess\.{next(iter(arguments))}"):
        TopK(**arguments)


@pytest.mark.parametrize("method", [TopK(), Prevalence()])
def test_one_class_an_image_and_rankings_are_refused(method):
    with pytest.raises(ValueError, match="class_weights"):
        method.check(Task.MULTICLASS, FBeta())
    with pytest.raises(ValueError, match="auc"):
        method.check(Task.MULTILABEL, AUC())
    method.check(Task.MULTILABEL, FBeta())
