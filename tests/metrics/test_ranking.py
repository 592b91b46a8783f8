import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from compkit.metrics import MAPAtK, TopKAccuracy, accuracy, map_at_k, top_k_accuracy


def average_precision_at(k: int, relevant: set[int], guesses: list[int]) -> float:
    """AP@k read from its definition, one row in plain Python."""
    hits, total = 0, 0.0
    for rank, guess in enumerate(guesses[:k], start=1):
        if guess in relevant:
            hits += 1
            total += hits / rank
    return total / min(len(relevant), k) if relevant else 0.0


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_accuracy_is_scikit_learns(k: int) -> None:
    generator = np.random.default_rng(0)
    targets, values = generator.integers(6, size=100), generator.random((100, 6))
    want = top_k_accuracy_score(targets, values, k=k, labels=range(6))
    assert top_k_accuracy(targets, values, k) == pytest.approx(want)


@pytest.mark.parametrize("k", [1, 3, 6, 9])
def test_map_at_k_of_labels_is_the_definition(k: int) -> None:
    generator = np.random.default_rng(0)
    targets, values = (generator.random((80, 6)) < 0.3).astype(np.float32), generator.random((80, 6))
    want = [
        average_precision_at(k, set(np.flatnonzero(row)), np.argsort(-scores).tolist())
        for row, scores in zip(targets, values, strict=True)
    ]
    assert map_at_k(targets, values, k) == pytest.approx(np.mean(want))


@pytest.mark.parametrize("k", [1, 3, 9])
def test_map_at_k_of_classes_is_one_over_the_rank(k: int) -> None:
    generator = np.random.default_rng(0)
    targets, values = generator.integers(6, size=80), generator.random((80, 6))
    ranks = (values > values[np.arange(80), targets][:, None]).sum(axis=1) + 1
    assert map_at_k(targets, values, k) == pytest.approx(np.where(ranks <= k, 1 / ranks, 0).mean())


def test_more_labels_than_guesses_can_still_be_perfect() -> None:
    assert map_at_k(np.array([[1.0, 1.0, 1.0, 0.0]]), np.array([[0.9, 0.8, 0.7, 0.1]]), k=2) == 1


def test_a_row_without_labels_counts_zero() -> None:
    assert map_at_k(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.9, 0.8], [0.7, 0.1]]), k=2) == 0.5


def test_of_equal_probabilities_the_first_class_comes_first() -> None:
    values = np.full((3, 3), 1 / 3)
    assert map_at_k(np.array([0, 1, 2]), values, k=2) == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert top_k_accuracy(np.array([0, 1, 2]), values, k=1) == accuracy(np.array([0, 1, 2]), values)


@pytest.mark.parametrize("metric", [MAPAtK, TopKAccuracy])
@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_k_is_a_whole_number_of_guesses(metric: type, k: float) -> None:
    with pytest.raises(ValueError, match=r"metric\.k: .* at least 1"):
        metric(k)
