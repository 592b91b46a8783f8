"""Views chosen greedily: a planted one is found, and random ones are not worth more than chance."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from compkit.ensemble import cross_fit
from compkit.inference import ViewSearch, select_views
from compkit.types import Task

N, C = 600, 4


def softmax(logits):
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def planted():
    """Five views: 0 and 3 know something apart from each other, the others nothing."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, C, N)
    logits = rng.normal(0, 1, (5, N, C))
    for view, strength in ((0, 1.6), (3, 1.5)):
        logits[view, np.arange(N), targets] += strength
    return targets, softmax(logits)


def test_views_that_help_are_found():
    targets, values = planted()
    chosen = select_views(lambda views: -log_loss(targets, values[views].mean(0)), 5, 4, True)
    assert chosen[:2] == [0, 3]
    assert select_views(lambda views: -log_loss(targets, values[views].mean(0)), 5, 1, True) == [0]
    # a score that is better lower
    assert select_views(lambda views: log_loss(targets, values[views].mean(0)), 5, 4, False) == chosen


def test_each_round_takes_the_best_addition_of_a_naive_loop():
    targets, values = planted()
    score = lambda views: accuracy_score(targets, values[list(views)].mean(0).argmax(1))  # noqa: E731
    chosen, best = [], -1.0
    for _ in range(5):
        scores = {view: score([*chosen, view]) for view in range(5) if view not in chosen}
        view = max(scores, key=lambda one: (scores[one], -one))
        if scores[view] <= best:
            break
        chosen.append(view)
        best = scores[view]
    assert select_views(score, 5, 5, True) == chosen
    assert best <= max(score(views) for size in (1, 2, 3) for views in itertools.combinations(range(5), size))


def test_random_views_are_worth_no_more_than_chance_where_they_were_not_chosen():
    nested, in_sample, runs = [], [], 60
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        targets, values = rng.integers(0, 2, 100), rng.random((30, 100))

        def accuracy(views, rows, targets=targets, values=values):
            return float(np.mean((values[views][:, rows].mean(0) > 0.5) == targets[rows]))

        def choose(rows, accuracy=accuracy):
            return select_views(lambda views: accuracy(views, rows), 30, 4, True)

        out, _ = cross_fit(
            choose, lambda views, rows, values=values: values[views][:, rows].mean(0), np.arange(100) % 5
        )
        nested.append(np.mean((out > 0.5) == targets))
        in_sample.append(accuracy(choose(np.arange(100)), np.arange(100)))
    assert np.mean(in_sample) > 0.62
    assert abs(np.mean(nested) - 0.5) < 3.5 * 0.057 / np.sqrt(runs)  # 0.057: the deviation of one run


def test_scores_that_cannot_be_computed_are_never_better():
    assert select_views(lambda views: np.nan if 0 in views else 1.0, 2, 2, True) == [1]
    with pytest.raises(ValueError, match="metric cannot be computed"):
        select_views(lambda views: np.nan, 2, 2, True)


def test_settings():
    search = ViewSearch(
        candidates={"a": {}, "b": {"scale": 0.5}, "c": None}, label_swaps={"vertical": [["x", "y"]]}
    )
    assert sorted(search.candidates) == ["a", "b"] and search.resizes((64, 64))
    assert search.with_views(["a"]).label_swaps == search.label_swaps and not search.with_views(
        ["a"]
    ).resizes((64, 64))
    assert [name for name, _ in search.ordered_views] == ["identity"]


@pytest.mark.parametrize("values, words", [
    ({"candidates": {}}, r"inference\.candidates=\{\}: expected some"),
    ({"candidates": {"a": {}}, "max_views": 0}, r"inference\.max_views: got 0"),
    ({"candidates": {"a": {}}, "views": {"b": {}}}, r"a search chooses its views among the candidates"),
    ({"candidates": {"a": {"weight": 0}}}, r"a\.weight: got 0"),
])  # fmt: skip
def test_refuses(values, words):
    with pytest.raises(ValueError, match=words):
        ViewSearch(**values)


def test_candidates_are_checked_by_their_name():
    with pytest.raises(
        ValueError, match=r"inference\.candidates\.turned: a quarter turn.*~inference\.candidates\.turned"
    ):
        ViewSearch(candidates={"turned": {"quarter_turns": 1}}).check(Task.MULTICLASS, ("a",), (32, 64))
